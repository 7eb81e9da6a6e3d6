//! Which programs there are, and where.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::go::Module;
use super::python::Requirements;

const ETCD: Module = Module {
    name: "etcd",
    programs: &["etcd"],
    ldflags: "-s -w",
    estimate: "about half a minute",
    sources: &[],
};

const KUBERNETES: Module = Module {
    name: "kubernetes",
    programs: &["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"],
    ldflags: "-s -w \
        -X k8s.io/component-base/version.gitVersion=v1.35.4 \
        -X k8s.io/component-base/version.gitMajor=1 \
        -X k8s.io/component-base/version.gitMinor=35",
    estimate: "about five minutes",
    sources: &[],
};

const KWOK: Module = Module {
    name: "kwok",
    programs: &["kwok"],
    ldflags: "-s -w",
    estimate: "about a minute and a half",
    sources: &[],
};

const VERSITYGW: Module = Module {
    name: "versitygw",
    programs: &["versitygw"],
    ldflags: "-s -w",
    estimate: "about a minute",
    sources: &[],
};

const PROMRULES: Module = Module {
    name: "promrules",
    programs: &["promrules"],
    ldflags: "-s -w",
    estimate: "about half a minute",
    sources: &["main.go"],
};

const MOTO: Requirements = Requirements { name: "moto", estimate: "about half a minute" };

/// The paths of what a cluster is made of.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    /// The store of the API server.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// The controller manager.
    pub kube_controller_manager: PathBuf,
    /// The scheduler.
    pub kube_scheduler: PathBuf,
    /// The command line client.
    pub kubectl: PathBuf,
    /// The fake kubelets.
    pub kwok: PathBuf,
}

/// What was found in this process, which is looked for only once.
type Found<T> = Mutex<Option<T>>;

/// Finds what a cluster is made of, or builds what is missing, which is told on stderr.
///
/// Blocks, for minutes the first time. The work is done once per machine by a lock in the cache.
pub fn kubernetes() -> Result<Kubernetes> {
    static FOUND: Found<Kubernetes> = Mutex::new(None);
    once(&FOUND, || {
        let [etcd, kubernetes, kwok] = [ETCD.find()?, KUBERNETES.find()?, KWOK.find()?];
        Ok(Kubernetes {
            etcd: etcd.join("etcd"),
            kube_apiserver: kubernetes.join("kube-apiserver"),
            kube_controller_manager: kubernetes.join("kube-controller-manager"),
            kube_scheduler: kubernetes.join("kube-scheduler"),
            kubectl: kubernetes.join("kubectl"),
            kwok: kwok.join("kwok"),
        })
    })
}

/// Finds the S3 server, or builds it. Blocks.
pub fn versitygw() -> Result<PathBuf> {
    static FOUND: Found<PathBuf> = Mutex::new(None);
    once(&FOUND, || Ok(VERSITYGW.find()?.join("versitygw")))
}

/// Finds the checker of alert rules, or builds it. Blocks.
pub fn promrules() -> Result<PathBuf> {
    static FOUND: Found<PathBuf> = Mutex::new(None);
    once(&FOUND, || Ok(PROMRULES.find()?.join("promrules")))
}

/// Finds the Python that has the EC2 server, or installs it. Blocks.
pub fn moto() -> Result<PathBuf> {
    static FOUND: Found<PathBuf> = Mutex::new(None);
    once(&FOUND, || MOTO.find())
}

fn once<T: Clone>(found: &Found<T>, find: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = found.as_ref() {
        return Ok(known.clone());
    }
    Ok(found.insert(find()?).clone())
}

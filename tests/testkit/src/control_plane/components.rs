//! How each component is called.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value, json};

use super::plane::Options;
use crate::certificates::Certificates;
use crate::ports;
use crate::process::Program;
use crate::tools::Kubernetes;

/// The bearer token of the cluster's one user, who may do anything.
const TOKEN: &str = "testkit-administrator";

/// What the components of one control plane must agree on.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) tools: Kubernetes,
    pub(super) directory: PathBuf,
    etcd_port: u16,
    etcd_peer_port: u16,
    api_port: u16,
    kubelet_port: u16,
    audit: bool,
}

impl Settings {
    /// Picks ports and writes the files that the components read.
    pub(super) fn new(
        options: &Options,
        tools: Kubernetes,
        directory: &Path,
        certificates: &Certificates,
    ) -> io::Result<Self> {
        let settings = Self {
            name: options.name.clone(),
            tools,
            directory: directory.to_owned(),
            etcd_port: ports::free(),
            etcd_peer_port: ports::free(),
            api_port: ports::free(),
            kubelet_port: ports::free(),
            audit: options.audit,
        };
        settings.write("ca.crt", &certificates.authority)?;
        settings.write("server.crt", &certificates.server)?;
        settings.write("server.key", &certificates.server_key)?;
        settings.write("tokens.key", &certificates.token_key)?;
        settings.write("tokens.pub", &certificates.token_public_key)?;
        settings.write("tokens.csv", &format!("{TOKEN},admin,admin,system:masters\n"))?;
        settings.write("audit.json", &audit_policy().to_string())?;
        settings.write("kwok.json", &settings.kwok_config().to_string())?;
        settings.write("kubeconfig", &settings.kubeconfig())?;
        Ok(settings)
    }

    /// The path of a file of this control plane.
    pub(super) fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        fs::write(self.directory.join(name), text)
    }

    /// Where the API server listens.
    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_port)
    }

    pub(super) fn etcd(&self) -> Program {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let peer = format!("http://127.0.0.1:{}", self.etcd_peer_port);
        let arguments = vec![
            format!("--data-dir={}", self.file("etcd")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
        ];
        program("etcd", &self.tools.etcd, arguments)
    }

    pub(super) fn api_server(&self) -> Program {
        let mut arguments = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.api_port),
            // A loopback address is refused, and without one a machine without network fails.
            "--advertise-address=192.0.2.1".to_owned(),
            format!("--tls-cert-file={}", self.file("server.crt")),
            format!("--tls-private-key-file={}", self.file("server.key")),
            format!("--token-auth-file={}", self.file("tokens.csv")),
            format!("--service-account-key-file={}", self.file("tokens.pub")),
            format!("--service-account-signing-key-file={}", self.file("tokens.key")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--allow-privileged".to_owned(),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
        ];
        if self.audit {
            arguments.push(format!("--audit-policy-file={}", self.file("audit.json")));
            arguments.push(format!("--audit-log-path={}", self.file("audit.log")));
        }
        program("kube-apiserver", &self.tools.kube_apiserver, arguments)
    }

    pub(super) fn controller_manager(&self) -> Program {
        let arguments = vec![
            format!("--kubeconfig={}", self.file("kubeconfig")),
            format!("--service-account-private-key-file={}", self.file("tokens.key")),
            format!("--root-ca-file={}", self.file("ca.crt")),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            // The default of 20 requests a second is for a shared API server.
            "--kube-api-qps=200".to_owned(),
            "--kube-api-burst=400".to_owned(),
            // kwok's heart beats late on a busy machine, and pods that were once not ready stay so.
            "--node-monitor-grace-period=24h".to_owned(),
        ];
        program("kube-controller-manager", &self.tools.kube_controller_manager, arguments)
    }

    pub(super) fn scheduler(&self) -> Program {
        let arguments = vec![
            format!("--kubeconfig={}", self.file("kubeconfig")),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
        ];
        program("kube-scheduler", &self.tools.kube_scheduler, arguments)
    }

    pub(super) fn kwok(&self) -> Program {
        let arguments = vec![
            format!("--kubeconfig={}", self.file("kubeconfig")),
            format!("--config={}", self.file("kwok.json")),
            "--manage-all-nodes=true".to_owned(),
            "--node-ip=127.0.0.1".to_owned(),
            "--cidr=10.244.0.1/16".to_owned(),
            format!("--node-port={}", self.kubelet_port),
            format!("--server-address=127.0.0.1:{}", self.kubelet_port),
            format!("--tls-cert-file={}", self.file("server.crt")),
            format!("--tls-private-key-file={}", self.file("server.key")),
        ];
        program("kwok", &self.tools.kwok, arguments)
    }

    /// Lets `kubectl exec` into any pod run the command on this host.
    fn kwok_config(&self) -> Value {
        json!({
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "ClusterExec",
            "metadata": { "name": "host" },
            "spec": { "execs": [{ "local": { "workDir": self.directory } }] },
        })
    }

    fn kubeconfig(&self) -> String {
        kubeconfig(&[self.entry()])
    }

    /// This cluster's part of a kubeconfig.
    pub(super) fn entry(&self) -> Entry {
        Entry { name: self.name.clone(), server: self.url(), authority: self.file("ca.crt") }
    }
}

/// One cluster in a kubeconfig.
#[derive(Debug)]
pub(super) struct Entry {
    name: String,
    server: String,
    authority: String,
}

/// A kubeconfig with a context per cluster, named after it; the first is the current one.
pub(super) fn kubeconfig(entries: &[Entry]) -> String {
    let list = |part: fn(&Entry) -> Value| entries.iter().map(part).collect::<Vec<_>>();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": entries.first().map(|entry| &entry.name),
        "clusters": list(|entry| json!({
            "name": entry.name,
            "cluster": { "server": entry.server, "certificate-authority": entry.authority },
        })),
        "users": list(|entry| json!({ "name": entry.name, "user": { "token": TOKEN } })),
        "contexts": list(|entry| json!({
            "name": entry.name,
            "context": { "cluster": entry.name, "user": entry.name },
        })),
    });
    format!("{config:#}\n")
}

/// Who asked for what, once it is answered.
fn audit_policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted", "Panic"],
        "rules": [{"level": "Metadata"}],
    })
}

fn program(name: &'static str, path: &Path, arguments: Vec<String>) -> Program {
    Program { name, path: path.to_owned(), arguments, environment: Vec::new() }
}

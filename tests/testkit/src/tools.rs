//! The Go programs that clusters are made of: found in the cache, or built into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{cache, hex};

/// A Go module of `tests/testenv` and what its build leaves.
struct Module {
    name: &'static str,
    programs: &'static [&'static str],
    ldflags: &'static str,
    estimate: &'static str,
}

const ETCD: Module =
    Module { name: "etcd", programs: &["etcd"], ldflags: "-s -w", estimate: "about half a minute" };

const KUBERNETES: Module = Module {
    name: "kubernetes",
    programs: &["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"],
    ldflags: "-s -w \
        -X k8s.io/component-base/version.gitVersion=v1.35.4 \
        -X k8s.io/component-base/version.gitMajor=1 \
        -X k8s.io/component-base/version.gitMinor=35",
    estimate: "about five minutes",
};

const KWOK: Module = Module {
    name: "kwok",
    programs: &["kwok"],
    ldflags: "-s -w",
    estimate: "about a minute and a half",
};

/// The paths of the built programs.
#[derive(Debug, Clone)]
pub struct Tools {
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

static FOUND: Mutex<Option<Tools>> = Mutex::new(None);

/// Finds the programs, or builds those that are missing, which takes minutes and is told on stderr.
///
/// Blocks. The work is done once per process, and once per machine by a lock in the cache.
pub fn find() -> Result<Tools> {
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(tools) = found.as_ref() {
        return Ok(tools.clone());
    }
    let [etcd, kubernetes, kwok] = [ETCD.find()?, KUBERNETES.find()?, KWOK.find()?];
    let tools = Tools {
        etcd: etcd.join("etcd"),
        kube_apiserver: kubernetes.join("kube-apiserver"),
        kube_controller_manager: kubernetes.join("kube-controller-manager"),
        kube_scheduler: kubernetes.join("kube-scheduler"),
        kubectl: kubernetes.join("kubectl"),
        kwok: kwok.join("kwok"),
    };
    Ok(found.insert(tools).clone())
}

impl Module {
    /// The directory with the programs of this module.
    fn find(&self) -> Result<PathBuf> {
        let cache = cache::directory()?.join("tools");
        let built = cache.join(format!("{}-{}", self.name, self.key()?));
        if built.is_dir() {
            return Ok(built);
        }
        fs::create_dir_all(&cache)
            .with_context(|| format!("failed to make {}", cache.display()))?;
        let _lock = cache::lock(&cache.join(format!("{}.lock", self.name)))?;
        if !built.is_dir() {
            self.build(&cache, &built)?;
        }
        Ok(built)
    }

    /// Builds aside and renames in, so that nobody ever sees half a build.
    fn build(&self, cache: &Path, built: &Path) -> Result<()> {
        let start = Instant::now();
        eprintln!("building {} ({}, once) ...", self.programs.join(", "), self.estimate);
        let aside = self.empty_directory(cache)?;
        let status = self
            .go(&["build", "-mod=readonly", "-buildvcs=false"])?
            .arg(format!("-ldflags={}", self.ldflags))
            .arg(format!("-o={}/", aside.path().display()))
            .arg("tool")
            .status()
            .context("failed to run `go build`")?;
        ensure!(status.success(), "failed to build {}: {status}", self.name);
        let server = aside.path().join("server");
        if server.exists() {
            // Go names a program after its path, which is go.etcd.io/etcd/server/v3.
            fs::rename(server, aside.path().join("etcd"))?;
        }
        for program in self.programs {
            let path = aside.path().join(program);
            ensure!(path.is_file(), "`go build` left no {program} in {}", self.name);
        }
        fs::rename(aside.keep(), built)?;
        eprintln!("built {} in {:.0?}", self.programs.join(", "), start.elapsed());
        Ok(())
    }

    /// Makes a directory to build in, and removes those of builds that were killed.
    fn empty_directory(&self, cache: &Path) -> Result<TempDir> {
        let prefix = format!("building-{}-", self.name);
        for entry in fs::read_dir(cache)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(tempfile::Builder::new().prefix(&prefix).tempdir_in(cache)?)
    }

    /// What the build depends on, in sixteen hexadecimal digits.
    fn key(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for file in ["go.mod", "go.sum"] {
            let path = self.directory().join(file);
            let text =
                fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
            hash.update(text);
        }
        hash.update(self.ldflags);
        hash.update(self.programs.concat());
        hash.update(self.go_version()?);
        Ok(hex::encode(&hash.finalize()).chars().take(16).collect())
    }

    /// The version and platform of the Go that builds this module.
    fn go_version(&self) -> Result<Vec<u8>> {
        let output = match self.go(&["version"])?.output() {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "`go` not found: needed to build {}; install Go 1.26 or later (https://go.dev/dl)",
                self.programs.join(", ")
            ),
            Err(error) => return Err(error).context("failed to run `go version`"),
        };
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`go version` failed: {}", stderr.trim());
        Ok(output.stdout)
    }

    fn go(&self, arguments: &[&str]) -> Result<Command> {
        let mut go = Command::new("go");
        go.args(arguments).current_dir(self.directory().canonicalize()?);
        go.env("CGO_ENABLED", "0").env("GOWORK", "off");
        Ok(go)
    }

    fn directory(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../testenv").join(self.name)
    }
}

//! Programs that are built from the Go modules of `tests/testenv`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::build::{self, Build};

/// A Go module of `tests/testenv` and what its build leaves.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: &'static str,
    pub(super) programs: &'static [&'static str],
    pub(super) ldflags: &'static str,
    pub(super) estimate: &'static str,
    /// What is built from files of its own.
    pub(super) sources: &'static [&'static str],
}

impl Module {
    /// The directory with the programs of this module.
    pub(super) fn find(&self) -> Result<PathBuf> {
        let programs = self.programs.join(", ");
        let key = self.key()?;
        let build = Build { name: self.name, programs: &programs, estimate: self.estimate, key };
        build.find(|aside| self.build(aside))
    }

    fn build(&self, aside: &Path) -> Result<()> {
        let status = self
            .go(&["build", "-mod=readonly", "-buildvcs=false"])?
            .arg(format!("-ldflags={}", self.ldflags))
            .arg(format!("-o={}/", aside.display()))
            .arg("tool")
            .status()
            .context("failed to run `go build`")?;
        ensure!(status.success(), "failed to build {}: {status}", self.name);
        let server = aside.join("server");
        if server.exists() {
            // Go names a program after its path, which is go.etcd.io/etcd/server/v3.
            fs::rename(server, aside.join("etcd"))?;
        }
        for program in self.programs {
            let path = aside.join(program);
            ensure!(path.is_file(), "`go build` left no {program} in {}", self.name);
        }
        Ok(())
    }

    fn key(&self) -> Result<String> {
        let mut parts = vec![build::read(self.name, "go.mod")?, build::read(self.name, "go.sum")?];
        parts.extend([self.ldflags.into(), self.programs.concat().into(), self.go_version()?]);
        for source in self.sources {
            parts.push(build::read(self.name, source)?);
        }
        Ok(build::key(parts.iter().map(Vec::as_slice)))
    }

    /// The version and platform of the Go that builds this module.
    fn go_version(&self) -> Result<Vec<u8>> {
        let output = match self.go(&["version"])?.output() {
            Ok(output) => output,
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
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
        go.args(arguments).current_dir(build::directory(self.name).canonicalize()?);
        go.env("CGO_ENABLED", "0").env("GOWORK", "off");
        Ok(go)
    }
}

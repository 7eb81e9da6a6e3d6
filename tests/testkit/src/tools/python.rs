//! Programs that are installed into virtual environments of their own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::build::{self, Build};

/// Tells which Python this is; fails where it is too old, or cannot make virtual environments.
const PROBE: &str = "
import sys
if sys.version_info < (3, 11): sys.exit(3)
import ensurepip, venv
print(sys.version, sys.base_prefix)
";
const TOO_OLD: i32 = 3;

/// A requirements file of `tests/testenv`.
#[derive(Debug)]
pub(super) struct Requirements {
    pub(super) name: &'static str,
    pub(super) estimate: &'static str,
}

impl Requirements {
    /// The interpreter that has the packages; programs are run as its modules.
    ///
    /// Their scripts name the path that they were installed at, which is not the one they lie at.
    pub(super) fn find(&self) -> Result<PathBuf> {
        let key = build::key([&*build::read(self.name, "requirements.txt")?, &self.probe()?]);
        let build = Build { name: self.name, programs: self.name, estimate: self.estimate, key };
        Ok(build.find(|aside| self.install(aside))?.join("bin/python"))
    }

    fn install(&self, aside: &Path) -> Result<()> {
        let python = aside.join("bin/python");
        run(Command::new("python3").args(["-m", "venv"]).arg(aside))?;
        run(Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(["--only-binary=:all:", "--require-hashes", "--requirement"])
            .arg(build::directory(self.name).join("requirements.txt")))
    }

    fn probe(&self) -> Result<Vec<u8>> {
        let install = "install Python 3.11 or later (https://www.python.org/downloads)";
        let output = match Command::new("python3").args(["-c", PROBE]).output() {
            Ok(output) => output,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("`python3` not found: needed to install {}; {install}", self.name)
            }
            Err(error) => return Err(error).context("failed to run `python3`"),
        };
        let too_old = output.status.code() == Some(TOO_OLD);
        ensure!(!too_old, "`python3` is too old to install {}; {install}", self.name);
        ensure!(
            output.status.success(),
            "`python3` cannot make virtual environments: needed to install {}; \
             install its module `venv` (package python3-venv on Debian and Ubuntu)",
            self.name
        );
        Ok(output.stdout)
    }
}

/// Runs a command, whose output goes to our stderr.
fn run(command: &mut Command) -> Result<()> {
    let status = command.stdout(std::io::stderr()).status().context("failed to run `python3`")?;
    ensure!(status.success(), "failed to run {command:?}: {status}");
    Ok(())
}

//! The build of the programs that the tests run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

/// What `testtools` says that finds programs only in this directory.
fn refusal(programs: &Path, part: &str) -> Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_testtools"))
        .arg(part)
        .env("PATH", programs)
        .env("BOWLINE_CACHE", programs)
        .output()?;
    assert_eq!(output.status.code(), Some(1));
    Ok(String::from_utf8(output.stderr)?)
}

#[test]
fn a_missing_go_is_one_clear_error_that_names_it() {
    let empty = tempfile::tempdir().unwrap();
    for (part, program) in [("kubernetes", "etcd"), ("versitygw", "versitygw")] {
        assert_eq!(
            refusal(empty.path(), part).unwrap(),
            format!(
                "error: `go` not found: needed to build {program}; \
                 install Go 1.26 or later (https://go.dev/dl)\n"
            )
        );
    }
}

#[test]
fn a_missing_python_is_one_clear_error_that_names_it() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        refusal(empty.path(), "moto").unwrap(),
        "error: `python3` not found: needed to install moto; \
         install Python 3.11 or later (https://www.python.org/downloads)\n"
    );
}

#[test]
fn a_python_that_cannot_do_it_is_one_clear_error_that_names_what_is_missing() {
    for (code, error) in [
        (
            1,
            "error: `python3` cannot make virtual environments: needed to install moto; \
             install its module `venv` (package python3-venv on Debian and Ubuntu)\n",
        ),
        (
            3,
            "error: `python3` is too old to install moto; \
             install Python 3.11 or later (https://www.python.org/downloads)\n",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let python = directory.path().join("python3");
        fs::write(&python, format!("#!/bin/sh\nexit {code}\n")).unwrap();
        fs::set_permissions(&python, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(refusal(directory.path(), "moto").unwrap(), error);
    }
}

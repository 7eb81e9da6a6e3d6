//! The build of the Go programs.

use std::process::Command;

#[test]
fn a_missing_go_is_one_clear_error_that_names_it() {
    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_testtools"))
        .env("PATH", empty.path())
        .env("BOWLINE_CACHE", empty.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: `go` not found: needed to build etcd; \
         install Go 1.26 or later (https://go.dev/dl)\n"
    );
}

//! The checkout that this crate is part of.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

/// Builds the binary from this checkout and returns its path; tells on stderr how long that takes.
pub async fn build_bowline() -> Result<PathBuf> {
    let start = Instant::now();
    eprintln!("building bowline (some minutes the first time) ...");
    let output = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["build", "--bin=bowline"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("failed to run cargo")?
        .wait_with_output()
        .await
        .context("failed to run cargo")?;
    ensure!(output.status.success(), "failed to build bowline");
    eprintln!("built bowline in {:.1?}", start.elapsed());
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executable.context("cargo named no executable")
}

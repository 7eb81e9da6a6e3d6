//! Nothing is left when the harness ends, whatever ends it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bowline_testkit::{ControlPlane, wait};

#[tokio::test]
async fn all_children_end_with_a_harness_that_is_killed() {
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "harness::a_harness_to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(harness.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pids = lines.into_iter().find_map(|line| Some(line.split_once("pids:")?.1.to_owned()));
    let pids: Vec<String> = pids.unwrap().split_whitespace().map(str::to_owned).collect();
    assert_eq!(pids.len(), 5);
    assert!(pids.iter().all(|pid| runs(pid)));

    harness.kill().unwrap();
    harness.wait().unwrap();
    wait::until("its children end", Duration::from_secs(10), async || {
        Ok((!pids.iter().any(|pid| runs(pid))).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "run and killed by the test above"]
async fn a_harness_to_be_killed() {
    let cluster = ControlPlane::start("doomed").await.unwrap();
    let processes = [
        cluster.etcd(),
        cluster.api_server(),
        cluster.controller_manager(),
        cluster.scheduler(),
        cluster.kwok(),
    ];
    cluster.api_server().pause().unwrap();
    let pids = processes.map(|process| process.pid().unwrap().to_string());
    println!("pids: {}", pids.join(" "));
    std::future::pending::<()>().await;
}

/// Whether a process runs: a zombie, which init has yet to reap, does not.
fn runs(pid: &str) -> bool {
    let stat = Path::new("/proc").join(pid).join("stat");
    std::fs::read_to_string(stat).is_ok_and(|stat| !stat.contains(") Z "))
}

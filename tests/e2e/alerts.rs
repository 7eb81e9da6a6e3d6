//! The alert rules and the dashboard are ones that Prometheus and Grafana take.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bowline_testkit::tools;

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy").join(file)
}

fn checked(rules: &Path, dashboard: &Path) -> Output {
    let promrules = tools::promrules().unwrap();
    Command::new(promrules).args([rules, dashboard]).output().unwrap()
}

#[test]
fn prometheus_takes_the_alerts_and_the_queries_of_the_dashboard() {
    let output = checked(&deploy("alerts.yaml"), &deploy("grafana-dashboard.json"));
    let faults = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{faults}");
}

#[test]
fn what_prometheus_would_not_take_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("alerts.yaml");
    let text = std::fs::read_to_string(deploy("alerts.yaml")).unwrap();
    std::fs::write(&rules, text.replacen("absent(", "absent_(", 1)).unwrap();
    let output = checked(&rules, &deploy("grafana-dashboard.json"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("absent_"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

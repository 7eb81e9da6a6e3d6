//! The workbench.

use tokio::process::Command;

#[tokio::test]
async fn a_command_gets_its_clusters_and_its_exit_code_is_passed_on() {
    let script = r#"
        kubectl config current-context
        kubectl --context west get storageclass --output=name
        kubectl get storageclass --output=name
        bowline version >/dev/null || exit 1
        case $BOWLINE_LOCATION in file:///*/location) test -d "${BOWLINE_LOCATION#file://}" || exit 2;; esac
        exit 7
    "#;
    let output = Command::new(env!("CARGO_BIN_EXE_testenv"))
        .args(["--clusters", "east,west", "--", "sh", "-c", script])
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout, "east\nstorageclass.storage.k8s.io/standard\n", "{stderr}");
}

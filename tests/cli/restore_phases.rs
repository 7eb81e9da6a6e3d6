//! `bowline restore create` of a backup that did not come to its end: refused, with the reason.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::site::Site;

/// Nobody listens there, and nobody is asked.
const NOWHERE: &str = "https://127.0.0.1:1";

/// A machine whose one backup has this status.
fn site(status: &Value) -> Site {
    let site = Site::new().with_server(NOWHERE);
    let document = json!({"apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": "nightly"}, "status": status});
    site.write("backups/nightly/velero-backup.json", document.to_string());
    site
}

/// What is told of backups in these phases, one after the other.
async fn told(phases: &[&str]) -> String {
    let mut told = String::new();
    for phase in phases {
        let site = site(&json!({"phase": phase}));
        told += &site.run("restore create r --from-backup nightly").await;
        assert!(!site.path("restores").exists(), "{phase}");
    }
    told
}

#[tokio::test]
async fn one_that_was_not_begun_is_refused() {
    assert_snapshot!(told(&["New", "Queued", "ReadyToStart"]).await, @r#"
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is New and cannot be restored: it was not begun yet
    hint: wait until it is done, or choose another backup; bowline backup get lists them
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is Queued and cannot be restored: it was not begun yet
    hint: wait until it is done, or choose another backup; bowline backup get lists them
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is ReadyToStart and cannot be restored: it was not begun yet
    hint: wait until it is done, or choose another backup; bowline backup get lists them
    "#);
}

#[tokio::test]
async fn one_that_is_being_made_is_refused() {
    assert_snapshot!(told(&["InProgress"]).await, @r#"
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is InProgress and cannot be restored: it is still being made, or its maker died
    hint: wait until it is done, or choose another backup; bowline backup get lists them
    "#);
}

#[tokio::test]
async fn one_whose_data_is_still_being_moved_is_refused() {
    let phases =
        ["WaitingForPluginOperations", "WaitingForPluginOperationsPartiallyFailed", "Uploading"];
    assert_snapshot!(told(&phases).await, @r#"
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is WaitingForPluginOperations and cannot be restored: the data of its volumes is still being moved
    hint: wait until it is done, or choose another backup; bowline backup get lists them
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is WaitingForPluginOperationsPartiallyFailed and cannot be restored: the data of its volumes is still being moved
    hint: wait until it is done, or choose another backup; bowline backup get lists them
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is WaitingForPluginOperations and cannot be restored: the data of its volumes is still being moved
    hint: wait until it is done, or choose another backup; bowline backup get lists them
    "#);
}

#[tokio::test]
async fn one_that_is_being_completed_is_refused() {
    assert_snapshot!(told(&["Finalizing", "FinalizingPartiallyFailed"]).await, @r#"
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is Finalizing and cannot be restored: its archive is still to be completed
    hint: wait until it is done, or choose another backup; bowline backup get lists them
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is FinalizingPartiallyFailed and cannot be restored: its archive is still to be completed
    hint: wait until it is done, or choose another backup; bowline backup get lists them
    "#);
}

#[tokio::test]
async fn one_that_failed_or_goes_is_refused() {
    assert_snapshot!(told(&["Failed", "FailedValidation", "Deleting"]).await, @r#"
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is Failed and cannot be restored: it broke off, and whatever its archive holds is not all
    hint: choose another backup; bowline backup get lists them
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is FailedValidation and cannot be restored: what was asked for was refused, and nothing was backed up
    hint: choose another backup; bowline backup get lists them
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is Deleting and cannot be restored: its files and snapshots are being deleted
    hint: choose another backup; bowline backup get lists them
    "#);
}

#[tokio::test]
async fn the_reason_that_was_recorded_is_told() {
    let restore = "restore create r --from-backup nightly";
    let failed = json!({"phase": "Failed", "failureReason": "the bucket was full"});
    assert_snapshot!(site(&failed).run(restore).await, @r#"
    exit code: 1
    --- stderr
    reading the backup
    error: backup "nightly" is Failed and cannot be restored: the bucket was full
    hint: choose another backup; bowline backup get lists them
    "#);
    let errors = ["the namespace is not there", "the selector is not valid"];
    let refused = json!({"phase": "FailedValidation", "validationErrors": errors});
    assert_snapshot!(site(&refused).run(&format!("{restore} -o json")).await, @r#"
    exit code: 1
    --- stdout
    {
      "error": {
        "message": "backup \"nightly\" is FailedValidation and cannot be restored: what was asked for was refused, and nothing was backed up: the namespace is not there; the selector is not valid",
        "causes": [],
        "hint": "choose another backup; bowline backup get lists them",
        "exitCode": 1
      }
    }
    --- stderr
    reading the backup
    "#);
}

#[tokio::test]
async fn a_phase_that_nobody_knows_is_no_phase_that_is_good() {
    let site = site(&json!({"phase": "Succeeded"}));
    assert_snapshot!(site.run("restore create r --from-backup nightly").await, @r#"
    exit code: 6
    --- stderr
    reading the backup
    error: backup "nightly" is damaged: unknown variant `Succeeded`, expected one of `New`, `Queued`, `ReadyToStart`, `FailedValidation`, `InProgress`, `Uploading`, `WaitingForPluginOperations`, `UploadingPartialFailure`, `WaitingForPluginOperationsPartiallyFailed`, `Finalizing`, `FinalizingPartiallyFailed`, `Completed`, `PartiallyFailed`, `Failed`, `Deleting`, `Incomplete` at line 1 column 106
    hint: nothing was changed; choose another backup
    "#);
}

//! `bowline backup delete`, and `bowline restore delete`.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use serde_json::json;

use crate::site::{Site, partly_failed};

/// Writes the snapshot of a directory, as the local provider keeps it.
fn add_snapshot(site: &Site, id: &str, backup: &str, uid: &str) {
    let record = json!({
        "id": id, "volumeId": "/srv/data", "createdAt": "2026-03-01T13:38:44Z",
        "tags": {"velero.io/backup": backup, "bowline.io/backup-uid": uid},
        "contents": {"files": 0, "bytes": 0, "manifestSha256": ""},
    });
    site.write(&format!("metadata/bowline/volumes/{id}/snapshot.json"), record.to_string());
}

const UID: &str = "3c1b6f0e-0000-4000-8000-000000000001";

/// What is shown, without the providers that this build has.
fn without_providers(shown: &str) -> String {
    shown.replace("local, aws", "local")
}

/// What is shown, without the lines of a time.
fn without_times(shown: &str) -> String {
    let lines = shown.lines().filter(|line| !line.contains("Timestamp\":"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_backup_goes_with_its_snapshots() {
    let site = Site::new();
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    site.write("backups/crashed/crashed.tar.gz", "");
    let record = json!({"provider": "local"}).to_string();
    site.write("backups/crashed/bowline-provider-local.json", record);
    add_snapshot(&site, "local-a", "crashed", UID);
    add_snapshot(&site, "local-b", "other", "another");
    assert_snapshot!(site.run("backup delete crashed --confirm").await, @r"
    exit code: 0
    --- stdout
    backup crashed is deleted, and 1 snapshot
    BACKUP    PROVIDER   SNAPSHOT   STATE
    crashed   local      local-a    deleted
    --- stderr
    checking
    deleting
    ");
    assert!(!site.path("backups").exists());
    assert!(!site.path("metadata/bowline/volumes/local-a").exists());
    assert!(site.path("metadata/bowline/volumes/local-b").exists());
    assert_snapshot!(site.run("backup delete crashed --confirm").await, @r#"
    exit code: 4
    --- stderr
    error: backup "crashed" does not exist in file:///HOME/location
    hint: bowline backup get lists what there is
    "#);
}

#[tokio::test]
async fn without_consent_nothing_goes() {
    let site = Site::new();
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    site.add_restore("r1", None);
    assert_snapshot!(site.run("backup delete crashed").await, @r"
    exit code: 2
    --- stderr
    error: there is no terminal to ask for confirmation
    hint: add --confirm if you mean it
    ");
    assert_snapshot!(site.run("restore delete r1 -o json").await, @r#"
    exit code: 2
    --- stdout
    {
      "error": {
        "message": "there is no terminal to ask for confirmation",
        "causes": [],
        "hint": "add --confirm if you mean it",
        "exitCode": 2
      }
    }
    "#);
    assert!(site.path("backups/crashed/bowline-attempt.json").exists());
    assert!(site.path("restores/r1/bowline-restore.json").exists());
}

#[tokio::test]
async fn a_name_that_is_not_there_keeps_all_of_them() {
    let site = Site::new();
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    assert_snapshot!(site.run("backup delete crashed crahsed --confirm").await, @r#"
    exit code: 4
    --- stderr
    error: backup "crahsed" does not exist in file:///HOME/location
    hint: did you mean "crashed"?
    "#);
    assert_snapshot!(site.run("backup delete ../crashed --confirm -o json").await, @r#"
    exit code: 4
    --- stdout
    {
      "error": {
        "message": "backup \"../crashed\" does not exist in file:///HOME/location",
        "causes": [],
        "hint": "did you mean \"crashed\"?",
        "exitCode": 4
      }
    }
    "#);
    assert_snapshot!(site.run("restore delete crashed --confirm").await, @r#"
    exit code: 4
    --- stderr
    error: restore "crashed" does not exist in file:///HOME/location
    hint: bowline restore get lists what there is
    "#);
    assert_snapshot!(site.run("backup delete --confirm").await, @r"
    exit code: 2
    --- stderr
    error: the following required arguments were not provided: <NAME|--selector <SELECTOR>|--all>
    hint: see bowline backup delete --help
    ");
    assert!(site.path("backups/crashed/bowline-attempt.json").exists());
}

#[tokio::test]
async fn several_go_one_after_the_other_and_one_that_cannot_does_not_keep_the_rest() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    let record = json!([{"spec": {}, "status": {"providerSnapshotID": "disk-1"}}]);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(record.to_string().as_bytes()).unwrap();
    let records = "backups/shop-full/shop-full-volumesnapshots.json.gz";
    site.write(records, packed.finish().unwrap());
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    assert_snapshot!(without_providers(&site.run("backup delete shop-full --confirm").await), @r#"
    exit code: 1
    --- stderr
    checking
    error: snapshot disk-1 of backup "shop-full" is of a provider that is not at hand
    hint: nothing was touched; at hand is local; for EBS set AWS_REGION or AWS_PROFILE
    "#);
    let shown = site.run("backup delete shop-full crashed --confirm -o json").await;
    assert_snapshot!(without_providers(&without_times(&shown)), @r#"
    exit code: 3
    --- stdout
    {
      "items": [
        {
          "error": {
            "causes": [],
            "exitCode": 1,
            "hint": "nothing was touched; at hand is local; for EBS set AWS_REGION or AWS_PROFILE",
            "message": "snapshot disk-1 of backup \"shop-full\" is of a provider that is not at hand"
          },
          "name": "shop-full"
        },
        {
          "errors": [],
          "location": "file:///HOME/location",
          "name": "crashed",
          "phase": "Completed",
          "snapshots": [],
          "uid": "3c1b6f0e-0000-4000-8000-000000000001",
          "warnings": []
        }
      ]
    }
    --- stderr
    checking
    error: snapshot disk-1 of backup "shop-full" is of a provider that is not at hand
    hint: nothing was touched; at hand is local; for EBS set AWS_REGION or AWS_PROFILE
    checking
    deleting
    "#);
    assert!(site.path("backups/shop-full/velero-backup.json").exists());
    assert!(!site.path("backups/crashed").exists());
}

#[tokio::test]
async fn a_deletion_that_was_interrupted_is_finished() {
    let site = Site::new();
    let tombstone = json!({"name": "leaving", "uid": UID, "startTimestamp": "2026-03-01T02:00:00Z",
        "snapshots": [{"provider": "local", "id": "local-a"}]});
    site.write("metadata/bowline/deleting/leaving.json", tombstone.to_string());
    add_snapshot(&site, "local-a", "leaving", UID);
    assert_snapshot!(site.run("backup get").await, @r"
    exit code: 0
    --- stdout
    NAME      STATUS     ERRORS   WARNINGS   ITEMS    CREATED   EXPIRES   SELECTOR
    leaving   Deleting   <none>   <none>     <none>   <none>    <none>    <none>
    ");
    assert_snapshot!(site.run("backup describe leaving").await, @r"
    exit code: 0
    --- stdout
    Name:         leaving
    Location:     file:///HOME/location
    Phase:        Deleting
    To go on:     bowline backup delete leaving finishes it
    ");
    assert_snapshot!(site.run("backup delete leaving --confirm").await, @r"
    exit code: 0
    --- stdout
    backup leaving is deleted, and 1 snapshot
    BACKUP    PROVIDER   SNAPSHOT   STATE
    leaving   local      local-a    deleted
    --- stderr
    checking
    deleting
    ");
    assert!(!site.path("metadata/bowline/deleting").exists());
    assert!(!site.path("metadata/bowline/volumes/local-a").exists());
}

#[tokio::test]
async fn the_records_of_restores_go_wherever_they_are() {
    let site = Site::new();
    site.add_restore("r1", Some(&partly_failed("r1")));
    site.add_local_restore("r2", None);
    assert_snapshot!(site.run("restore delete r1 r2 --confirm").await, @r"
    exit code: 0
    --- stdout
    restore r1 is deleted
    restore r2 is deleted
    ");
    assert!(site.is_untouched());
    assert_snapshot!(site.run("restore get").await, @r"
    exit code: 0
    --- stderr
    there are no restores in file:///HOME/location
    ");
}

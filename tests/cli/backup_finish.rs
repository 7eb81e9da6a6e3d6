//! `bowline backup finish`: what it says where there is nothing to finish. No cluster is needed.

use insta::assert_snapshot;
use serde_json::json;

use crate::help::help;
use crate::site::Site;

#[tokio::test]
async fn it_explains_itself() {
    assert_snapshot!(help("backup finish --help").await, @r"
    Finish a backup that was interrupted while its snapshots were awaited

    Needs the storage location and the provider of the snapshots, but no cluster, so that any machine
    will do. A backup that broke off earlier has to be made anew, with create --replace-incomplete.

    Usage: bowline backup finish [OPTIONS] <NAME>

    Arguments:
      <NAME>
              The backup's name

    Options:
      -o, --output <FORMAT>
              Print data in this form

              Possible values:
              - table: For people
              - json:  One JSON document
              - yaml:  One YAML document

              [default: table]

      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      bowline backup finish nightly
      bowline backup finish nightly -o json
    ");
}

#[tokio::test]
async fn a_backup_that_does_not_exist_is_not_found() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    assert_snapshot!(site.run("backup finish shop-ful").await, @r#"
    exit code: 4
    --- stderr
    error: backup "shop-ful" does not exist in file:///HOME/location
    hint: did you mean "shop-full"?
    "#);
}

#[tokio::test]
async fn one_whose_archive_is_not_whole_has_to_be_made_anew() {
    let site = Site::new();
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    assert_snapshot!(site.run("backup finish crashed").await, @r#"
    exit code: 1
    --- stderr
    error: the archive of backup "crashed" is not whole
    hint: if it runs no longer, bowline backup create crashed --replace-incomplete clears it and starts anew
    "#);
}

#[tokio::test]
async fn one_that_another_program_finished_is_left_alone() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    assert_snapshot!(site.run("backup finish shop-full").await, @r#"
    exit code: 1
    --- stderr
    error: backup "shop-full" is finished, and another program made it
    hint: bowline backup describe shop-full shows what it is
    "#);
}

/// Writes what a backup leaves that was killed while its one snapshot was pending.
fn add_pending(site: &Site, name: &str, provider: &str) {
    site.add_attempt(name, "2026-03-01T02:00:00Z");
    let document = json!({
        "apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": name, "namespace": "velero", "uid": "3c1b6f0e-0000-4000-8000-000000000001"},
        "status": {"version": 1, "progress": {"totalItems": 7, "itemsBackedUp": 7},
                   "startTimestamp": "2026-03-01T02:00:00Z"},
    });
    let volume = json!({"report": {
        "namespace": "shop", "claim": "data", "persistentVolume": "pv-1", "provider": provider,
        "volumeId": "vol-1", "snapshotId": "local-3c1b6f0e-0000-4000-8000-000000000001-0d0d0bc92f61d66a", "state": "pending",
    }});
    let volumes = if provider.is_empty() { json!([]) } else { json!([volume]) };
    let pending = json!({
        "version": 1, "document": document, "files": {}, "volumes": volumes,
        "persistentVolumes": {}, "warnings": [], "errors": [], "log": [],
    });
    site.write(&format!("backups/{name}/bowline-pending.json"), pending.to_string());
}

#[tokio::test]
async fn snapshots_of_a_provider_that_is_not_at_hand_cannot_be_awaited() {
    let site = Site::new();
    add_pending(&site, "far", "nowhere");
    assert_snapshot!(site.run("backup finish far").await, @r#"
    exit code: 1
    --- stderr
    error: backup "far" has snapshots of "nowhere", which is not at hand here
    hint: finish it with a program that has that provider, in the region of the snapshots
    "#);
    assert!(!site.path("backups/far/bowline-report.json").exists());
}

#[tokio::test]
async fn what_cannot_be_looked_at_leaves_the_backup_to_be_finished() {
    let site = Site::new();
    add_pending(&site, "lost", "local");
    assert_snapshot!(site.run("backup finish lost --quiet").await, @r#"
    exit code: 1
    --- stderr
    error: backup "lost" broke off before it was committed; its snapshots go on
      cause: the snapshot of shop/data could not be looked at
      cause: snapshot local-3c1b6f0e-0000-4000-8000-000000000001-0d0d0bc92f61d66a does not exist
    hint: mend the cause and run bowline backup finish lost, from any machine
    "#);
    assert!(!site.path("backups/lost/bowline-report.json").exists());
}

#[tokio::test]
async fn a_finished_backup_is_reported_as_often_as_one_asks() {
    let site = Site::new();
    add_pending(&site, "nightly", "");
    assert_snapshot!(site.run("backup finish nightly").await, @r"
    exit code: 0
    --- stdout
    backup nightly is Completed: 7 objects, 0 volumes, 0 errors, 0 warnings
    --- stderr
    awaiting snapshots
    committing
    ");
    assert_snapshot!(site.run("backup finish nightly").await, @r"
    exit code: 0
    --- stdout
    backup nightly is Completed: 7 objects, 0 volumes, 0 errors, 0 warnings
    --- stderr
    backup nightly was finished already
    ");
}

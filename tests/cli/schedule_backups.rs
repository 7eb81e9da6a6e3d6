//! What is made of a schedule, and restored: `backup create` and `restore create --from-schedule`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::api_server::site_with_cluster;
use crate::schedules::{add, add_run};
use crate::site::Site;

#[tokio::test]
async fn a_backup_of_a_schedule_is_made_as_its_template_says() {
    let (site, _server) = site_with_cluster().await;
    add(&site, "nightly", |_| {});
    let words =
        "backup create --from-schedule nightly --labels by=hand --annotations why=drill -o json";
    let shown = site.run(words).await;
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    let json = shown.split_once("--- stdout\n").unwrap().1.split("--- stderr").next().unwrap();
    let report: Value = serde_json::from_str(json).unwrap();
    assert_eq!((&report["schedule"], &report["leftOut"]), (&json!("nightly"), &Value::Null));
    let name = report["name"].as_str().unwrap();
    assert!(name.starts_with("nightly-2"), "{name}");
    let path = site.path(&format!("backups/{name}/velero-backup.json"));
    let backup: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let labels = json!({"velero.io/schedule-name": "nightly", "team": "web", "by": "hand"});
    for (key, value) in labels.as_object().unwrap() {
        assert_eq!(backup["metadata"]["labels"][key], *value);
    }
    assert_eq!(backup["metadata"]["annotations"]["why"], "drill");
    assert_eq!(backup["spec"]["includedNamespaces"], json!(["shop"]));
    let backups = || std::fs::read_dir(site.path("backups")).unwrap().count();
    add(&site, "nightly", |document| document["spec"]["paused"] = json!(true));
    assert_snapshot!(site.run("backup create --from-schedule nightly --expire").await, @r"
    exit code: 0
    --- stdout
    schedule nightly made no backup: it is paused; bowline schedule trigger nightly makes one
    expired: 0 backups removed
    --- stderr
    planning
    ");
    assert_eq!(backups(), 1);
    let shown = site.run("schedule trigger nightly").await;
    assert!(shown.contains("is Completed") && backups() == 2, "{shown}");
    let shown = site.run("schedule get nightly -o json").await;
    assert!(shown.contains("\"lastSuccess\": \"2"), "{shown}");
}

#[tokio::test]
async fn a_schedule_says_all_but_labels_and_annotations() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create --from-schedule x --include-namespaces a").await, @r"
    exit code: 2
    --- stderr
    error: the argument '--from-schedule <SCHEDULE>' cannot be used with '--include-namespaces <NAMESPACES>'
    hint: see bowline backup create --help
    ");
    assert_snapshot!(site.run("backup create --from-schedule x --include-cluster-scoped-resources a").await, @r"
    exit code: 2
    --- stderr
    error: the argument '--from-schedule <SCHEDULE>' cannot be used with '--include-cluster-scoped-resources <RESOURCES>'
    hint: see bowline backup create --help
    ");
    assert_snapshot!(site.run("backup create y --from-schedule x").await, @r"
    exit code: 2
    --- stderr
    error: the argument '[NAME]' cannot be used with '--from-schedule <SCHEDULE>'
    hint: see bowline backup create --help
    ");
    assert_snapshot!(site.run("backup create --from-schedule x --ttl 1h").await, @r"
    exit code: 2
    --- stderr
    error: the argument '--from-schedule <SCHEDULE>' cannot be used with '--ttl <DURATION>'
    hint: see bowline backup create --help
    ");
    assert_snapshot!(site.run("backup create y --expire").await, @r"
    exit code: 2
    --- stderr
    error: the argument '[NAME]' cannot be used with '--expire'
    hint: see bowline backup create --help
    ");
    assert_snapshot!(site.run("backup create").await, @r"
    exit code: 2
    --- stderr
    error: the following required arguments were not provided: <NAME>
    hint: see bowline backup create --help
    ");
    assert_snapshot!(site.run("backup create --from-schedule x").await, @r#"
    exit code: 4
    --- stderr
    error: schedule "x" does not exist in file:///HOME/location
    hint: bowline schedule get lists what there is
    "#);
    assert_snapshot!(site.run("schedule trigger x").await, @r#"
    exit code: 4
    --- stderr
    error: schedule "x" does not exist in file:///HOME/location
    hint: bowline schedule get lists what there is
    "#);
}

#[tokio::test]
async fn a_restore_takes_the_newest_good_backup_of_a_schedule() {
    let (site, _server) = site_with_cluster().await;
    add_run(&site, "nightly", "nightly-1", 30, Some("Completed"));
    add_run(&site, "nightly", "nightly-2", 20, Some("Completed"));
    add_run(&site, "nightly", "nightly-3", 10, Some("PartiallyFailed"));
    let restore = "restore create r --from-schedule nightly --dry-run";
    let shown = site.run(restore).await;
    assert!(
        shown.contains("the newest good backup of schedule nightly: nightly-2 (Completed"),
        "{shown}"
    );
    let shown = site.run(&format!("{restore} --allow-partially-failed")).await;
    assert!(shown.contains("nightly: nightly-3 (PartiallyFailed"), "{shown}");
    add(&site, "nightly", |document| document["bowline"]["clusterUid"] = json!("another"));
    assert_snapshot!(site.run(restore).await, @r#"
    exit code: 4
    --- stderr
    error: there is no backup of schedule "nightly" in file:///HOME/location
    hint: bowline backup get -l velero.io/schedule-name=nightly lists those of other clusters; --from-backup restores any
    "#);
    assert_snapshot!(site.run("restore create --from-schedule nightl").await, @r#"
    exit code: 4
    --- stderr
    error: there is no backup of schedule "nightl" in file:///HOME/location
    hint: did you mean "nightly"?
    "#);
    assert_snapshot!(site.run("restore create --from-schedule a --from-backup b").await, @r"
    exit code: 2
    --- stderr
    error: the argument '--from-schedule <SCHEDULE>' cannot be used with '--from-backup <BACKUP>'
    hint: see bowline restore create --help
    ");
    assert_snapshot!(site.run("restore create --from-backup b --allow-partially-failed").await, @r"
    exit code: 2
    --- stderr
    error: the argument '--from-backup <BACKUP>' cannot be used with '--allow-partially-failed'
    hint: see bowline restore create --help
    ");
    add_run(&site, "flaky", "flaky-1", 1, Some("PartiallyFailed"));
    assert_snapshot!(site.run("restore create --from-schedule flaky").await, @r#"
    exit code: 1
    --- stderr
    error: none of the 1 backups of schedule "flaky" is good (1 PartiallyFailed)
    hint: --allow-partially-failed takes those in which something failed
    "#);
}

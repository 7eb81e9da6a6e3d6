//! `bowline restore get`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::site::{Site, from_now, partly_failed};

/// The result of a restore that ended 3 days ago.
fn recent(name: &str) -> Value {
    let mut result = partly_failed(name);
    result["completionTimestamp"] = json!(from_now(-3 * 24));
    result
}

#[tokio::test]
async fn a_location_without_restores_is_named() {
    let site = Site::new();
    assert_snapshot!(site.run("restore get").await, @r"
    exit code: 0
    --- stderr
    there are no restores in file:///HOME/location
    ");
    assert_snapshot!(site.run("restore get -o yaml").await, @r"
    exit code: 0
    --- stdout
    items: []
    ");
}

#[tokio::test]
async fn restores_are_listed_by_name_and_those_that_this_machine_recorded_among_them() {
    let site = Site::new();
    site.add_restore("b-done", Some(&recent("b-done")));
    site.add_restore("c-interrupted", None);
    site.add_local_restore("a-local", Some(&recent("a-local")));
    assert_snapshot!(site.run("restore get").await, @r"
    exit code: 0
    --- stdout
    NAME            BACKUP    STATUS            ERRORS   WARNINGS   STARTED   COMPLETED   SELECTOR   RECORDS
    a-local         nightly   PartiallyFailed   1        0          3d4h      3d          <none>     local
    b-done          nightly   PartiallyFailed   1        0          3d4h      3d          <none>     location
    c-interrupted   nightly   Incomplete        <none>   <none>     3d4h      <none>      <none>     location
    ");
    assert_snapshot!(site.run("restores list c-interrupted").await, @r"
    exit code: 0
    --- stdout
    NAME            BACKUP    STATUS       ERRORS   WARNINGS   STARTED   COMPLETED   SELECTOR   RECORDS
    c-interrupted   nightly   Incomplete   <none>   <none>     3d4h      <none>      <none>     location
    ");
}

#[tokio::test]
async fn for_programs_each_says_who_keeps_its_records() {
    let site = Site::new();
    site.add_local_restore("lost", None);
    let output = site.bowline.run(&["restore", "get", "lost", "-o", "json"]).await.unwrap();
    let one = output.json();
    assert_eq!((&one["name"], &one["local"]), (&"lost".into(), &true.into()));
    assert_eq!(one["record"]["spec"]["backupName"], "nightly");
    assert_eq!(one["result"], Value::Null);
    let output = site.bowline.run(&["restore", "get", "-o", "json"]).await.unwrap();
    assert_eq!(output.json()["items"][0], one);
}

#[tokio::test]
async fn records_of_this_machine_belong_to_their_location() {
    let site = Site::new();
    site.add_local_restore("lost", None);
    let elsewhere = format!("--storage-location=file://{}/other", site.bowline.home().display());
    std::fs::create_dir(site.bowline.home().join("other")).unwrap();
    assert!(site.run("restore get").await.contains("\nlost "));
    let other = site.run(&format!("restore get {elsewhere}")).await;
    assert!(!other.contains("lost"), "{other}");
    let refused = site.run(&format!("restore delete lost --confirm {elsewhere}")).await;
    assert!(refused.starts_with("exit code: 4"), "{refused}");
    assert!(site.run("restore get").await.contains("\nlost "));
}

#[tokio::test]
async fn records_of_this_machine_that_are_damaged_do_not_hide_the_locations() {
    let site = Site::new();
    site.add_restore("done", Some(&partly_failed("done")));
    site.add_local_restore("lost", None);
    let damaged = site.local_records().join("restores/lost/bowline-restore.json");
    std::fs::write(damaged, "{").unwrap();
    let shown = site.run("restore get").await;
    assert!(shown.contains("\ndone   nightly   PartiallyFailed"), "{shown}");
    assert!(shown.contains("\nlost   <none>    Damaged"), "{shown}");
    assert!(shown.contains("cannot be read"), "{shown}");
}

#[tokio::test]
async fn a_record_that_is_damaged_is_named() {
    let site = Site::new();
    site.write("restores/odd/bowline-restore.json", "{");
    assert_snapshot!(site.run("restore get").await, @r#"
    exit code: 6
    --- stdout
    NAME   BACKUP   STATUS    ERRORS   WARNINGS   STARTED   COMPLETED   SELECTOR   RECORDS
    odd    <none>   Damaged   <none>   <none>     <none>    <none>      <none>     location
    --- stderr
    error: "restores/odd/bowline-restore.json" cannot be read: EOF while parsing an object at line 1 column 1
    hint: the file was damaged, or another program wrote it
    "#);
    site.add_restore("done", None);
    std::fs::rename(site.path("restores/done"), site.path("restores/odd-too")).unwrap();
    assert_snapshot!(site.run("restore describe odd-too").await, @r#"
    exit code: 6
    --- stdout
    Name:         odd-too
    Records:      location

    Damaged:
      "restores/odd-too/bowline-restore.json" cannot be read: it names itself "done"
    "#);
}

#[tokio::test]
async fn a_name_that_is_not_there_is_answered_with_the_nearest() {
    let site = Site::new();
    site.add_restore("nightly-1", None);
    site.add_local_restore("weekly-1", None);
    assert_snapshot!(site.run("restore get nightly1").await, @r#"
    exit code: 4
    --- stderr
    error: restore "nightly1" does not exist in file:///HOME/location
    hint: did you mean "nightly-1"?
    "#);
    assert_snapshot!(site.run("restore get weekly-2 -o json").await, @r#"
    exit code: 4
    --- stdout
    {
      "error": {
        "message": "restore \"weekly-2\" does not exist in file:///HOME/location",
        "causes": [],
        "hint": "did you mean \"weekly-1\"?",
        "exitCode": 4
      }
    }
    "#);
}

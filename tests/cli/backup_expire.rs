//! `bowline backup expire`, `hold` and `release`.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::site::Site;

const WEST: &str = "7a0f6a52-0000-4000-8000-000000000002";

/// A location with a schedule that keeps its last backup, four backups of it and one of no schedule.
fn site() -> Site {
    let site = Site::new();
    let schedule = json!({
        "apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": "nightly", "namespace": "velero", "uid": "s1"},
        "spec": {"template": {}, "schedule": "0 2 * * *", "paused": false},
        "bowline": {"clusterUid": WEST, "since": "2026-03-01T00:00:00Z", "keep": {"last": 1}},
    });
    site.write("metadata/bowline/schedules/nightly.json", schedule.to_string());
    for day in 1..4 {
        add_backup(&site, &format!("nightly-2026030{day}020000-0a1b2c"), Some("nightly"), day);
    }
    add_backup(&site, "adhoc", None, 5);
    site
}

fn add_backup(site: &Site, name: &str, schedule: Option<&str>, day: u32) {
    let mut document = json!({
        "apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": name, "namespace": "velero", "uid": format!("uid-of-{name}"),
            "annotations": {"bowline.io/version": "0.1.0", "bowline.io/cluster-uid": WEST}},
        "spec": {},
        "status": {"phase": "Completed", "startTimestamp": format!("2026-03-0{day}T02:00:00Z")},
    });
    if let Some(schedule) = schedule {
        document["metadata"]["labels"] = json!({"velero.io/schedule-name": schedule});
    }
    let attempt = json!({
        "name": name, "uid": format!("uid-of-{name}"), "clusterUID": WEST, "version": "0.1.0",
        "startTimestamp": format!("2026-03-0{day}T02:00:00Z"),
    });
    site.write(&format!("backups/{name}/bowline-attempt.json"), attempt.to_string());
    site.write(&format!("backups/{name}/velero-backup.json"), document.to_string());
}

/// What a command shows, without the time since when a backup is held.
async fn run_held(site: &Site, name: &str, words: &[&str]) -> String {
    let shown = site.run_words(words).await;
    let hold = fs::read(site.path(&format!("metadata/bowline/holds/{name}.json"))).unwrap();
    let hold: Value = serde_json::from_slice(&hold).unwrap();
    shown.replace(hold["since"].as_str().unwrap(), "NOW")
}

#[tokio::test]
async fn what_would_go_is_shown_with_its_reasons_and_then_goes() {
    let site = site();
    assert_snapshot!(site.run("backup expire --dry-run").await, @r"
    exit code: 0
    --- stdout
    NAME                            SCHEDULE   STATUS      STARTED                VERDICT   REASON
    nightly-20260303020000-0a1b2c   nightly    Completed   2026-03-03T02:00:00Z   keep      last
    nightly-20260302020000-0a1b2c   nightly    Completed   2026-03-02T02:00:00Z   remove    no rule keeps it
    nightly-20260301020000-0a1b2c   nightly    Completed   2026-03-01T02:00:00Z   remove    no rule keeps it
    adhoc                           <none>     Completed   2026-03-05T02:00:00Z   keep      nothing says when it goes

    2 backups would go, 2 stay
    --- stderr
    planning
    ");
    assert!(site.path("backups/nightly-20260301020000-0a1b2c").exists());
    assert_snapshot!(site.run("backup expire").await, @r"
    exit code: 0
    --- stdout
    NAME                            SCHEDULE   STATUS      STARTED                VERDICT   REASON
    nightly-20260303020000-0a1b2c   nightly    Completed   2026-03-03T02:00:00Z   keep      last
    nightly-20260302020000-0a1b2c   nightly    Completed   2026-03-02T02:00:00Z   removed   no rule keeps it
    nightly-20260301020000-0a1b2c   nightly    Completed   2026-03-01T02:00:00Z   removed   no rule keeps it
    adhoc                           <none>     Completed   2026-03-05T02:00:00Z   keep      nothing says when it goes

    2 backups went, 2 stay
    --- stderr
    planning
    checking
    deleting
    checking
    deleting
    ");
    assert!(!site.path("backups/nightly-20260301020000-0a1b2c").exists());
    assert_snapshot!(site.run("backup expire -o json").await, @r#"
    exit code: 0
    --- stdout
    {
      "location": "file:///HOME/location",
      "dryRun": false,
      "phase": "Completed",
      "backups": [
        {
          "name": "nightly-20260303020000-0a1b2c",
          "uid": "uid-of-nightly-20260303020000-0a1b2c",
          "schedule": "nightly",
          "clusterUID": "7a0f6a52-0000-4000-8000-000000000002",
          "phase": "Completed",
          "startTimestamp": "2026-03-03T02:00:00Z",
          "verdict": "keep",
          "reasons": [
            "last"
          ],
          "snapshots": []
        },
        {
          "name": "adhoc",
          "uid": "uid-of-adhoc",
          "schedule": null,
          "clusterUID": "7a0f6a52-0000-4000-8000-000000000002",
          "phase": "Completed",
          "startTimestamp": "2026-03-05T02:00:00Z",
          "verdict": "keep",
          "reasons": [
            "nothing says when it goes"
          ],
          "snapshots": []
        }
      ],
      "runs": 0,
      "warnings": [],
      "errors": []
    }
    --- stderr
    planning
    "#);
    assert_snapshot!(site.run("backup expire --schedule nihgtly").await, @r#"
    exit code: 4
    --- stderr
    planning
    error: schedule "nihgtly" does not exist in file:///HOME/location, and no backup is of one
    hint: did you mean "nightly"?
    "#);
}

#[tokio::test]
async fn what_is_held_is_shown_so_and_stays_until_it_is_released() {
    let site = site();
    let name = "nightly-20260301020000-0a1b2c";
    let words = ["backup", "hold", name, "--reason", "the audit"];
    assert_snapshot!(run_held(&site, name, &words).await, @r"
    exit code: 0
    --- stdout
    backup nightly-20260301020000-0a1b2c is held since NOW
    ");
    assert_snapshot!(run_held(&site, name, &["backup", "hold", name, "-o", "json"]).await, @r#"
    exit code: 0
    --- stdout
    {
      "backup": "nightly-20260301020000-0a1b2c",
      "uid": "uid-of-nightly-20260301020000-0a1b2c",
      "since": "NOW",
      "reason": "the audit"
    }
    --- stderr
    backup nightly-20260301020000-0a1b2c was held already: its mark is left as it is
    "#);
    let listed = site.run(&format!("backup get {name}")).await;
    assert!(listed.contains(" held "), "{listed}");
    assert_snapshot!(run_held(&site, name, &["backup", "describe", name]).await, @r"
    exit code: 0
    --- stdout
    Name:         nightly-20260301020000-0a1b2c
    Location:     file:///HOME/location
    Phase:        Completed
    Labels:       velero.io/schedule-name=nightly
    Started:      2026-03-01T02:00:00Z
    Snapshots:    0 of 0 completed
    Held since:   NOW (the audit)

    Filters:
      Namespaces:  *
      Resources:   *
    ");
    let delete = ["backup", "delete", name, "--confirm"];
    assert_snapshot!(run_held(&site, name, &delete).await, @r#"
    exit code: 1
    --- stderr
    checking
    error: backup "nightly-20260301020000-0a1b2c" is held since NOW: the audit
    hint: bowline backup release nightly-20260301020000-0a1b2c lets it go
    "#);
    let expire = ["backup", "expire", "--schedule", "nightly"];
    assert_snapshot!(run_held(&site, name, &expire).await, @r"
    exit code: 0
    --- stdout
    NAME                            SCHEDULE   STATUS      STARTED                VERDICT   REASON
    nightly-20260303020000-0a1b2c   nightly    Completed   2026-03-03T02:00:00Z   keep      last
    nightly-20260302020000-0a1b2c   nightly    Completed   2026-03-02T02:00:00Z   removed   no rule keeps it
    nightly-20260301020000-0a1b2c   nightly    Completed   2026-03-01T02:00:00Z   held      held since NOW: the audit, no rule keeps it

    1 backup went, 2 stay
    --- stderr
    planning
    checking
    deleting
    ");
    assert_snapshot!(site.run(&format!("backup release {name}")).await, @r"
    exit code: 0
    --- stdout
    backup nightly-20260301020000-0a1b2c is released
    ");
    assert_snapshot!(site.run(&format!("backup release {name}")).await, @r"
    exit code: 0
    --- stdout
    backup nightly-20260301020000-0a1b2c was not held
    ");
    assert_snapshot!(site.run("backup expire --schedule nightly").await, @r"
    exit code: 0
    --- stdout
    NAME                            SCHEDULE   STATUS      STARTED                VERDICT   REASON
    nightly-20260303020000-0a1b2c   nightly    Completed   2026-03-03T02:00:00Z   keep      last
    nightly-20260301020000-0a1b2c   nightly    Completed   2026-03-01T02:00:00Z   removed   no rule keeps it

    1 backup went, 1 stay
    --- stderr
    planning
    checking
    deleting
    ");
    assert_snapshot!(site.run(&format!("backup release {name}")).await, @r#"
    exit code: 4
    --- stderr
    error: backup "nightly-20260301020000-0a1b2c" does not exist in file:///HOME/location
    hint: did you mean "nightly-20260303020000-0a1b2c"?
    "#);
    assert_snapshot!(site.run(&format!("backup hold {name}")).await, @r#"
    exit code: 4
    --- stderr
    error: backup "nightly-20260301020000-0a1b2c" does not exist in file:///HOME/location
    hint: did you mean "nightly-20260303020000-0a1b2c"?
    "#);
}

#[tokio::test]
async fn a_hold_that_velero_does_not_know_of_says_so() {
    let site = site();
    let path = site.path("backups/adhoc/velero-backup.json");
    let mut document: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    document["status"]["expiration"] = json!("2026-03-09T00:00:00Z");
    site.write("backups/adhoc/velero-backup.json", document.to_string());
    assert_snapshot!(run_held(&site, "adhoc", &["backup", "hold", "adhoc"]).await, @r"
    exit code: 0
    --- stdout
    backup adhoc is held since NOW
    --- stderr
    a Velero on the same bucket deletes it on 2026-03-09T00:00:00Z: it knows no holds
    ");
    assert_snapshot!(site.run("backup hold ../adhoc").await, @r#"
    exit code: 4
    --- stderr
    error: backup "../adhoc" does not exist in file:///HOME/location
    hint: bowline backup get lists what there is
    "#);
}

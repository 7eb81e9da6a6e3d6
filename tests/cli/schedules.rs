//! `bowline schedule`: what is kept of a schedule, and what is told of it.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::api_server::site_with_cluster;
use crate::site::{Site, from_now};

/// The cluster of the server.
const HERE: &str = "7a0f6a52-0000-4000-8000-000000000002";

/// What is shown, with the times of this run in words.
fn lasting(shown: &str) -> String {
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    let uid =
        regex::Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f-]{16}").unwrap();
    let span = regex::Regex::new(r"in \d+[smhd0-9]*;").unwrap();
    let shown = shown.replace(HERE, "HERE");
    let shown = time.replace_all(&shown, "TIME");
    let shown = uid.replace_all(&shown, "UID");
    span.replace_all(&shown, "in SPAN;").into_owned()
}

fn document(site: &Site, name: &str) -> Value {
    let path = site.path(&format!("metadata/bowline/schedules/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Writes a schedule of this cluster, due every hour, that is in force for two days.
pub(crate) fn add(site: &Site, name: &str, change: impl FnOnce(&mut Value)) {
    let mut document = json!({
        "apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": name, "namespace": "velero", "uid": "u", "labels": {"team": "web"}},
        "spec": {"template": {"metadata": {}, "hooks": {}, "includedNamespaces": ["shop"]},
                 "schedule": "@every 1h", "paused": false},
        "bowline": {"clusterUid": HERE, "since": from_now(-48), "concurrencyPolicy": "Forbid"},
    });
    change(&mut document);
    site.write(&format!("metadata/bowline/schedules/{name}.json"), document.to_string());
}

/// Writes a run that began so many hours ago, and its backup of this phase, if there is one.
pub(crate) fn add_run(site: &Site, schedule: &str, backup: &str, hours: i64, phase: Option<&str>) {
    let record = json!({
        "schedule": schedule, "scheduleUid": "u", "clusterUid": HERE, "backup": backup, "uid": backup,
        "due": null, "startTimestamp": from_now(-hours), "holder": "host/7", "version": "0.1.0",
    });
    let directory = format!("metadata/bowline/attempts/{schedule}/{backup}");
    site.write(&format!("{directory}/run.json"), record.to_string());
    let Some(phase) = phase else { return };
    let document = json!({
        "apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {
            "name": backup, "namespace": "velero", "uid": backup,
            "labels": {"velero.io/schedule-name": schedule},
            "annotations": {"bowline.io/cluster-uid": HERE},
        },
        "spec": {}, "status": {"phase": phase, "startTimestamp": from_now(-hours),
                               "completionTimestamp": from_now(-hours)},
    });
    site.write(&format!("backups/{backup}/velero-backup.json"), document.to_string());
}

#[tokio::test]
async fn a_schedule_is_made_listed_paused_and_deleted() {
    let (site, _server) = site_with_cluster().await;
    let words = [
        "schedule",
        "create",
        "nightly",
        "--schedule",
        "0 2 * * *",
        "--timezone",
        "Europe/Berlin",
        "--include-namespaces",
        "shop",
        "--keep-daily",
        "7",
        "--keep-within",
        "3m",
        "--labels",
        "team=web",
        "--spread",
        "10m",
    ];
    assert_snapshot!(lasting(&site.run_words(&words).await), @r"
    exit code: 0
    --- stdout
    schedule nightly is made: its first backup is due TIME, in SPAN; its backups are kept daily=7,within=3m
    --- stderr
    it is run by a crontab (bowline backup create --from-schedule nightly --expire), bowline schedule run, or a CronJob (bowline schedule deploy nightly)
    ");
    let document = document(&site, "nightly");
    assert_eq!(document["bowline"]["clusterUid"], HERE);
    assert_eq!(document["bowline"]["timezone"], "Europe/Berlin");
    assert_eq!(document["spec"]["template"]["includedNamespaces"], json!(["shop"]));
    assert!(!site.path("backups").exists());
    assert_snapshot!(site.run_words(&words).await, @r#"
    exit code: 1
    --- stderr
    error: schedule "nightly" exists already in file:///HOME/location
    hint: choose another name, or make it anew: bowline schedule delete nightly leaves its backups
    "#);
    assert_snapshot!(site.run("schedule pause nightly").await, @r"
    exit code: 0
    --- stdout
    schedule nightly is paused
    ");
    assert_snapshot!(site.run("pause schedule nightly").await, @r"
    exit code: 0
    --- stdout
    schedule nightly is paused (it was so already)
    ");
    let shown = site.run("get schedules -L team").await;
    let words: Vec<_> = shown.split_whitespace().rev().collect();
    for (place, word) in [(0, "web"), (1, "true"), (3, "<none>"), (5, "daily=7,within=3m")] {
        assert_eq!(words[place], word, "{shown}");
    }
    let shown = site.run("schedule unpause -l team=db").await;
    assert!(shown.contains("there are no schedules with team=db in "), "{shown}");
    let shown = site.run("schedule unpause -l team=web -o json").await;
    assert!(shown.contains("\"changed\": true"), "{shown}");
    assert_snapshot!(site.run("schedule delete nightly").await, @r"
    exit code: 2
    --- stderr
    error: there is no terminal to ask for confirmation
    hint: add --confirm if you mean it
    ");
    assert_snapshot!(site.run("delete schedules nightly --confirm").await, @r"
    exit code: 0
    --- stdout
    schedule nightly is deleted; its backups stay until bowline backup delete -l velero.io/schedule-name=nightly
    --- stderr
    if a cluster runs nightly (schedule deploy), its jobs fail from now on; to remove them there: kubectl delete cronjobs,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings -A -l app.kubernetes.io/managed-by=bowline,bowline.io/schedule=nightly
    ");
    assert_snapshot!(site.run("schedule pause nightly").await, @r#"
    exit code: 4
    --- stderr
    error: schedule "nightly" does not exist in file:///HOME/location
    hint: bowline schedule get lists what there is
    "#);
    assert_snapshot!(site.run("schedule get").await, @r"
    exit code: 0
    --- stderr
    there are no schedules in file:///HOME/location
    ");
}

#[tokio::test]
async fn a_dry_run_shows_the_document_and_writes_nothing() {
    let (site, _server) = site_with_cluster().await;
    site.write(
        "../policies.yaml",
        "version: v1\nvolumePolicies:\n- conditions: {storageClass: [x]}\n  action: {type: skip}\n",
    );
    let policies = site.path("../policies.yaml").display().to_string();
    let words = [
        "schedule",
        "create",
        "shop",
        "--schedule",
        "CRON_TZ=Asia/Tokyo @daily",
        "--dry-run",
        "-o",
        "yaml",
        "--ttl",
        "72h",
        "--selector",
        "app=web",
        "--resource-policies-file",
        &policies,
        "--concurrency-policy",
        "replace",
        "--starting-deadline",
        "10m",
        "--api-versions",
        "all",
        "--use-owner-references-in-backup=false",
        "--skip-immediately",
        "--annotations",
        "a=b",
    ];
    assert_snapshot!(lasting(&site.run_words(&words).await), @r#"
    exit code: 0
    --- stdout
    apiVersion: velero.io/v1
    kind: Schedule
    metadata:
      name: shop
      namespace: velero
      uid: UID
      creationTimestamp: "TIME"
      annotations:
        a: b
    spec:
      template:
        metadata: {}
        labelSelector:
          matchLabels:
            app: web
        ttl: 72h0m0s
        hooks: {}
      schedule: CRON_TZ=Asia/Tokyo @daily
      paused: false
    bowline:
      clusterUid: HERE
      since: "TIME"
      concurrencyPolicy: Replace
      startingDeadline: 10m0s
      allApiVersions: true
      volumePolicies:
        file:
          name: /HOME/location/../policies.yaml
          text: "version: v1\nvolumePolicies:\n- conditions: {storageClass: [x]}\n  action: {type: skip}\n"
    "#);
    assert!(!site.path("metadata").exists());
}

#[tokio::test]
async fn what_can_be_no_schedule_is_refused_before_the_cluster_is_asked() {
    let site = Site::new();
    for (flags, fault) in [
        (["--schedule", "0 2 * *"].as_slice(), "it has 4 fields instead of 5"),
        (&["--schedule", "0 2 30 2 *"], "is never due"),
        (&["--schedule", "@daily", "--timezone", "Mars/Base"], "--timezone is not valid"),
        (&["--schedule", "TZ=UTC @daily", "--timezone", "UTC"], "cannot be used together"),
        (&["--schedule", "@daily", "--ttl", "1h", "--keep-last", "1"], "cannot be used together"),
        (&["--schedule", "@hourly", "--spread", "1h"], "not shorter than the time between"),
        (&["--schedule", "@daily", "--selector", "a b"], "is not valid"),
        (&["--schedule", "@daily", "--resource-policies-file", "none"], "failed to read"),
        (&["--schedule", "@daily", "--hooks", "none"], "failed to read"),
        (
            &[
                "--schedule",
                "@daily",
                "--include-resources",
                "pods",
                "--include-cluster-scoped-resources",
                "nodes",
            ],
            "cannot be used with",
        ),
        (&["--schedule", "@daily", "--skip-immediately=false"], "only true"),
        (&[], "required arguments were not provided: --schedule"),
    ] {
        let shown = site.run_words(&[&["schedule", "create", "x"], flags].concat()).await;
        assert!(shown.starts_with("exit code: 2\n"), "{flags:?}: {shown}");
        assert!(shown.contains(fault) && shown.contains("hint: "), "{flags:?}: {shown}");
    }
    let long = "x".repeat(64);
    let shown = site.run(&format!("schedule create {long} --schedule @daily")).await;
    assert!(shown.contains("is too long for the name of a schedule"), "{shown}");
    assert!(site.is_untouched());
}

#[tokio::test]
async fn a_schedule_is_described_with_its_terms_and_its_runs() {
    let site = Site::new();
    add(&site, "nightly", |document| {
        document["spec"]["schedule"] = json!("30 2 * * *");
        document["bowline"]["timezone"] = json!("America/New_York");
        document["bowline"]["since"] = json!("2026-03-01T00:00:00Z");
        document["bowline"]["keep"] = json!({"daily": 7});
    });
    add_run(&site, "nightly", "nightly-20260302073000-aaaaaa", 30, Some("Completed"));
    add_run(&site, "nightly", "nightly-20260303073000-bbbbbb", 0, None);
    let shown = site.run("schedule describe nightly").await;
    let (terms, rest) = shown.split_once("\nNext runs:").unwrap();
    assert_snapshot!(lasting(terms), @r"
    exit code: 0
    --- stdout
    Name:         nightly
    Location:     file:///HOME/location
    Status:       Enabled
    Labels:       team=web
    Cluster:      HERE
    Run by:       a crontab (bowline backup create --from-schedule nightly --expire), bowline schedule run, or a CronJob (bowline schedule deploy nightly)

    Terms:
      Schedule:        30 2 * * *
      Time zone:       America/New_York
      In force since:  TIME
      Concurrency:     Forbid
      Kept:            daily=7
      Last success:    TIME

    Filters:
      Namespaces:  shop
      Resources:   *
    ");
    assert!(rest.contains("02:30:00 E"), "{rest}");
    let (_, runs) = rest.split_once("\nLast runs:").unwrap();
    assert_snapshot!(lasting(runs), @r"
    BACKUP                          PHASE        DUE      BEGUN                  ENDED                  MISSED   NOTES
    nightly-20260303073000-bbbbbb   Incomplete   <none>   TIME   <none>                 0        begun by host/7
    nightly-20260302073000-aaaaaa   Completed    <none>   TIME   TIME   0        begun by host/7
    ");
    let shown = site.run("describe schedules nightly -o json").await;
    let json = shown.split_once("--- stdout\n").unwrap().1;
    let described: Value = serde_json::from_str(json.split("--- stderr").next().unwrap()).unwrap();
    assert_eq!(described["metadata"]["name"], "nightly");
    assert_eq!(described["upcoming"].as_array().unwrap().len(), 5);
    assert_eq!(described["runs"][0]["phase"], "Incomplete");
    assert_eq!(described["status"]["phase"], "Enabled");
}

#[tokio::test]
async fn a_check_names_those_that_lack_a_good_backup() {
    let site = Site::new();
    add(&site, "fine", |_| {});
    add_run(&site, "fine", "fine-20260301000000-aaaaaa", 1, Some("Completed"));
    assert_snapshot!(site.run("schedule check").await, @r"
    exit code: 0
    --- stderr
    no backup is missing: 1 schedule
    ");
    assert_snapshot!(site.run("schedule check --quiet").await, @"exit code: 0");
    add(&site, "paused", |document| document["spec"]["paused"] = json!(true));
    assert_snapshot!(site.run("schedule check").await, @r"
    exit code: 0
    --- stderr
    no backup is missing: 2 schedules, 1 of them paused
    ");
    add(&site, "late", |_| {});
    add_run(&site, "late", "late-20260301000000-aaaaaa", 3, Some("Completed"));
    add_run(&site, "late", "late-20260301010000-bbbbbb", 2, Some("PartiallyFailed"));
    add(&site, "never", |document| document["bowline"]["since"] = json!("2026-03-01T00:00:00Z"));
    assert_snapshot!(site.run("schedule check").await, @r"
    exit code: 1
    --- stdout
    schedule late: the last good backup, late-20260301000000-aaaaaa, is 3h30m old; the last run, begun 150m ago, is PartiallyFailed
    schedule never: it has no good backup, and is in force since 2026-03-01T00:00:00Z; no run was ever begun
    ");
    assert_snapshot!(site.run("schedule check late --grace 3h").await, @r"
    exit code: 0
    --- stderr
    no backup is missing: 1 schedule
    ");
    assert_snapshot!(site.run("schedule check late --allow-partially-failed --grace 2h").await, @r"
    exit code: 0
    --- stderr
    no backup is missing: 1 schedule
    ");
    assert_snapshot!(site.run("schedule check lat").await, @r#"
    exit code: 4
    --- stderr
    error: schedule "lat" does not exist in file:///HOME/location
    hint: did you mean "late"?
    "#);
    let shown = site.run("schedule check late -o json").await;
    assert!(
        shown.starts_with("exit code: 1\n") && shown.contains("\"state\": \"overdue\""),
        "{shown}"
    );
    assert_snapshot!(Site::new().run("schedule check").await, @r"
    exit code: 4
    --- stderr
    error: there are no schedules to check in file:///HOME/location
    hint: check --storage-location; bowline schedule get lists what there is
    ");
}

#[tokio::test]
async fn a_schedule_that_asks_for_more_than_this_version_does_is_not_run_and_nothing_of_it_goes() {
    let (site, _server) = site_with_cluster().await;
    add(&site, "nightly", |document| {
        document["spec"]["template"]["snapshotMoveData"] = json!(true);
        document["bowline"]["keep"] = json!({"last": 1, "quarterly": 4});
    });
    add_run(&site, "nightly", "nightly-20260301000000-aaaaaa", 3, Some("Completed"));
    add_run(&site, "nightly", "nightly-20260301010000-bbbbbb", 2, Some("Completed"));
    let fault = r#"
    exit code: 1
    --- stderr
    error: schedule "nightly" cannot be used: spec.template.snapshotMoveData, bowline.keep.quarterly
      cause: this version of bowline does not do what that asks for
    hint: run it with the version of bowline that wrote it, or make it anew with bowline schedule create
    "#;
    let lines = |text: &str| text.lines().map(|it| it.trim().to_owned()).collect::<Vec<_>>();
    let told = lines(fault.trim());
    for words in [
        "backup create --from-schedule nightly --dry-run --quiet",
        "backup create --from-schedule nightly --expire --quiet",
        "schedule trigger nightly --quiet",
        "schedule deploy nightly --location-claim backups --quiet",
    ] {
        assert_eq!(lines(site.run(words).await.trim()), told, "{words}");
    }
    assert_snapshot!(site.run("schedule check").await, @r"
    exit code: 1
    --- stdout
    schedule nightly: spec.template.snapshotMoveData, bowline.keep.quarterly: this version of bowline does not do what that asks for
    ");
    let shown = site.run("schedule describe nightly").await;
    assert!(shown.contains("Status:       FailedValidation"), "{shown}");
    assert!(shown.contains("bowline.keep.quarterly"), "{shown}");
    let shown = site.run("backup expire").await;
    assert!(shown.contains("none of its backups goes until it can be read"), "{shown}");
    let backups = || std::fs::read_dir(site.path("backups")).unwrap().count();
    assert_eq!(backups(), 2);
    // What is changed of it keeps what is not known.
    site.run("schedule pause nightly").await;
    assert_eq!(document(&site, "nightly")["bowline"]["keep"], json!({"last": 1, "quarterly": 4}));
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_hides_no_other() {
    let site = Site::new();
    add(&site, "fine", |_| {});
    add_run(&site, "fine", "fine-20260301000000-aaaaaa", 1, Some("Completed"));
    let velero = json!({"apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": "broken"}, "spec": {"schedule": "@daily", "template": {}}});
    site.write("metadata/bowline/schedules/broken.json", velero.to_string());
    add(&site, "torn", |_| {});
    let run = "metadata/bowline/attempts/torn/torn-20260301000000-aaaaaa/run.json";
    site.write(run, "{");
    assert_snapshot!(site.run("schedule check").await, @r#"
    exit code: 1
    --- stdout
    schedule broken: "metadata/bowline/schedules/broken.json" cannot be read: missing field `bowline` at line 1 column 119
    schedule torn: "metadata/bowline/attempts/torn/torn-20260301000000-aaaaaa/run.json" cannot be read: EOF while parsing an object at line 1 column 1
    "#);
    for words in ["schedule get -o json", "schedule describe -o json"] {
        let shown = site.run(words).await;
        assert!(shown.starts_with("exit code: 3\n"), "{words}: {shown}");
        let (_, shown) = shown.split_once("--- stdout\n").unwrap();
        let (json, told) = shown.split_once("--- stderr\n").unwrap();
        let list: Value = serde_json::from_str(json).unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{words}: {json}");
        assert_eq!(list["items"][0]["metadata"]["name"], "fine", "{words}: {json}");
        for (place, name, file) in [(0, "broken", "broken.json"), (1, "torn", "run.json")] {
            let message = list["errors"][place]["error"]["message"].as_str().unwrap();
            assert_eq!(list["errors"][place]["name"], name, "{words}: {json}");
            assert!(message.contains(&format!("{file}\" cannot be read")), "{words}: {json}");
            assert!(told.contains(message), "{words}: {told}");
        }
    }
    for words in ["schedule get broken", "schedule get torn"] {
        let shown = site.run(words).await;
        assert!(shown.starts_with("exit code: 6\n"), "{words}: {shown}");
    }
}

#[tokio::test]
async fn rules_that_are_none_keep_for_ever_and_it_says_so() {
    let (site, _server) = site_with_cluster().await;
    let shown = site.run("schedule create x --schedule @daily --keep-daily 0").await;
    assert!(shown.contains("its backups are kept for ever"), "{shown}");
}

#[tokio::test]
async fn a_schedule_of_another_cluster_is_run_once_it_is_adopted() {
    let (site, _server) = site_with_cluster().await;
    add(&site, "nightly", |document| document["bowline"]["clusterUid"] = json!("lost"));
    let shown = site.run("backup create --from-schedule nightly").await;
    assert!(shown.starts_with("exit code: 1\n"), "{shown}");
    assert!(shown.contains("belongs to the cluster lost"), "{shown}");
    assert!(shown.contains("bowline schedule adopt nightly"), "{shown}");
    assert!(!site.path("backups").exists());
    assert_snapshot!(lasting(&site.run("schedule adopt nightly").await), @r"
    exit code: 2
    --- stderr
    error: there is no terminal to ask for confirmation
    hint: add --confirm if you mean it
    ");
    assert_snapshot!(lasting(&site.run("schedule adopt nightly --confirm").await), @r"
    exit code: 0
    --- stdout
    schedule nightly is this cluster's now (HERE; it was lost's)
    the next backup is due TIME
    ");
    assert_eq!(document(&site, "nightly")["bowline"]["clusterUid"], HERE);
    let shown = site.run("schedule adopt nightly").await;
    assert!(shown.contains("is this cluster's already"), "{shown}");
}

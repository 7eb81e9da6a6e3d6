//! Which backups and restores are meant: names, labels, or all of them.

use insta::assert_snapshot;
use serde_json::json;

use crate::site::{Site, from_now, partly_failed};

/// Three nightly backups of a team and one of another, and what is no backup yet.
fn site() -> Site {
    let site = Site::new();
    for (name, team) in [
        ("nightly-20260301020000", "web"),
        ("nightly-20260302020000", "web"),
        ("nightly-20260303020000", "db"),
        ("manual", "web"),
    ] {
        add_backup(&site, name, team);
    }
    site.add_attempt("unfinished", &from_now(-76));
    site
}

fn add_backup(site: &Site, name: &str, team: &str) {
    let document = json!({
        "apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": name, "namespace": "velero", "uid": name,
            "labels": {"example.com/team": team, "empty": ""}},
        "spec": {"labelSelector": {"matchLabels": {"app": "shop"}}},
        "status": {"phase": "Completed", "version": 1, "formatVersion": "1.1.0"},
    });
    site.write(&format!("backups/{name}/velero-backup.json"), document.to_string());
}

#[tokio::test]
async fn the_newest_of_a_series_comes_first_and_labels_have_their_columns() {
    let site = site();
    assert_snapshot!(site.run("backup get -L example.com/team,other").await, @r"
    exit code: 0
    --- stdout
    NAME                     STATUS       ERRORS   WARNINGS   ITEMS    CREATED   EXPIRES   SELECTOR   TEAM     OTHER
    manual                   Completed    0        0          <none>   <none>    <none>    app=shop   web      <none>
    nightly-20260303020000   Completed    0        0          <none>   <none>    <none>    app=shop   db       <none>
    nightly-20260302020000   Completed    0        0          <none>   <none>    <none>    app=shop   web      <none>
    nightly-20260301020000   Completed    0        0          <none>   <none>    <none>    app=shop   web      <none>
    unfinished               Incomplete   <none>   <none>     <none>   3d4h      <none>    <none>     <none>   <none>
    ");
    assert_snapshot!(site.run("backup get manual --show-labels").await, @r"
    exit code: 0
    --- stdout
    NAME     STATUS      ERRORS   WARNINGS   ITEMS    CREATED   EXPIRES   SELECTOR   LABELS
    manual   Completed   0        0          <none>   <none>    <none>    app=shop   empty=,example.com/team=web
    ");
}

#[tokio::test]
async fn labels_choose_what_is_looked_at() {
    let site = site();
    assert_snapshot!(site.run_words(&["backup", "get", "-l", "example.com/team in (db,dba)"]).await, @r"
    exit code: 0
    --- stdout
    NAME                     STATUS      ERRORS   WARNINGS   ITEMS    CREATED   EXPIRES   SELECTOR
    nightly-20260303020000   Completed   0        0          <none>   <none>    <none>    app=shop
    ");
    assert_snapshot!(site.run("backup get -l !empty").await, @r"
    exit code: 0
    --- stderr
    there are no backups with !empty in file:///HOME/location
    ");
    assert_snapshot!(site.run("backup describe -l example.com/team=db").await, @r"
    exit code: 0
    --- stdout
    Name:         nightly-20260303020000
    Location:     file:///HOME/location
    Phase:        Completed
    Labels:       empty=,example.com/team=db
    Snapshots:    0 of 0 completed
    Format:       1.1.0

    Filters:
      Namespaces:  *
      Resources:   *
      Selector:    app=shop
    ");
    assert_snapshot!(site.run("backup describe -l example.com/team=none -o json").await, @r#"
    exit code: 0
    --- stdout
    {
      "items": []
    }
    "#);
    assert_snapshot!(site.run("backup get manual -l a=b").await, @r"
    exit code: 2
    --- stderr
    error: the argument '[NAME]...' cannot be used with '--selector <SELECTOR>'
    hint: see bowline backup get --help
    ");
    assert_snapshot!(site.run_words(&["backup", "get", "-l", "a b"]).await, @r#"
    exit code: 2
    --- stderr
    error: --selector <SELECTOR> is not valid
      cause: "a b" is not a label selector: at position 3, expected one of = == != in notin < >, found "b"
    hint: write for example app=web, tier!=cache, env in (prod,test), env notin (dev), owner, !owner, joined by commas
    "#);
}

#[tokio::test]
async fn without_names_all_are_described() {
    let site = site();
    let shown = site.run("backup describe").await;
    assert_eq!(shown.matches("\nName: ").count() + shown.matches("stdout\nName: ").count(), 6);
    let output = site.bowline.run(&["backup", "describe", "-o", "json"]).await.unwrap();
    let items = output.json()["items"].as_array().unwrap().clone();
    let names = items.iter().map(|it| it["backup"]["metadata"]["name"].as_str().unwrap());
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            "manual",
            "nightly-20260303020000",
            "nightly-20260302020000",
            "nightly-20260301020000",
            "unfinished",
        ]
    );
}

#[tokio::test]
async fn what_is_deleted_is_said_in_exactly_one_way() {
    let site = site();
    assert_snapshot!(site.run("backup delete").await, @r"
    exit code: 2
    --- stderr
    error: the following required arguments were not provided: <NAME|--selector <SELECTOR>|--all>
    hint: see bowline backup delete --help
    ");
    assert_snapshot!(site.run("backup delete manual --all").await, @r"
    exit code: 2
    --- stderr
    error: the argument '[NAME]...' cannot be used with '--all'
    hint: see bowline backup delete --help
    ");
    assert_snapshot!(site.run("restore delete -l a=b --all").await, @r"
    exit code: 2
    --- stderr
    error: the argument '--selector <SELECTOR>' cannot be used with '--all'
    hint: see bowline restore delete --help
    ");
    assert_snapshot!(site.run("backup delete --all").await, @r"
    exit code: 2
    --- stderr
    error: there is no terminal to ask for confirmation
    hint: add --confirm if you mean it
    ");
    assert!(site.path("backups/manual").exists());
}

#[tokio::test]
async fn labels_choose_what_is_deleted_and_what_is_unfinished_has_none() {
    let site = site();
    let shown = site.run("backup delete -l example.com/team!=db --confirm -o json").await;
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    for (name, stays) in [
        ("nightly-20260301020000", false),
        ("nightly-20260302020000", false),
        ("nightly-20260303020000", true),
        ("manual", false),
        ("unfinished", true),
    ] {
        assert_eq!(site.path(&format!("backups/{name}")).exists(), stays, "{name}");
    }
    assert_snapshot!(site.run("backup delete -l example.com/team=web --confirm").await, @r"
    exit code: 0
    --- stderr
    there are no backups with example.com/team=web in file:///HOME/location
    ");
    assert_snapshot!(site.run("backup delete -l example.com/team=web -o json").await, @r#"
    exit code: 0
    --- stdout
    {
      "items": []
    }
    "#);
    let shown = site.run("backup delete --all --confirm").await;
    assert!(shown.contains("backup unfinished is deleted"), "{shown}");
    assert!(!site.path("backups").exists());
}

#[tokio::test]
async fn restores_are_chosen_by_their_labels_too() {
    let site = Site::new();
    for (name, team) in [("a", "web"), ("b", "db")] {
        site.add_restore(name, Some(&partly_failed(name)));
        let below = format!("restores/{name}/bowline-restore.json");
        let text = std::fs::read_to_string(site.path(&below)).unwrap();
        let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
        record["labels"] = json!({"team": team});
        site.write(&below, record.to_string());
    }
    site.add_local_restore("c", None);
    let shown = site.run("restore get -l team -L team").await;
    let lines: Vec<_> = shown.lines().filter(|it| it.contains("PartiallyFailed")).collect();
    assert!(lines[0].ends_with("location   web") && lines[1].ends_with("location   db"), "{shown}");
    assert_eq!(lines.len(), 2);
    assert_snapshot!(site.run("restore delete -l team=db --confirm").await, @r"
    exit code: 0
    --- stdout
    restore b is deleted
    ");
    assert_snapshot!(site.run("restore delete --all --confirm").await, @r"
    exit code: 0
    --- stdout
    restore a is deleted
    restore c is deleted
    ");
    assert_snapshot!(site.run("restore delete --all").await, @r"
    exit code: 0
    --- stderr
    there are no restores in file:///HOME/location
    ");
}

#[tokio::test]
async fn annotations_of_our_own_are_not_to_be_given() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create x --annotations bowline.io/archive-size=1").await, @r#"
    exit code: 2
    --- stderr
    error: --annotations <KEY=VALUE> is not valid
      cause: "bowline.io/archive-size" is bowline's own
    hint: see bowline backup create --help
    "#);
    assert_snapshot!(site.run("restore create --from-backup x --labels a").await, @r#"
    exit code: 2
    --- stderr
    error: --labels <KEY=VALUE> is not valid
      cause: "a" is not of the form KEY=VALUE
    hint: see bowline restore create --help
    "#);
}

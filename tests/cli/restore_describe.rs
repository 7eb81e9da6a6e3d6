//! `bowline restore describe`.

use insta::assert_snapshot;
use serde_json::json;

use crate::site::{Site, gz, partly_failed};

#[tokio::test]
async fn a_restore_is_described_with_its_errors_and_its_volumes() {
    let site = Site::new();
    site.add_restore("copy", Some(&partly_failed("copy")));
    assert_snapshot!(without_start(&site.run("restore describe copy").await), @r"
    exit code: 0
    --- stdout
    Name:         copy
    Backup:       nightly
    Phase:        PartiallyFailed
    Completed:    2026-03-01T02:05:00Z
    UID:          51c2b244-0000-4000-8000-000000000003
    Cluster UID:  7a0f6a52-0000-4000-8000-000000000002
    Written by:   bowline 0.1.0
    To go on:     bowline restore resume copy

    Filters:
      Namespaces:  *
      Resources:   *

    Settings:
      Namespace mappings:   shop=shop-copy
      Allow empty volumes:  false

    Errors:
      Namespace shop-copy:
        persistentvolumeclaims data-1: create: snapshot local-2 does not exist; hint: the claim stays Pending

    Outcome:
    restore copy of backup nightly is PartiallyFailed: 29 created, 0 updated, 1 unchanged, 9 skipped, 1 failed, 1 error, 0 warnings
    NAMESPACE   CLAIM    VOLUME       SNAPSHOT   STATE
    shop-copy   data-0   /volumes/1   local-1    bound
    shop-copy   data-1   <none>       local-2    failed
    ");
}

#[tokio::test]
async fn an_interrupted_one_says_how_it_goes_on() {
    let site = Site::new();
    site.add_local_restore("copy", None);
    assert_snapshot!(without_start(&site.run("restore describe copy").await), @r"
    exit code: 0
    --- stdout
    Name:         copy
    Backup:       nightly
    Phase:        Incomplete
    UID:          51c2b244-0000-4000-8000-000000000003
    Cluster UID:  7a0f6a52-0000-4000-8000-000000000002
    Written by:   bowline 0.1.0
    Records:      on this machine, since the location took none
    To go on:     bowline restore resume copy

    Filters:
      Namespaces:  *
      Resources:   *

    Settings:
      Namespace mappings:   shop=shop-copy
      Allow empty volumes:  false
    ");
}

#[tokio::test]
async fn one_that_is_taken_up_again_is_incomplete_and_shows_what_it_awaited_and_logged() {
    let site = Site::new();
    let mut result = partly_failed("copy");
    let workload = json!({"resource": "deployments.apps", "namespace": "shop-copy", "name": "web",
        "reason": "not ready within 600 s: 0 of 1 pods are ready"});
    result["awaited"] = json!([workload]);
    result["kinds"] = json!({"deployments.apps": {"planned": 2, "created": 1, "updated": 0,
        "unchanged": 1, "skipped": 0, "failed": 0}});
    site.add_restore("copy", Some(&result));
    site.write("restores/copy/bowline-run-2.json", "{}");
    let pieces = "metadata/bowline/logs/restores/copy/51c2b244-0000-4000-8000-000000000003";
    site.write(&format!("{pieces}/00000001.gz"), gz("level=info msg=one\n"));
    assert_snapshot!(without_start(&site.run("restore describe copy").await), @r"
    exit code: 0
    --- stdout
    Name:         copy
    Backup:       nightly
    Phase:        Incomplete
    UID:          51c2b244-0000-4000-8000-000000000003
    Cluster UID:  7a0f6a52-0000-4000-8000-000000000002
    Written by:   bowline 0.1.0
    Runs:         2
    To go on:     bowline restore resume copy

    Filters:
      Namespaces:  *
      Resources:   *

    Settings:
      Namespace mappings:   shop=shop-copy
      Allow empty volumes:  false

    Errors:
      Namespace shop-copy:
        persistentvolumeclaims data-1: create: snapshot local-2 does not exist; hint: the claim stays Pending

    Still awaited:
    AWAITED            NAMESPACE   NAME   REASON
    deployments.apps   shop-copy   web    not ready within 600 s: 0 of 1 pods are ready

    Outcome:
    restore copy of backup nightly is PartiallyFailed: 29 created, 0 updated, 1 unchanged, 9 skipped, 1 failed, 1 error, 0 warnings
    NAMESPACE   CLAIM    VOLUME       SNAPSHOT   STATE
    shop-copy   data-0   /volumes/1   local-1    bound
    shop-copy   data-1   <none>       local-2    failed

    Outcome by kind:
    RESOURCE           CREATED   UPDATED   UNCHANGED   SKIPPED   FAILED
    deployments.apps   1         0         1           0         0

    Last logged:
      level=info msg=one
    ");
}

#[tokio::test]
async fn the_locations_own_record_comes_before_this_machines() {
    let site = Site::new();
    site.add_restore("copy", Some(&partly_failed("copy")));
    site.add_local_restore("copy", None);
    let output = site.bowline.run(&["restore", "describe", "copy", "-o=json"]).await.unwrap();
    let described = output.json();
    assert_eq!(described["local"], false);
    assert_eq!(described["result"]["phase"], "PartiallyFailed");
}

#[tokio::test]
async fn a_name_that_is_not_there_is_answered_with_the_nearest() {
    let site = Site::new();
    site.add_local_restore("nightly-1", None);
    assert_snapshot!(site.run("restore describe nightly1").await, @r#"
    exit code: 4
    --- stderr
    error: restore "nightly1" does not exist in file:///HOME/location
    hint: did you mean "nightly-1"?
    "#);
    assert_snapshot!(site.run("restore describe ../x -o yaml").await, @r#"
    exit code: 4
    --- stdout
    error:
      message: restore "../x" does not exist in file:///HOME/location
      causes: []
      hint: bowline restore get lists what there is
      exitCode: 4
    "#);
}

fn without_start(shown: &str) -> String {
    let lines = shown.lines().filter(|line| !line.starts_with("Started:"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_may_have_left_workloads_scaled_down_is_described_so_and_deleted_by_force_only() {
    let site = Site::new();
    site.add_restore("copy", None);
    let record = "restores/copy/bowline-restore.json";
    let written = std::fs::read_to_string(site.path(record)).unwrap();
    let quiet = written.replace("\"spec\":{", "\"spec\":{\"quiesce\":[\"ops/operator\"],");
    assert_ne!(written, quiet);
    site.write(record, quiet);
    let described = site.run("restore describe copy").await;
    assert!(described.contains("ops/operator, until it goes on"), "{described}");
    site.add_restore("other", None);
    assert_snapshot!(site.run("restore delete copy --confirm").await, @r#"
    exit code: 1
    --- stderr
    error: restore "copy" may have left ops/operator scaled down
    hint: bowline restore resume copy ends it, and gives back the pods; --force deletes its record all the same
    "#);
    let both = site.run("restore delete copy other --confirm").await;
    assert!(both.starts_with("exit code: 3"), "{both}");
    assert!(both.contains("restore other is deleted"), "{both}");
    let deleted = site.run("restore delete copy --confirm --force").await;
    assert!(deleted.starts_with("exit code: 0"), "{deleted}");
    let told = "ops/operator may be scaled down still: kubectl --namespace=ops get \
                deployments,statefulsets operator -o yaml";
    assert!(deleted.contains(told), "{deleted}");
}

#[tokio::test]
async fn what_has_not_got_its_pods_back_or_cannot_be_read_is_deleted_by_force_only() {
    let site = Site::new();
    let mut result = partly_failed("ended");
    result["errors"] = json!([{"scope": "namespace", "resource": "deployments.apps", "namespace": "ops",
        "name": "operator", "operation": "quiesce", "status": 409,
        "message": "not scaled up to 2 pods", "hint": null}]);
    site.add_restore("ended", Some(&result));
    let described = site.run("restore describe ended").await;
    assert!(described.contains("ops/operator, until it goes on"), "{described}");
    site.add_restore("damaged", None);
    site.write("restores/damaged/bowline-restore.json", "{");
    for (name, why) in [
        ("ended", "restore \"ended\" may have left ops/operator scaled down"),
        ("damaged", "whether restore \"damaged\" left workloads scaled down is not known"),
    ] {
        let refused = site.run(&format!("restore delete {name} --confirm")).await;
        assert!(refused.contains(why), "{refused}");
        assert!(site.path(&format!("restores/{name}")).exists());
    }
    let deleted = site.run("restore delete ended damaged --confirm --force").await;
    assert!(deleted.starts_with("exit code: 0"), "{deleted}");
}

//! What a restore could not do is done by the next run of it.
//!
//! Velero cannot: a restore that is `PartiallyFailed`, or whose server went away, is over; what is
//! missing takes a new restore that skips all that exists
//! (<https://github.com/vmware-tanzu/velero/issues/487>, <https://github.com/vmware-tanzu/velero/issues/1444>).

use serde_json::{Value, json};

use super::site::{Site, apply, kubectl, report, run, wait_for};

fn settings(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop"}, "data": {"a": "b"}})
}

#[tokio::test]
async fn what_was_refused_is_made_by_resuming_once_the_cause_is_gone() {
    let site = Site::start().await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    apply(&site.east, &[namespace.clone(), settings("one"), settings("two")]).await;
    site.back_up(&["b", "--include-namespaces=shop"]).await;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": "shop"}, "spec": {"hard": {"count/configmaps": "0"}}});
    apply(&site.west, &[namespace, quota]).await;
    wait_for(&site.west, &["resourcequota", "none", "-n=shop"], |quota| {
        quota.pointer("/status/used/count~1configmaps").is_some()
    })
    .await;

    let first = report(&site.try_restore(&["r", "--from-backup=b"]).await, 3);
    let errors: Vec<_> = first["errors"].as_array().unwrap().iter().collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors.iter().all(|error| error["status"] == 403), "{errors:?}");
    assert_eq!((&first["run"], &first["kinds"]["configmaps"]["failed"]), (&json!(1), &json!(2)));
    let described = run(&site.bowline, &site.west, "restore describe r", &[]).await.stdout;
    assert!(described.contains("To go on:     bowline restore resume r"), "{described}");
    assert!(described.contains("\n  Namespace shop:\n    configmaps "), "{described}");
    assert!(described.contains("\n    configmaps one: create: "), "{described}");

    kubectl(&site.west, &["delete", "resourcequota", "none", "--namespace=shop"]).await;
    let second = run(&site.bowline, &site.west, "restore resume r -o=json", &[]).await;
    let second = report(&second, 0);
    assert_eq!((&second["run"], &second["uid"]), (&json!(2), &first["uid"]));
    assert_eq!(second["items"]["created"], 2, "{second}");
    let done = run(&site.bowline, &site.west, "restore resume r", &[]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stderr.contains("nothing is left to do"), "{}", done.stderr);
    let same = run(&site.bowline, &site.west, "restore create r --from-backup=b", &[]).await;
    assert_eq!((same.code, &same.stdout), (Some(0), &done.stdout), "{}", same.stderr);
    assert!(same.stderr.contains("nothing is left to do"), "{}", same.stderr);
    let other = ["--include-namespaces=shop"];
    let other = run(&site.bowline, &site.west, "restore create r --from-backup=b", &other).await;
    assert_eq!(other.code, Some(1), "{}", other.stderr);
}

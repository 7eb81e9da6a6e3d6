//! Who owns an object, who manages its fields, and what had run already.

use std::time::Duration;

use bowline_testkit::{ControlPlane, wait};
use serde_json::{Value, json};

use super::site::{Site, apply, get, kubectl, report, run, wait_for};

fn object(api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = rest;
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    object["metadata"]["name"] = json!(name);
    object["metadata"]["namespace"] = json!("shop");
    object
}

fn pod() -> Value {
    json!({"spec": {"restartPolicy": "Never", "nodeSelector": {"example.com/none": "has"},
        "containers": [{"name": "main", "image": "registry.example.com/tool:1"}]}})
}

/// A job: a suspended one has no pods, and a status can be written; the pods of others wait.
fn job(name: &str, suspend: bool) -> Value {
    let spec = json!({"suspend": suspend, "backoffLimit": 2, "template": pod()});
    object("batch/v1", "Job", name, json!({ "spec": spec }))
}

/// How the job controller leaves a job that ended.
fn ended(announced: &str, kind: &str, rest: Value) -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-03-01T00:01:00Z"});
    let mut status = rest;
    status["startTime"] = json!("2026-03-01T00:00:00Z");
    status["conditions"] = json!([condition(announced), condition(kind)]);
    json!({ "status": status })
}

async fn patch(cluster: &ControlPlane, what: &[&str], patch: &Value) {
    let patch = patch.to_string();
    kubectl(cluster, &[&["patch", "--type=merge", "-p", &patch], what].concat()).await;
}

async fn uid(cluster: &ControlPlane, kind: &str, name: &str) -> Value {
    get(cluster, &[kind, name, "-n", "shop"]).await["metadata"]["uid"].clone()
}

/// Applies from the server's side, as a delivery tool does; conflicts are errors.
async fn apply_as(cluster: &ControlPlane, manager: &str, object: &Value) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), object.to_string()).unwrap();
    let (manager, path) = (format!("--field-manager={manager}"), file.path().to_str().unwrap());
    kubectl(cluster, &["apply", "--server-side", &manager, "--filename", path]).await;
}

fn settings(data: &Value) -> Value {
    object("v1", "ConfigMap", "settings", json!({ "data": data }))
}

/// The application: a parent with a child that is applied from the server's side, jobs in every state,
/// a cron job that fires each minute, an account with a token, and a claim whose owner is no more.
async fn deploy(east: &ControlPlane) {
    kubectl(east, &["create", "namespace", "shop"]).await;
    let cron = json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": pod()}}});
    let token = json!({"type": "kubernetes.io/service-account-token",
        "metadata": {"annotations": {"kubernetes.io/service-account.name": "robot"}}});
    let claim = json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap",
            "name": "gone", "uid": "4a93070b-8dc9-43d7-9057-3d85fe8f266b"}]},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "resources": {"requests": {"storage": "1Gi"}}}});
    apply(
        east,
        &[
            object("v1", "ServiceAccount", "robot", json!({})),
            object("v1", "ConfigMap", "parent", json!({})),
            job("done", true),
            job("failed", true),
            job("running", false),
            object("batch/v1", "CronJob", "each-minute", json!({ "spec": cron })),
            object("v1", "Secret", "robot-token", token),
        ],
    )
    .await;
    apply_as(east, "gitops", &settings(&json!({"a": "1", "b": "2"}))).await;
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "parent",
        "uid": uid(east, "configmap", "parent").await, "blockOwnerDeletion": true}]);
    let metadata = json!({"metadata": {"ownerReferences": owner}});
    patch(east, &["configmap", "settings", "-n", "shop"], &metadata).await;
    let suspended = |job: &Value| job["status"]["conditions"][0]["type"] == "Suspended";
    for (name, status) in [
        (
            "done",
            ended(
                "SuccessCriteriaMet",
                "Complete",
                json!({"succeeded": 1, "ready": 0,
            "completionTime": "2026-03-01T00:01:00Z", "uncountedTerminatedPods": {}}),
            ),
        ),
        (
            "failed",
            ended(
                "FailureTarget",
                "Failed",
                json!({"failed": 3, "ready": 0,
            "uncountedTerminatedPods": {}}),
            ),
        ),
    ] {
        wait_for(east, &["job", name, "-n", "shop"], suspended).await;
        patch(east, &["--subresource=status", "job", name, "-n", "shop"], &status).await;
    }
    wait_for(east, &["secret", "robot-token", "-n", "shop"], |it| it["data"]["token"].is_string())
        .await;
    // The garbage collector of the source has not come round to it yet.
    east.controller_manager().pause().unwrap();
    apply(east, &[object("v1", "PersistentVolumeClaim", "orphaned", claim)]).await;
}

/// What the plan says of an object: its verdict, and how it is changed.
async fn planned(site: &Site, resource: &str, name: &str) -> Value {
    let command = "restore create look --from-backup=all --restore-finished-jobs --dry-run -o=json";
    let plan = report(&run(&site.bowline, &site.west, command, &[]).await, 0);
    let is_it = |it: &&Value| it["resource"] == resource && it["name"] == name;
    plan["items"].as_array().unwrap().iter().find(is_it).unwrap().clone()
}

/// See <https://github.com/vmware-tanzu/velero/issues/7862> (owners),
/// <https://github.com/vmware-tanzu/velero/issues/8800> and
/// <https://github.com/vmware-tanzu/velero/issues/8801> (jobs).
#[tokio::test]
async fn owners_managers_jobs_and_tokens_are_what_they_were() {
    let site = Site::start().await;
    deploy(&site.east).await;
    let before = get(&site.east, &["secret", "robot-token", "-n", "shop"]).await;
    site.back_up(&["all", "--include-namespaces=shop"]).await;

    let claim = planned(&site, "persistentvolumeclaims", "orphaned").await;
    let told = claim["transformations"].as_array().unwrap();
    let expected = json!("owner ConfigMap gone dropped: it is not a part of this restore");
    assert!(told.contains(&expected), "{claim}");
    let finished = planned(&site, "jobs.batch", "done").await;
    let told = json!("restored as finished: suspended, it never runs again");
    assert!(finished["transformations"].as_array().unwrap().contains(&told), "{finished}");

    site.restore(&["rescue", "--from-backup=all", "--restore-finished-jobs"]).await;
    let west = &site.west;
    jobs_are_as_they_were(west).await;
    a_token_is_of_its_own_account(west, "shop", &before).await;
    the_manager_takes_back_what_it_no_longer_mentions(west).await;
    a_child_goes_with_its_parent(west).await;
    claims_without_owners_stay(west).await;

    let clone = ["clone", "--from-backup=all", "--namespace-mappings=shop:copy"];
    site.restore(&clone).await;
    let settings =
        get(west, &["configmap", "settings", "-n", "copy", "--show-managed-fields"]).await;
    assert_eq!(managers(&settings), ["gitops Apply"]);
    let parent = get(west, &["configmap", "parent", "-n", "copy"]).await;
    let owner = &settings["metadata"]["ownerReferences"][0];
    assert_eq!(owner["uid"], parent["metadata"]["uid"]);
    let done = west.kubectl(&["get", "job", "done", "-n", "copy"]).await.unwrap();
    assert_ne!(done.code, Some(0), "finished jobs come back only where they are asked for");
    let in_shop = get(west, &["secret", "robot-token", "-n", "shop"]).await;
    a_token_is_of_its_own_account(west, "copy", &in_shop).await;
    no_old_run_was_fired(west).await;
}

/// Those who manage an object's own fields.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let entries = entries.filter(|it| it["operation"] == "Apply");
    let words = |it: &Value| {
        format!("{} {}", it["manager"].as_str().unwrap(), it["operation"].as_str().unwrap())
    };
    entries.map(words).collect()
}

/// The garbage collector takes what names a dead owner within seconds; nothing names one here.
async fn claims_without_owners_stay(west: &ControlPlane) {
    let claim = get(west, &["persistentvolumeclaim", "orphaned", "-n", "shop"]).await;
    let metadata = &claim["metadata"];
    assert_eq!(
        (&metadata["ownerReferences"], &metadata["deletionTimestamp"]),
        (&json!(null), &json!(null))
    );
}

async fn jobs_are_as_they_were(west: &ControlPlane) {
    for (name, condition) in [("done", "Complete"), ("failed", "Failed")] {
        let job = get(west, &["job", name, "-n", "shop"]).await;
        let conditions = job["status"]["conditions"].as_array().unwrap();
        assert!(
            conditions.iter().any(|it| it["type"] == condition && it["status"] == "True"),
            "{job}"
        );
        assert_eq!(job["status"]["startTime"], "2026-03-01T00:00:00Z");
    }
    wait_for(west, &["job", "running", "-n", "shop"], |job| job["spec"]["suspend"] == false).await;
    let runs = wait::until("the running job runs again", Duration::from_mins(1), async || {
        let pods = get(west, &["pods", "-n", "shop", "-l", "job-name=running"]).await;
        Ok((!pods["items"].as_array().unwrap().is_empty()).then_some(()))
    });
    runs.await.unwrap();
    for name in ["done", "failed"] {
        let selector = format!("job-name={name}");
        let pods = get(west, &["pods", "-n", "shop", "-l", &selector]).await;
        assert_eq!(pods["items"], json!([]), "{name} ran again");
    }
}

async fn a_token_is_of_its_own_account(west: &ControlPlane, namespace: &str, before: &Value) {
    let account = get(west, &["serviceaccount", "robot", "-n", namespace]).await;
    let account = &account["metadata"]["uid"];
    let secret = wait_for(west, &["secret", "robot-token", "-n", namespace], |it| {
        it["data"]["token"].is_string()
    })
    .await;
    assert_eq!(secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"], *account);
    assert_ne!(secret["data"]["token"], before["data"]["token"]);
}

/// An apply that no longer mentions a field removes it, and meets no conflict.
async fn the_manager_takes_back_what_it_no_longer_mentions(west: &ControlPlane) {
    let live = get(west, &["configmap", "settings", "-n", "shop", "--show-managed-fields"]).await;
    assert_eq!(managers(&live), ["gitops Apply"]);
    apply_as(west, "gitops", &settings(&json!({"a": "3"}))).await;
    let live = get(west, &["configmap", "settings", "-n", "shop"]).await;
    assert_eq!(live["data"], json!({"a": "3"}));
    assert!(live["metadata"]["labels"]["velero.io/restore-name"].is_string(), "{live}");
}

/// Every run of the cron job was due after it was there again: by its first run the controller has
/// looked for those that it missed.
async fn no_old_run_was_fired(west: &ControlPlane) {
    let cron = get(west, &["cronjob", "each-minute", "-n", "shop"]).await;
    assert_eq!(cron["spec"]["suspend"], json!(false));
    let made = cron["metadata"]["creationTimestamp"].as_str().unwrap().to_owned();
    let due = wait::until("the cron job fires", Duration::from_mins(2), async || {
        let jobs = get(west, &["jobs", "-n", "shop"]).await;
        let jobs = jobs["items"].as_array().unwrap().iter();
        let due = jobs.filter_map(|job| {
            let scheduled = "batch.kubernetes.io/cronjob-scheduled-timestamp";
            job["metadata"]["annotations"][scheduled].as_str().map(str::to_owned)
        });
        let due: Vec<String> = due.collect();
        Ok((!due.is_empty()).then_some(due))
    })
    .await
    .unwrap();
    assert!(due.iter().all(|due| *due > made), "due {due:?}, made {made}");
}

async fn a_child_goes_with_its_parent(west: &ControlPlane) {
    let child = get(west, &["configmap", "settings", "-n", "shop"]).await;
    let parent = uid(west, "configmap", "parent").await;
    assert_eq!(child["metadata"]["ownerReferences"][0]["uid"], parent);
    kubectl(west, &["delete", "configmap", "parent", "-n", "shop"]).await;
    wait::until("the child is collected", Duration::from_mins(1), async || {
        let found = west.kubectl(&["get", "configmap", "settings", "-n", "shop"]).await?;
        Ok((found.code != Some(0)).then_some(()))
    })
    .await
    .unwrap();
}

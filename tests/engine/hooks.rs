//! Hooks around a backup and after a restore, in a cluster that refuses every command: what their
//! failure means. That commands run is shown on real clusters.

use bowline::engine::report::{BackupReport, Phase};
use bowline::engine::{backup, restore};
use serde_json::{Map, Value, json};

use crate::application::{backup, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

fn annotate(world: &World, pod: &str, annotations: &Value) {
    world.cluster.edit(&format!("pods/shop/{pod}"), |pod| {
        pod["metadata"]["annotations"] = annotations.clone();
    });
}

fn state(report: &BackupReport, claim: &str) -> String {
    let of_claim = |volume: &&_| claim_of(volume) == Some(claim);
    report.volumes.iter().find(of_claim).unwrap().state.clone()
}

fn claim_of(volume: &bowline::engine::report::SnapshotReport) -> Option<&str> {
    volume.claim.as_deref()
}

fn hooks(resource: &Value) -> Map<String, Value> {
    json!({"resources": [resource]}).as_object().cloned().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_failed_pre_hook_keeps_the_snapshot_back_and_the_post_hook_is_tried() {
    let world = source();
    let hooks = json!({"pre.hook.backup.velero.io/command": "freeze",
        "post.hook.backup.velero.io/command": "release"});
    annotate(&world, "db-0", &hooks);
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!((report.hooks.attempted, report.hooks.failed), (2, 2));
    assert_eq!(
        (state(&report, "data-db-0"), state(&report, "files")),
        ("failed".into(), "completed".into())
    );
    let failed: Vec<_> = report.errors.iter().filter_map(|it| it.name.as_deref()).collect();
    assert_eq!(failed, ["db-0", "data-db-0", "db-0"]);
    assert!(report.errors[1].message.contains("onError is Fail"), "{:?}", report.errors);
    let document = world.backups().backup("nightly").await.unwrap();
    let written = format!("{document:?}");
    assert!(written.contains("hooksAttempted") && written.contains("hooksFailed"), "{written}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_pre_hook_that_continues_is_an_error_beside_the_snapshot() {
    let world = source();
    let hooks = json!({"pre.hook.backup.velero.io/command": "freeze",
        "pre.hook.backup.velero.io/on-error": "Continue"});
    annotate(&world, "db-0", &hooks);
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!(state(&report, "data-db-0"), "completed");
    assert_eq!(report.errors.len(), 1);
    assert_eq!(report.errors[0].operation.as_deref(), Some("run pre hook"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_run_in_a_pod_that_does_not_run() {
    let world = source();
    annotate(&world, "db-0", &json!({"pre.hook.backup.velero.io/command": "freeze"}));
    world.cluster.edit("pods/shop/db-0", |pod| pod["status"]["phase"] = json!("Succeeded"));
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!((report.phase, report.hooks.attempted), (Phase::Completed, 0));
    assert_eq!(state(&report, "data-db-0"), "completed");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_is_for_no_pod_and_one_that_is_not_allowed_change_nothing() {
    let world = source();
    let mut request = backup();
    let run = json!([{"exec": {"command": ["x"]}}]);
    request.spec.hooks = hooks(&json!({"name": "x", "includedNamespaces": ["other"], "pre": run}));
    let error = world.back_up(&request).await.unwrap_err();
    assert!(matches!(error, backup::Error::Hooks(_)), "{error:?}");
    request.spec.hooks = hooks(&json!({"name": "x", "pre": run}));
    world.cluster.deny("create pods/exec");
    let error = world.back_up(&request).await.unwrap_err();
    let backup::Error::NotAllowed { missing } = error else { panic!("{error:?}") };
    assert_eq!(missing[0].action, "create pods/exec in shop");
    assert!(world.backups().backup("nightly").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_for_a_pods_own_hook_is_an_error_of_that_hook_alone() {
    let world = source();
    annotate(&world, "db-0", &json!({"pre.hook.backup.velero.io/command": "freeze"}));
    world.cluster.deny("create pods/exec");
    let plan = world.start(Script::Sound).engine.plan_backup(&backup()).await.unwrap();
    let reason = plan.hooks[0].reason.as_deref();
    assert_eq!(reason, Some("this user may not: create pods/exec in shop"));
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!(state(&report, "data-db-0"), "failed");
    assert_eq!(state(&report, "files"), "completed");
    assert!(report.errors[0].message.contains("may not: create pods/exec"), "{:?}", report.errors);
}

#[tokio::test(start_paused = true)]
async fn who_interrupts_a_pre_hook_gets_the_post_hook_and_nothing_else() {
    let world = source();
    let hooks = json!({"pre.hook.backup.velero.io/command": "freeze",
        "pre.hook.backup.velero.io/on-error": "Continue",
        "post.hook.backup.velero.io/command": "release"});
    annotate(&world, "db-0", &hooks);
    let process = world.start(Script::Sound);
    let interrupt = async {
        while process.holds.frozen().is_empty() {
            tokio::task::yield_now().await;
        }
        process.holds.close().await;
        assert_eq!(process.holds.frozen(), []);
        std::future::pending::<()>().await;
    };
    let request = backup();
    let error = tokio::select! {
        // First, so that it sees every hook that has begun.
        biased;
        () = interrupt => unreachable!(),
        made = process.engine.create_backup(&request) => made.unwrap_err(),
    };
    assert!(format!("{error:?}").contains("Interrupted"), "{error:?}");
    let told = process.told();
    assert!(!told.iter().any(|it| it.contains("data-db-0")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn hooks_that_are_not_run_although_their_pod_may_write_are_a_warning() {
    let world = source();
    annotate(&world, "db-0", &json!({"pre.hook.backup.velero.io/command": "freeze"}));
    world.cluster.edit("pods/shop/db-0", |pod| pod["status"]["phase"] = json!("Pending"));
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!((report.hooks.attempted, state(&report, "data-db-0")), (0, "completed".into()));
    let of_pod = report.warnings.iter().find(|it| it.name.as_deref() == Some("db-0")).unwrap();
    assert_eq!(of_pod.message, "its hooks are not run: the pod is Pending");
}

/// The application, whose pods of one workload say something of a restore.
async fn backed_up(app: &str, annotations: &Value) -> World {
    let world = source();
    for id in world.cluster.names_in("shop") {
        if let Some(name) = id.strip_prefix("pods/").filter(|name| name.starts_with(app)) {
            annotate(&world, name, annotations);
        }
    }
    world.back_up(&backup()).await.unwrap();
    world
}

async fn plan(world: &World, request: &restore::Request) -> restore::PlanDocument {
    world.start(Script::Sound).engine.plan_restore(request).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_pod_with_a_hook_comes_back_itself_and_its_siblings_do_not() {
    let init = json!({"init.hook.restore.velero.io/container-image": "busybox",
        "init.hook.restore.velero.io/command": "prepare",
        "init.hook.restore.velero.io/container-name": "first"});
    let world = target(&backed_up("db", &init).await);
    let plan = plan(&world, &restore("rescue")).await;
    let verdict = |name: &str| {
        let item = plan.items.iter().find(|it| it.resource == "pods" && it.name.starts_with(name));
        item.map(|it| (it.verdict.word(), it.transformations.join("; "))).unwrap()
    };
    let (decided, changes) = verdict("db-0");
    assert_eq!(decided, "create");
    assert!(changes.contains("init container first put first"), "{changes}");
    assert!(changes.contains("without its owner, which adopts it"), "{changes}");
    assert_eq!(verdict("web").0, "skip");
}

#[tokio::test(start_paused = true)]
async fn between_a_pod_and_its_deployment_the_replica_set_comes_back_too() {
    let world =
        target(&backed_up("web", &json!({"post.hook.restore.velero.io/command": "x"})).await);
    let plan = plan(&world, &restore("rescue")).await;
    let words = |resource: &str| -> Vec<&str> {
        let items = plan.items.iter().filter(|it| it.resource == resource);
        items.map(|it| it.verdict.word()).collect()
    };
    assert_eq!(words("replicasets.apps"), ["create"]);
    assert!(words("pods").contains(&"create"), "{:?}", words("pods"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_hook_after_a_restore_is_an_error_of_it() {
    let world = target(
        &backed_up(
            "db",
            &json!({"post.hook.restore.velero.io/command": "x",
        "post.hook.restore.velero.io/wait-timeout": "3s"}),
        )
        .await,
    );
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!((report.hooks.attempted, report.hooks.failed), (1, 1));
    let mut hooks =
        report.errors.iter().filter(|it| it.operation.as_deref() == Some("run post hook"));
    let message = &hooks.next().unwrap().message;
    assert_eq!(message, "post hook was not run: container db does not run for 3 s");
}

#[tokio::test(start_paused = true)]
async fn a_restores_hooks_are_matched_in_the_namespaces_of_the_target() {
    let world = target(&backed_up("none", &json!({})).await);
    let mut request = restore("rescue");
    request.spec.namespace_mapping.insert("shop".to_owned(), "copy".to_owned());
    let run = json!([{"exec": {"command": ["x"]}}]);
    let of = |namespace: &str| {
        hooks(&json!({"name": "x", "includedNamespaces": [namespace], "postHooks": run}))
    };
    request.spec.hooks = of("shop");
    let error = world.start(Script::Sound).engine.plan_restore(&request).await.unwrap_err();
    assert!(matches!(error, restore::Error::Hooks(_)), "{error:?}");
    request.spec.hooks = of("copy");
    let plan = plan(&world, &request).await;
    assert!(plan.items.iter().any(|it| it.name == "db-0" && it.verdict.word() == "create"));
}

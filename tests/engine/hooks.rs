//! Hooks around a backup and after a restore, in a cluster that refuses every command: what their
//! failure means. That commands run is shown on real clusters.

use std::time::Duration;

use bowline::engine::logs::{Reader, State};
use bowline::engine::report::{BackupReport, Phase, Problem, RestoreReport};
use bowline::engine::{backup, restore};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::application::{backup, object, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;
use crate::steps::{add_injector, back_up_all};

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
    let hints: Vec<_> = report.errors.iter().map(|it| it.hint.as_deref().unwrap_or("")).collect();
    assert_eq!(hints[0], "correct the hook; onError Continue takes the snapshots all the same");
    assert!(hints[2].starts_with("see whether the application goes on"), "{hints:?}");
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
    let hint = "correct the hook; its onError is Continue: snapshots were taken all the same";
    assert_eq!(report.errors[0].hint.as_deref(), Some(hint));
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
async fn that_hooks_cannot_be_found_is_told_by_the_dry_run_too() {
    let world = source();
    world.cluster.silence("pods", true);
    let plan = world.start(Script::Sound).engine.plan_backup(&backup()).await.unwrap();
    let [told] = &plan.errors[..] else { panic!("{:#?}", plan.errors) };
    assert!(told.message.starts_with("hooks of pods in shop are not known: "), "{told:?}");
    let report = world.back_up(&backup()).await.unwrap();
    assert!(report.errors.contains(told), "{:#?}", report.errors);
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
    let store = world.backups();
    let log = Reader::of_backup(&store, "nightly").read_on().await.unwrap();
    assert_eq!(log.state, State::Running);
    let last: Vec<_> = log.text.lines().rev().take(1).collect();
    assert!(last[0].contains("broke off") && last[0].contains("interrupted"), "{}", log.text);
    assert!(log.text.contains("post hook in container db"), "{}", log.text);
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
    let error = hooks.next().unwrap();
    assert_eq!(error.message, "post hook was not run: container db does not run for 3 s");
    let again =
        "bowline restore resume rescue runs it again, also where it was run by hand meanwhile";
    assert!(error.hint.as_ref().unwrap().ends_with(again), "{error:?}");
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

#[tokio::test(start_paused = true)]
async fn after_a_hook_that_must_not_fail_the_next_ones_of_its_pod_are_not_run() {
    for (on_error, tried) in [("Fail", 1), ("Continue", 2)] {
        let world = target(&backed_up("none", &json!({})).await);
        let hook = |on_error: &str| json!({"exec": {"command": ["x"], "onError": on_error, "waitTimeout": "1s"}});
        let mut request = restore("rescue");
        request.spec.hooks = hooks(&json!({"name": "x", "includedNamespaces": ["shop"],
            "labelSelector": {"matchLabels": {"app": "db"}},
            "postHooks": [hook(on_error), hook("Continue")]}));
        let report = world.restore(&request).await.unwrap();
        assert_eq!((report.hooks.attempted, report.hooks.failed), (tried, tried), "{on_error}");
    }
}

/// Resumes a restore whose hook could not be run, with its pod changed in between.
async fn resumed(change: impl Fn(&mut Value, &str)) -> RestoreReport {
    let hook = json!({"post.hook.restore.velero.io/command": "x",
        "post.hook.restore.velero.io/wait-timeout": "3s",
        "post.hook.restore.velero.io/wait-for-ready": "true"});
    let world = target(&backed_up("db", &hook).await);
    let first = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(first.hooks.failed, 1, "{:?}", first.errors);
    world.cluster.edit("pods/shop/db-0", |pod| {
        let running = json!({"name": "db", "ready": true, "state": {"running": {}}});
        pod["status"]["containerStatuses"] = json!([running]);
        change(pod, &first.uid);
    });
    world.restore(&restore("rescue")).await.unwrap()
}

fn hook_error(report: &RestoreReport) -> &str {
    let is_of_hook = |it: &&Problem| it.operation.as_deref() == Some("run post hook");
    &report.errors.iter().find(is_of_hook).unwrap().message
}

#[tokio::test(start_paused = true)]
async fn a_resumed_restore_runs_the_hooks_that_have_not_run_and_no_other() {
    let report = resumed(|_, _| {}).await;
    assert_eq!(report.hooks.attempted, 1, "{:?}", report.errors);
    let message = hook_error(&report);
    assert!(!message.contains("was not run"), "it is tried: {message}");

    let report = resumed(|pod, restore| {
        pod["metadata"]["annotations"]["bowline.io/hooks-of"] = json!(format!("{restore}: 0"));
    })
    .await;
    assert_eq!((report.phase, report.hooks.attempted), (Phase::Completed, 0), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restores_hook_waits_for_a_container_that_is_ready_and_a_pod_that_stays() {
    let unready = resumed(|pod, _| pod["status"]["containerStatuses"][0]["ready"] = json!(false));
    let message = "post hook was not run: container db is not ready for 3 s";
    assert_eq!(hook_error(&unready.await), message);
    let going = resumed(|pod, _| {
        pod["metadata"]["deletionTimestamp"] = json!("2026-03-01T01:00:00Z");
    });
    let message = "post hook was not run: the pod is being deleted for 3 s";
    assert_eq!(hook_error(&going.await), message);
}

/// Restores, and looks at the target while the pod of a workload is made.
async fn while_its_pod_is_made(origin: &World, app: &str, look: impl Fn(&[String]) + Send + Sync) {
    let trial = target(&origin.copy().await).start(Script::Sound);
    trial.restore(&restore("rescue")).await.unwrap().unwrap();
    let of_pod = format!("POST /api/v1/namespaces/shop/pods/{app}-");
    let calls = trial.faults.calls();
    let number = calls.iter().position(|it| it.starts_with(&of_pod)).unwrap();
    let world = target(origin);
    let process = world.start(Script::Waits(number));
    let looking = async {
        process.faults.waiting().await;
        // Virtual time: all that does not wait for the pod is done by then.
        timeout(Duration::from_secs(30), std::future::pending::<()>()).await.unwrap_err();
        look(&world.cluster.changes());
        process.faults.release();
    };
    let request = restore("rescue");
    tokio::join!(process.restore(&request), looking).0.unwrap().unwrap();
    assert!(world.cluster.changes().iter().any(|it| it.starts_with(&of_pod)));
}

#[tokio::test(start_paused = true)]
async fn while_a_pod_with_hooks_is_made_its_controllers_wait() {
    let hook = json!({"post.hook.restore.velero.io/command": "x",
        "post.hook.restore.velero.io/wait-timeout": "1s"});
    let injecting = source();
    add_injector(&injecting.cluster, "Ignore");
    annotate(&injecting, "injector-7d9f-0", &hook);
    back_up_all(&injecting).await;
    for (origin, app, controllers) in [
        (backed_up("db", &hook).await, "db", vec!["db"]),
        (backed_up("web", &hook).await, "web", vec!["web-7d9f", "web"]),
        // Its controllers are in the same step as the pod itself.
        (injecting, "injector", vec!["injector-7d9f", "injector"]),
    ] {
        while_its_pod_is_made(&origin, app, |changes| {
            let ends = controllers.iter().map(|it| format!("/{it}"));
            let ends: Vec<String> = ends.collect();
            let is_controller =
                |it: &&String| it.contains("/apps/v1/") && ends.iter().any(|end| it.ends_with(end));
            assert_eq!(changes.iter().find(is_controller), None);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_took_the_place_of_another_has_its_own_hooks_and_not_those() {
    let origin = source();
    annotate(&origin, "db-0", &json!({"pre.hook.backup.velero.io/command": "freeze"}));
    let process = origin.start(Script::Waits(0));
    let replace = async {
        process.faults.waiting().await;
        origin.cluster.edit("pods/shop/db-0", |pod| {
            pod["metadata"]["uid"] = json!("of another");
            pod["metadata"]["annotations"] = json!({});
        });
        process.faults.release();
    };
    let request = backup();
    let (report, ()) = tokio::join!(process.back_up(&request), replace);
    let report = report.unwrap().unwrap();
    assert_eq!((report.phase, report.hooks.attempted), (Phase::Completed, 0), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hook_of_a_pod_that_cannot_come_back_by_itself_is_an_error() {
    let origin = source();
    let spec = json!({"spec": {"template": {"spec": {"containers": []}}}});
    let job = origin.cluster.add(object("batch/v1", "Job", "shop", "import", &spec));
    origin.cluster.edit("jobs.batch/shop/import", |job| job["status"] = json!({"active": 1}));
    let mut pod = object("v1", "Pod", "shop", "import-x1", &json!({"spec": {"containers": []}}));
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "Job",
        "name": "import", "uid": job["metadata"]["uid"], "controller": true}]);
    pod["metadata"]["annotations"] = json!({"post.hook.restore.velero.io/command": "x"});
    origin.cluster.add(pod);
    origin.back_up(&backup()).await.unwrap();
    let report = target(&origin).restore(&restore("rescue")).await.unwrap();
    let [only] = &report.errors[..] else { panic!("{:#?}", report.errors) };
    assert_eq!((only.name.as_deref(), report.hooks.attempted), (Some("import-x1"), 0));
    let why = "its hooks are not run: a pod of Job import cannot come back by itself";
    assert_eq!(only.message, why);
}

#[tokio::test(start_paused = true)]
async fn the_hook_of_a_pod_that_cannot_come_back_is_refused_once_and_never_waited_for() {
    let source = source();
    let controller = json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent",
        "uid": "6f0e0000-0000-4000-8000-000000000001", "controller": true}]);
    let spec = json!({"spec": {"containers": [{"name": "agent", "image": "agent"}]}});
    source.cluster.add(object("v1", "Pod", "shop", "agent-x", &spec));
    source.cluster.edit("pods/shop/agent-x", |pod| {
        pod["metadata"]["annotations"] = json!({"post.hook.restore.velero.io/command": "x"});
        pod["metadata"]["ownerReferences"] = controller;
    });
    source.back_up(&backup()).await.unwrap();
    let world = target(&source);
    let request = restore("rescue");
    let plan = plan(&world, &request).await;
    let pod = plan.items.iter().find(|it| it.resource == "pods" && it.name == "agent-x").unwrap();
    let reason = "its hooks are not run: a pod of DaemonSet agent cannot come back by itself";
    assert_eq!((pod.verdict.word(), pod.reason.as_deref()), ("refuse", Some(reason)));
    let of_pod = |it: &&Problem| it.name.as_deref() == Some("agent-x");
    assert_eq!(plan.warnings.iter().find(of_pod), None);

    let end = "store: create restores/rescue/restore-rescue-logs.gz";
    assert!(world.start(Script::KilledAt(end)).restore(&request).await.is_none());
    let report = world.restore(&request).await.unwrap();
    let errors: Vec<_> = report.errors.iter().filter(of_pod).map(|it| &*it.message).collect();
    assert_eq!((errors, report.warnings.iter().find(of_pod)), (vec![reason], None));
}

//! Jobs that had finished do not run again: they stay away, or come back as finished.

use bowline::engine::report::Phase;
use bowline::engine::restore::{PlannedItem, Request, Verdict};
use serde_json::{Value, json};

use crate::application::{backup, object, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;

const DONE: &str = "jobs.batch/shop/done";
const FAILED: &str = "jobs.batch/shop/failed";
const RUNNING: &str = "jobs.batch/shop/running";

fn ended(kind: &str) -> Value {
    json!({"startTime": "2026-03-01T00:00:00Z", "conditions": [{"type": kind, "status": "True",
        "lastTransitionTime": "2026-03-01T00:01:00Z"}]})
}

/// A backup of jobs that are done, failed and running.
async fn with_jobs() -> World {
    let world = source();
    let spec = json!({"spec": {"template": {"spec": {"containers": []}}}});
    for (id, status) in
        [(DONE, ended("Complete")), (FAILED, ended("Failed")), (RUNNING, json!({"active": 1}))]
    {
        let name = id.rsplit('/').next().unwrap();
        world.cluster.add(object("batch/v1", "Job", "shop", name, &spec));
        world.cluster.edit(id, |it| it["status"] = status);
    }
    world.back_up(&backup()).await.unwrap();
    world
}

fn with_finished_jobs(name: &str) -> Request {
    let mut request = restore(name);
    request.spec.restore_finished_jobs = true;
    request
}

async fn planned(world: &World, request: &Request, name: &str) -> PlannedItem {
    let plan = world.start(Script::Sound).engine.plan_restore(request).await.unwrap();
    plan.items.into_iter().find(|it| it.resource == "jobs.batch" && it.name == name).unwrap()
}

/// What is wrong with the jobs in a target.
fn faults(world: &World) -> Vec<String> {
    let mut faults = Vec::new();
    for (id, conditions) in
        [(DONE, ["SuccessCriteriaMet", "Complete"]), (FAILED, ["FailureTarget", "Failed"])]
    {
        let job = world.cluster.find(id).unwrap_or_default();
        let kinds: Vec<_> = conditions.map(|kind| json!(kind)).into();
        let found = job["status"]["conditions"].as_array().into_iter().flatten();
        let found: Vec<_> = found.map(|it| it["type"].clone()).collect();
        if found != kinds || job["spec"]["suspend"] != true {
            faults.push(format!("{id}: {found:?}, {}", job["spec"]["suspend"]));
        }
    }
    let running = world.cluster.find(RUNNING).unwrap_or_default();
    if running["spec"]["suspend"] != false || !running["status"].is_null() {
        faults.push(format!("{RUNNING}: {running}"));
    }
    faults
}

#[tokio::test(start_paused = true)]
async fn jobs_that_had_finished_stay_away_and_the_plan_says_how_to_have_them() {
    let target = target(&with_jobs().await);
    for name in ["done", "failed"] {
        let item = planned(&target, &restore("rescue"), name).await;
        assert_eq!(item.verdict, Verdict::Skip);
        let reason = item.reason.unwrap();
        assert!(reason.ends_with("--restore-finished-jobs brings it back as finished"), "{reason}");
    }
    let report = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert!(target.cluster.find(DONE).is_none() && target.cluster.find(FAILED).is_none());
    assert_eq!(target.cluster.get(RUNNING)["spec"]["suspend"], false);
}

#[tokio::test(start_paused = true)]
async fn jobs_come_back_as_finished_where_that_is_asked_for_and_never_run() {
    let target = target(&with_jobs().await);
    let told = planned(&target, &with_finished_jobs("rescue"), "done").await.transformations;
    assert_eq!(told, ["restored as finished: suspended, it never runs again"]);
    let report = target.restore(&with_finished_jobs("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(faults(&target), [""; 0]);
    let again = planned(&target, &with_finished_jobs("again"), "done").await;
    assert_eq!(again.verdict, Verdict::Unchanged, "{:?}", again.reason);
}

/// A restore that is to be resumed, and has let a job run.
async fn released() -> World {
    let target = target(&with_jobs().await);
    target.cluster.refuse_creates("services", true);
    let report = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!(target.cluster.get(RUNNING)["spec"]["suspend"], false);
    target
}

#[tokio::test(start_paused = true)]
async fn a_job_that_somebody_suspended_since_is_not_released_again() {
    let target = released().await;
    target.cluster.edit(RUNNING, |job| job["spec"]["suspend"] = json!(true));
    target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(target.cluster.get(RUNNING)["spec"]["suspend"], true);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ran_and_is_gone_does_not_run_again_in_any_further_run() {
    let target = released().await;
    target.restore(&restore("rescue")).await.unwrap();
    target.cluster.remove(RUNNING);
    let item = planned(&target, &restore("rescue"), "running").await;
    let reason = "an earlier run of this restore made it, and it is gone";
    assert_eq!((item.verdict, item.reason.as_deref()), (Verdict::Skip, Some(reason)));
    target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(target.cluster.find(RUNNING), None);
}

#[tokio::test(start_paused = true)]
async fn jobs_come_back_as_finished_wherever_the_restore_is_killed_or_cut_off() {
    for script in [Script::KilledBefore as fn(usize) -> Script, Script::CutOffFrom] {
        let calls = broken_at_every_call(script).await;
        assert!(calls > 27, "{calls} calls");
    }
}

async fn broken_at_every_call(script: fn(usize) -> Script) -> usize {
    let source = with_jobs().await;
    let request = with_finished_jobs("rescue");
    let mut call = 0;
    loop {
        let world = target(&source.copy().await);
        let process = world.start(script(call));
        drop(process.restore(&request).await);
        if !process.faults.struck() {
            return call;
        }
        let place = format!("before call {call}, {}", process.faults.victim());
        let report = world.restore(&request).await.unwrap();
        assert_eq!(report.errors, [], "{place}");
        assert_eq!(faults(&world), [""; 0], "{place}");
        call += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_a_job_that_ran_and_is_gone_do_not_come_back_without_it() {
    let origin = source();
    let spec = json!({"spec": {"template": {"spec": {"containers": []}}}});
    let job = origin.cluster.add(object("batch/v1", "Job", "shop", "running", &spec));
    origin.cluster.edit(RUNNING, |job| job["status"] = json!({"active": 1}));
    let mut pod = object("v1", "Pod", "shop", "running-x1", &json!({"spec": {"containers": []}}));
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "Job",
        "name": "running", "uid": job["metadata"]["uid"], "controller": true}]);
    origin.cluster.add(pod);
    origin.back_up(&backup()).await.unwrap();
    let world = target(&origin);
    world.cluster.refuse_creates("services", true);
    world.restore(&restore("rescue")).await.unwrap();
    world.cluster.remove(RUNNING);
    let plan = world.start(Script::Sound).engine.plan_restore(&restore("rescue")).await.unwrap();
    let pod = plan.items.iter().find(|it| it.name == "running-x1").unwrap();
    let reason = "its owner jobs.batch/shop/running had finished";
    assert_eq!((pod.verdict, pod.reason.as_deref()), (Verdict::Skip, Some(reason)));
    world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(world.cluster.find("pods/shop/running-x1"), None);
}

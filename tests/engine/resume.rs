//! A restore goes on under its name: after an interruption, after errors, from another machine.

use bowline::engine::logs::{Reader, State};
use bowline::engine::model::restore::ExistingResourcePolicy;
use bowline::engine::report::{Phase, RestoreReport};
use bowline::engine::restore::{self, Error, Start, Verdict};
use bowline::engine::store::{RestoreEntry, RestoreKeys};
use serde_json::json;

use crate::application::{backed_up, faults_of, object, restore, target};
use crate::fake_world::{RestoreResult, World};
use crate::faults::Script;

/// The definition of a kind that the application has an object of.
const WIDGETS: &str = "customresourcedefinitions.apiextensions.k8s.io/widgets.example.com";

/// What is recorded of the restore.
async fn recorded(world: &World) -> RestoreEntry {
    world.backups().restore("rescue").await.unwrap().unwrap()
}

/// Goes on with what is recorded, as `restore resume` does.
async fn resume(world: &World) -> RestoreResult {
    world.restore(&recorded_request(world).await).await
}

async fn recorded_request(world: &World) -> restore::Request {
    restore::Request::of_record(&recorded(world).await.record).unwrap()
}

/// A source, and a target that takes no services; the restore is `PartiallyFailed`.
async fn partly_failed() -> (World, World, RestoreReport) {
    let source = backed_up().await;
    let world = target(&source.copy().await);
    world.cluster.refuse_creates("services", true);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    (source, world, report)
}

/// The volumes that were made, by their names in the cloud.
fn volumes(world: &World) -> Vec<String> {
    world.cloud.volumes().into_iter().map(|volume| volume.id).collect()
}

/// What the log of the restore says, to who reads it for the first time.
async fn log(world: &World) -> (String, State) {
    let store = world.backups();
    let chunk = Reader::of_restore(&store, None, "rescue").read_on().await.unwrap();
    (chunk.text, chunk.state)
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_done_is_done_by_the_next_run_of_the_same_restore() {
    let (source, world, first) = partly_failed().await;
    assert_eq!((first.run, first.kinds["services"].failed), (1, 1));
    let volumes = volumes(&world);
    world.cluster.refuse_creates("services", false);
    let second = resume(&world).await.unwrap();
    assert_eq!((second.phase, second.run), (Phase::Completed, 2), "{:?}", second.errors);
    assert_eq!(second.uid, first.uid);
    assert_eq!(second.kinds["services"].created, 1);
    let whole = (first.items.created + 1, first.items.unchanged, 0);
    assert_eq!((second.items.created, second.items.unchanged, second.items.failed), whole);
    assert!(second.kinds["persistentvolumes"].created > 0, "{:?}", second.kinds);
    let list = RestoreKeys("rescue").resource_list();
    let list = world.backups().newest("rescue", &list).await.unwrap();
    let list: serde_json::Value = world.backups().json_gz(&list).await.unwrap();
    let claims = json!(["shop/data-db-0(created)", "shop/files(created)"]);
    assert_eq!(list["v1/PersistentVolumeClaim"], claims);
    assert_eq!(self::volumes(&world), volumes, "no volume is made twice");
    assert_eq!(faults_of(&source, &world, "shop"), [""; 0]);
    let entry = recorded(&world).await;
    assert_eq!((entry.runs, entry.is_unfinished()), (2, false));
    assert_eq!(entry.result.map(|result| result.phase), Some(Phase::Completed), "the newest");
    let first_result = world.bucket.read(&RestoreKeys("rescue").result()).await;
    let first_result: RestoreReport = serde_json::from_slice(&first_result).unwrap();
    assert_eq!(first_result.phase, Phase::PartiallyFailed, "keys are written once");
}

#[tokio::test(start_paused = true)]
async fn the_same_create_goes_on_with_what_is_partially_failed_and_another_does_not() {
    let (_, world, first) = partly_failed().await;
    let mut other = restore("rescue");
    other.spec.included_namespaces = vec!["shop".to_owned()];
    let refused = world.restore(&other).await;
    assert!(matches!(refused, Err(Error::NameInUse { .. })), "{refused:?}");
    let second = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((second.phase, second.run, second.uid), (Phase::PartiallyFailed, 2, first.uid));
}

#[tokio::test(start_paused = true)]
async fn what_an_api_does_not_tell_of_is_refused_and_made_by_the_next_run() {
    let world = target(&backed_up().await);
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    world.cluster.add(shop);
    world.cluster.add(backed_up().await.cluster.get(WIDGETS));
    world.cluster.silence("widgets.example.com", true);
    let plan = world.start(Script::Sound).engine.plan_restore(&restore("rescue")).await.unwrap();
    let refused: Vec<_> = plan.items.iter().filter(|it| it.verdict == Verdict::Refuse).collect();
    let [widget] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!(widget.resource, "widgets.example.com");
    let reason = widget.reason.as_deref().unwrap();
    assert!(reason.starts_with("whether it is there is not known: "), "{reason}");
    assert!(reason.ends_with("unable to handle the request"), "{reason}");

    let first = world.restore(&restore("rescue")).await.unwrap();
    let [error] = &first.errors[..] else { panic!("{:?}", first.errors) };
    assert_eq!(error.message, reason);
    assert!(error.hint.as_ref().unwrap().contains("restore resume"), "{error:?}");
    world.cluster.silence("widgets.example.com", false);
    let second = resume(&world).await.unwrap();
    assert_eq!(second.phase, Phase::Completed, "{:?}", second.errors);
    assert_eq!(second.items.created, first.items.created + 1);
}

/// The newest list alone says that it failed.
#[tokio::test(start_paused = true)]
async fn what_the_first_run_updated_is_told_by_the_third_although_the_second_failed_at_it() {
    const WIDGET: &str = "widgets.example.com/shop/main";
    let source = backed_up().await;
    let world = target(&source.copy().await);
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    world.cluster.add(shop);
    for id in [WIDGETS, WIDGET] {
        world.cluster.add(source.cluster.get(id));
    }
    world.cluster.edit(WIDGET, |it| it["spec"]["size"] = json!(9));
    world.cluster.refuse_creates("services", true);
    let mut request = restore("rescue");
    request.spec.existing_resource_policy = Some(ExistingResourcePolicy::Update);
    let first = world.restore(&request).await.unwrap();
    assert_eq!(first.kinds["widgets.example.com"].updated, 1, "{:?}", first.errors);
    world.cluster.silence("widgets.example.com", true);
    let second = resume(&world).await.unwrap();
    assert_eq!(second.kinds["widgets.example.com"].failed, 1, "{:?}", second.errors);
    world.cluster.silence("widgets.example.com", false);
    world.cluster.refuse_creates("services", false);
    let third = resume(&world).await.unwrap();
    assert_eq!(third.phase, Phase::Completed, "{:?}", third.errors);
    assert_eq!(third.kinds["widgets.example.com"].updated, 1);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_failed_is_made_by_the_next_run() {
    let source = backed_up().await;
    let world = target(&source.copy().await);
    world.cloud.fail_volumes();
    let first = world.restore(&restore("rescue")).await.unwrap();
    let awaited: Vec<_> = first.awaited.iter().map(|it| it.resource.as_str()).collect();
    assert!(awaited.contains(&"statefulsets.apps"), "{awaited:?}");
    world.cloud.heal_volumes();
    let second = resume(&world).await.unwrap();
    assert_eq!((second.phase, second.awaited.len()), (Phase::Completed, 0), "{:?}", second.errors);
    assert_eq!(faults_of(&source, &world, "shop"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_in_the_way_and_is_deleted_gets_its_volume_from_the_next_run() {
    let source = backed_up().await;
    let world = target(&source.copy().await);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    world.cluster.add(namespace);
    let claim = json!({"spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "other",
        "resources": {"requests": {"storage": "7Gi"}}}});
    world.cluster.add(object("v1", "PersistentVolumeClaim", "shop", "files", &claim));
    let first = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(first.phase, Phase::PartiallyFailed);
    world.cluster.remove("persistentvolumeclaims/shop/files");
    let second = resume(&world).await.unwrap();
    assert_eq!(second.phase, Phase::Completed, "{:?}", second.errors);
    assert_eq!(faults_of(&source, &world, "shop"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_resumed_restore_may_be_killed_at_any_call_and_is_resumed_again() {
    let (source, world, first) = partly_failed().await;
    world.cluster.refuse_creates("services", false);
    for call in 0.. {
        let world = World { cluster: world.cluster.copy(), ..world.copy().await };
        let process = world.start(Script::KilledBefore(call));
        let result = process.restore(&recorded_request(&world).await).await;
        if !process.faults.struck() {
            assert_eq!(result.unwrap().unwrap().phase, Phase::Completed);
            assert!(call >= 8, "{call} calls");
            return;
        }
        let place = format!("before call {call}, {}", process.faults.victim());
        // The record is there already; the next key is the run's.
        let begun = call > 1;
        assert_eq!(recorded(&world).await.is_unfinished(), begun, "{place}");
        let last = resume(&world).await.unwrap();
        assert_eq!((last.phase, last.uid), (Phase::Completed, first.uid.clone()), "{place}");
        assert_eq!(last.run, if begun { 3 } else { 2 }, "{place}");
        assert_eq!(faults_of(&source, &world, "shop"), [""; 0], "{place}");
        assert!(!recorded(&world).await.is_unfinished(), "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_has_all_runs_in_their_order_whether_they_came_to_their_end_or_not() {
    let (_, world, _) = partly_failed().await;
    let (first, state) = log(&world).await;
    assert_eq!(state, State::Whole);
    world.cluster.refuse_creates("services", false);
    let (second, _) = stopped_at(&world, &recorded_request(&world).await, 2).await;
    assert!(matches!(second, Err(Error::Interrupted { .. })), "{second:?}");
    let (so_far, state) = log(&world).await;
    assert!(so_far.starts_with(&first) && state == State::Running, "{so_far}");
    assert!(so_far.contains("run 2 of this restore"), "{so_far}");
    resume(&world).await.unwrap();
    let (whole, state) = log(&world).await;
    assert!(whole.starts_with(&so_far) && state == State::Whole, "{whole}");
    assert!(whole[so_far.len()..].contains("run 3 of this restore"), "{whole}");
    assert_eq!(whole.matches("run 2 of this restore").count(), 1, "{whole}");
}

#[tokio::test(start_paused = true)]
async fn what_is_completed_went_elsewhere_or_is_of_another_backup_is_not_resumed() {
    let world = target(&backed_up().await);
    assert!(world.start(Script::KilledBefore(9)).restore(&restore("rescue")).await.is_none());
    let request = recorded_request(&world).await;
    let elsewhere = target(&world);
    elsewhere.cluster.edit("namespaces/kube-system", |it| it["metadata"]["uid"] = json!("other"));
    let refused = elsewhere.restore(&request).await;
    assert!(matches!(refused, Err(Error::OtherCluster { .. })), "{refused:?}");
    assert_eq!(elsewhere.cluster.changes(), [""; 0]);

    let anew = world.copy().await;
    let key = RestoreKeys("rescue").record();
    let record = String::from_utf8(anew.bucket.read(&key).await.to_vec()).unwrap();
    let uid = recorded(&anew).await.record.backup_uid;
    anew.bucket.write(&key, record.replace(&uid, "of-another").into()).await;
    let refused = anew.restore(&request).await;
    assert!(matches!(refused, Err(Error::NameInUse { .. })), "{refused:?}");

    let done = resume(&world).await.unwrap();
    let changes = world.cluster.changes();
    for same in [request, restore("rescue")] {
        let again = world.restore(&same).await.unwrap_err();
        let Error::Done { report, .. } = again else { panic!("{again:?}") };
        assert_eq!((report.run, report.uid), (2, done.uid.clone()), "what came of it");
    }
    let mut other = restore("rescue");
    other.spec.included_namespaces = vec!["shop".to_owned()];
    let refused = world.restore(&other).await.unwrap_err().to_string();
    assert!(refused.ends_with("it is done"), "{refused}");
    assert_eq!(world.cluster.changes(), changes);
    assert_eq!(recorded(&world).await.runs, 2, "no run was begun");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_made_up_is_never_that_of_another_restore() {
    let world = target(&backed_up().await);
    assert!(world.start(Script::KilledBefore(9)).restore(&restore("rescue")).await.is_none());
    let request = restore::Request { start: Start::Anew, ..restore("rescue") };
    let refused = world.restore(&request).await.unwrap_err();
    assert!(refused.is_name_taken(), "{refused:?}");
}

/// Nobody can write down who the restore is, so that the cluster itself has to tell.
#[tokio::test(start_paused = true)]
async fn without_any_record_another_machine_goes_on_from_what_is_in_the_cluster() {
    let source = backed_up().await;
    source.bucket.be_read_only();
    for call in 0.. {
        let world = target(&source.copy().await);
        let process = world.start(Script::KilledBefore(call));
        let result = process.restore(&restore("rescue")).await;
        if !process.faults.struck() {
            let report = result.unwrap().unwrap();
            assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
            assert!(call >= 20, "{call} calls");
            return;
        }
        let place = format!("before call {call}, {}", process.faults.victim());
        let report = world.restore(&restore("rescue")).await.unwrap();
        assert_eq!(report.phase, Phase::Completed, "{place}: {:?}", report.errors);
        assert_eq!(faults_of(&source, &world, "shop"), [""; 0], "{place}");
    }
}

/// Runs a restore that is asked to stop while it makes a call.
async fn stopped_at(
    world: &World,
    request: &restore::Request,
    call: usize,
) -> (RestoreResult, bool) {
    let process = world.start(Script::Waits(call));
    let asking = async {
        process.faults.waiting().await;
        process.stop.ask();
        process.faults.release();
        std::future::pending::<()>().await;
    };
    let result = tokio::select! {
        biased;
        result = process.restore(request) => result.unwrap(),
        () = asking => unreachable!("it waits for ever"),
    };
    (result, process.faults.struck())
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_asked_to_stop_awaits_what_is_on_its_way_and_is_resumed() {
    let source = backed_up().await;
    let mut stopped = 0;
    for call in 0.. {
        let world = target(&source.copy().await);
        let (result, struck) = stopped_at(&world, &restore("rescue"), call).await;
        if !struck {
            assert_eq!(result.unwrap().phase, Phase::Completed);
            assert!(stopped >= 15, "only {stopped} of them were stopped");
            return;
        }
        let report = match result {
            Err(Error::Interrupted { .. }) => {
                stopped += 1;
                let (text, state) = log(&world).await;
                assert_eq!(state, State::Running);
                let last = text.lines().last().unwrap_or_default();
                assert!(last.contains("broke off") && last.contains("interrupted"), "{text}");
                resume(&world).await.unwrap()
            }
            other => other.unwrap(),
        };
        assert_eq!(report.phase, Phase::Completed, "at call {call}: {:?}", report.errors);
        assert_eq!(faults_of(&source, &world, "shop"), [""; 0], "at call {call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_asked_to_stop_names_what_stays_scaled_down() {
    let source = backed_up().await;
    let mut down = 0;
    for call in 0.. {
        let world = target(&source.copy().await);
        let spec = json!({"replicas": 2, "selector": {"matchLabels": {"app": "early"}},
            "template": {"metadata": {"labels": {"app": "early"}}, "spec": {"containers": []}}});
        let early = object("apps/v1", "Deployment", "default", "early", &json!({"spec": spec}));
        world.cluster.add(early);
        let mut request = restore("rescue");
        request.spec.quiesce = vec!["early".to_owned()];
        let (result, struck) = stopped_at(&world, &request, call).await;
        if !struck {
            assert!(down > 10, "{down} of them were stopped");
            return;
        }
        let Err(Error::Interrupted { .. }) = result else { continue };
        let text = log(&world).await.0;
        let live = world.cluster.get("deployments.apps/default/early");
        if live["spec"]["replicas"] == 0 {
            down += 1;
            assert!(text.contains("stays scaled down"), "at call {call}: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_create_does_not_go_on_in_another_cluster() {
    let world = target(&backed_up().await);
    assert!(world.start(Script::KilledBefore(9)).restore(&restore("rescue")).await.is_none());
    let elsewhere = target(&world);
    elsewhere.cluster.edit("namespaces/kube-system", |it| it["metadata"]["uid"] = json!("other"));
    let refused = elsewhere.restore(&restore("rescue")).await;
    let Err(Error::NameInUse { reason, .. }) = &refused else { panic!("{refused:?}") };
    assert_eq!(reason, "it was into another cluster");
    assert_eq!(elsewhere.cluster.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_any_record_objects_of_two_restores_of_that_name_are_nobodys_to_go_on_with() {
    let source = backed_up().await;
    source.bucket.be_read_only();
    let world = target(&source);
    let set = "POST /apis/apps/v1/namespaces/shop/statefulsets/db";
    assert!(world.start(Script::KilledAt(set)).restore(&restore("rescue")).await.is_none());
    world.cluster.edit("configmaps/shop/settings", |it| {
        it["metadata"]["labels"]["bowline.io/restore-uid"] = json!("of-another");
    });
    let changes = world.cluster.changes();
    let refused = world.restore(&restore("rescue")).await;
    let Err(Error::NameInUse { reason, .. }) = &refused else { panic!("{refused:?}") };
    assert_eq!(reason, "objects of several restores of that name are there");
    assert_eq!(world.cluster.changes(), changes);
}

#[tokio::test(start_paused = true)]
async fn that_the_result_could_not_be_recorded_is_in_the_report() {
    let origin = backed_up().await;
    let trial = target(&origin.copy().await).start(Script::Sound);
    trial.restore(&restore("rescue")).await.unwrap().unwrap();
    let result = |call: &String| call == "store: create restores/rescue/bowline-result.json";
    let number = trial.faults.calls().iter().position(result).unwrap();
    let process = target(&origin).start(Script::Fails(number));
    let report = process.restore(&restore("rescue")).await.unwrap().unwrap();
    let told: Vec<_> = report.warnings.iter().map(|it| it.message.as_str()).collect();
    assert!(told.iter().any(|it| it.contains("result could not be recorded")), "{told:?}");
}

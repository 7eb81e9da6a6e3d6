//! Claims that something made before the restore could: found out, and replaced where that is asked for.
//!
//! Velero leaves such a claim, and calls the restore Completed:
//! <https://github.com/vmware-tanzu/velero/issues/7487>,
//! <https://github.com/vmware-tanzu/velero/issues/9433>.

use bowline::engine::model::restore::RestoreSpec;
use bowline::engine::report::{Phase, Problem, RestoreReport};
use bowline::engine::restore::{Error, PlannedItem, Request, Verdict};
use serde_json::{Value, json};

use crate::application::{backed_up, claim, faults_of, object, restore, target};
use crate::fake_cluster::DRIVER;
use crate::fake_world::World;
use crate::faults::Script;

const CLAIM: &str = "persistentvolumeclaims/shop/data-db-0";

fn early_claim() -> Value {
    let mut early =
        object("v1", "PersistentVolumeClaim", "shop", "data-db-0", &json!({"spec": claim()}));
    early["metadata"]["labels"] = json!({"by": "operator"});
    early
}

fn with_class(world: &World) {
    world.cluster.add(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "standard"}, "provisioner": DRIVER}));
}

/// A target in which something has made a claim of the application, bound to an empty volume.
fn occupied(source: &World) -> (World, String) {
    let world = target(source);
    with_class(&world);
    world
        .cluster
        .add(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    let bound = world.cluster.add(early_claim());
    (world, bound["spec"]["volumeName"].as_str().unwrap().to_owned())
}

fn taking_over() -> Request {
    let mut request = restore("rescue");
    request.spec.take_over_claims = true;
    request
}

async fn planned(world: &World, request: &Request) -> Vec<PlannedItem> {
    world.start(Script::Sound).engine.plan_restore(request).await.unwrap().items
}

fn item<'a>(plan: &'a [PlannedItem], name: &str) -> (Verdict, &'a str) {
    let item = plan.iter().find(|it| it.name == name).unwrap_or_else(|| panic!("{plan:#?}"));
    (item.verdict, item.reason.as_deref().unwrap_or_default())
}

fn error_of<'a>(report: &'a RestoreReport, name: &str) -> &'a Problem {
    let mut found = report.errors.iter().filter(|it| it.name.as_deref() == Some(name));
    let error = found.next().unwrap_or_else(|| panic!("{:?}", report.errors));
    assert!(found.next().is_none(), "told once: {:?}", report.errors);
    error
}

fn kept(world: &World, volume: &str) -> (Value, Value) {
    let live = world.cluster.get(&format!("persistentvolumes/{volume}"));
    (live["spec"]["persistentVolumeReclaimPolicy"].clone(), live["status"]["phase"].clone())
}

/// What is wrong, the volumes aside that are kept.
fn faults(source: &World, world: &World) -> Vec<String> {
    let mut faults = faults_of(source, world, "shop");
    let kept = ["3 persistent volumes", "an empty volume was provisioned"];
    faults.retain(|fault| !kept.contains(&fault.as_str()));
    faults.extend(world.cluster.destroyed().iter().map(|name| format!("{name} is destroyed")));
    faults
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_something_made_first_is_refused_with_all_that_would_start_on_it() {
    let source = backed_up().await;
    let (world, empty) = occupied(&source);
    let plan = planned(&world, &restore("rescue")).await;
    let expected = format!(
        "it exists and is bound to {empty}, which was not made of this backup (--take-over-claims \
         replaces it)"
    );
    assert_eq!(item(&plan, "data-db-0"), (Verdict::Refuse, expected.as_str()));
    let set = "it would start on claim data-db-0, which is not the backup's";
    assert_eq!(item(&plan, "db"), (Verdict::Refuse, set));
    assert_eq!(item(&plan, "db-0").0, Verdict::Skip);

    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let hint = error_of(&report, "data-db-0").hint.as_deref().unwrap();
    assert!(hint.contains("--take-over-claims"), "{hint}");
    assert_eq!(world.cluster.find("statefulsets.apps/shop/db"), None);
    assert_eq!(world.cluster.get(CLAIM)["spec"]["volumeName"], empty);
    assert_eq!(kept(&world, &empty), (json!("Delete"), json!("Bound")), "untouched");
    assert_eq!(world.cloud.volumes().len(), 1, "none for a claim that cannot have it");
}

#[tokio::test(start_paused = true)]
async fn it_is_replaced_where_that_is_asked_for_and_its_volume_is_kept_and_named() {
    let source = backed_up().await;
    let (world, empty) = occupied(&source);
    let plan = planned(&world, &taking_over()).await;
    let expected = format!("takes over from volume {empty}, which is kept (Retain)");
    assert_eq!(item(&plan, "data-db-0"), (Verdict::Recreate, expected.as_str()));
    assert_eq!(item(&plan, "db").0, Verdict::Create);

    let report = world.restore(&taking_over()).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    assert_eq!(faults(&source, &world), [""; 0]);
    assert_eq!(kept(&world, &empty), (json!("Retain"), json!("Released")));
    let told = report.warnings.iter().find(|it| it.name.as_deref() == Some(&empty)).unwrap();
    assert!(told.message.contains("claim shop/data-db-0"), "{told:?}");
}

/// Replaces a claim while a call goes wrong, for each call, and goes on until it is done.
async fn disturb(script: fn(usize) -> Script) -> usize {
    let source = backed_up().await;
    for call in 0.. {
        let (world, empty) = occupied(&source.copy().await);
        let process = world.start(script(call));
        let mut report = process.restore(&taking_over()).await;
        if !process.faults.struck() {
            return call;
        }
        let place = format!("{:?}, {}", script(call), process.faults.victim());
        if !matches!(report, Some(Ok(_))) {
            report = Some(world.restore(&taking_over()).await);
        }
        let report = report.unwrap().unwrap();
        assert_eq!(
            (report.phase, report.errors.as_slice()),
            (Phase::Completed, &[][..]),
            "{place}"
        );
        assert_eq!(faults(&source, &world), [""; 0], "{place}");
        assert_eq!(kept(&world, &empty), (json!("Retain"), json!("Released")), "{place}");
        let named = report.warnings.iter().any(|it| it.name.as_deref() == Some(&empty));
        assert!(named, "{place}: {:?}", report.warnings);
    }
    0
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_replaces_a_claim_may_be_killed_at_any_call() {
    let calls = disturb(Script::KilledBefore).await;
    assert!(calls >= 27, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_replaces_a_claim_may_lose_any_reply() {
    let calls = disturb(Script::LosesReply).await;
    assert!(calls >= 27, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_in_use_is_never_replaced() {
    let source = backed_up().await;
    for (user, said) in [
        (
            object(
                "v1",
                "Pod",
                "shop",
                "writer",
                &json!({"spec": {"volumes": [{"name": "data",
                "persistentVolumeClaim": {"claimName": "data-db-0"}}]}}),
            ),
            "pod writer mounts it",
        ),
        (
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment",
                "metadata": {"name": "a"}, "spec": {"nodeName": "node-a"}}),
            "is attached to node node-a",
        ),
    ] {
        let (world, empty) = occupied(&source.copy().await);
        let mut user = user;
        if user["kind"] == "VolumeAttachment" {
            user["spec"]["source"] = json!({"persistentVolumeName": empty});
        }
        world.cluster.add(user);
        let plan = planned(&world, &taking_over()).await;
        let (verdict, reason) = item(&plan, "data-db-0");
        assert!(verdict == Verdict::Refuse && reason.ends_with(said), "{reason}");
        let report = world.restore(&taking_over()).await.unwrap();
        assert_eq!(report.phase, Phase::PartiallyFailed);
        assert!(error_of(&report, "data-db-0").hint.as_deref().unwrap().contains("scale"));
        assert_eq!(kept(&world, &empty), (json!("Delete"), json!("Bound")), "untouched");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_something_holds_is_given_up_in_the_end() {
    let (world, empty) = occupied(&backed_up().await);
    world.cluster.edit(CLAIM, |live| {
        live["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
    });
    let report = world.restore(&taking_over()).await.unwrap();
    let message = &error_of(&report, "data-db-0").message;
    assert!(message.ends_with("within 60 s: kubernetes.io/pvc-protection holds it"), "{message}");
    assert_eq!(kept(&world, &empty).0, json!("Retain"), "nothing is lost when it goes");
    assert_eq!(world.cluster.find("statefulsets.apps/shop/db"), None);
}

/// A target with an operator that makes the claim as soon as the namespace is there.
fn operated(source: &World, times: usize) -> World {
    let world = target(source);
    with_class(&world);
    world.cluster.operate(early_claim(), times);
    // Else the volume that waits for a claim of this name would be there before the claim is.
    world.cloud.be_slow(9);
    world
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_made_in_the_middle_of_the_restore_is_an_error_and_its_volume_waits() {
    let source = backed_up().await;
    let world = operated(&source, 1);
    assert_eq!(item(&planned(&world, &restore("rescue")).await, "data-db-0").0, Verdict::Create);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let error = error_of(&report, "data-db-0");
    assert!(error.message.starts_with("something else made this claim meanwhile"), "{error:?}");
    let told = report.volumes.iter().find(|it| it.claim == "data-db-0").unwrap();
    let volume = told.persistent_volume.as_deref().unwrap();
    assert!(error.hint.as_deref().unwrap().contains(volume), "{error:?}");
    assert_eq!((told.state.as_str(), told.volume_id.is_some()), ("failed", true));
    assert_eq!(kept(&world, volume).1, json!("Available"));
    assert!(error_of(&report, "db").message.contains("not made"), "it would start on it");
    assert_eq!(world.cluster.find("statefulsets.apps/shop/db"), None);

    // As the hint says: whoever makes the claim next gets the backup's data.
    world.cluster.remove(CLAIM);
    world.cluster.add(early_claim());
    assert_eq!(world.cluster.get(CLAIM)["spec"]["volumeName"], volume);
}

/// What was asked for first was less; that much a resumed restore may be asked for anew, and no more.
#[tokio::test(start_paused = true)]
async fn a_resumed_restore_may_replace_what_the_first_run_was_not_asked_to() {
    let source = backed_up().await;
    let world = operated(&source, 1);
    let first = world.restore(&restore("rescue")).await.unwrap();
    let told = first.volumes.iter().find(|it| it.claim == "data-db-0").unwrap();
    let waiting = told.persistent_volume.clone().unwrap();
    let volumes = world.cloud.volumes().len();

    let record = world.backups().restore("rescue").await.unwrap().unwrap().record;
    let mut request = Request::of_record(&record).unwrap();
    request.spec.take_over_claims = true;
    let more = Request {
        spec: RestoreSpec { restore_finished_jobs: true, ..request.spec.clone() },
        ..request.clone()
    };
    let refused = world.restore(&more).await;
    assert!(matches!(refused, Err(Error::NameInUse { .. })), "{refused:?}");
    let refused = world.restore(&taking_over()).await;
    assert!(matches!(refused, Err(Error::NameInUse { .. })), "create is the same or another");

    let second = world.restore(&request).await.unwrap();
    assert_eq!((second.phase, second.errors.as_slice()), (Phase::Completed, &[][..]));
    assert_eq!(second.uid, first.uid);
    assert_eq!(world.cluster.get(CLAIM)["spec"]["volumeName"], waiting);
    assert_eq!(world.cloud.volumes().len(), volumes, "no volume is made twice");
    assert_eq!(world.cluster.destroyed(), [""; 0]);
}

/// As the hint says where the record of a restore is damaged.
#[tokio::test(start_paused = true)]
async fn claims_that_wait_for_volumes_of_another_restore_are_refused_or_replaced() {
    let source = backed_up().await;
    let world = target(&source);
    world.cloud.fail_volumes();
    let first = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(first.phase, Phase::PartiallyFailed);
    world.cloud.heal_volumes();
    world.cluster.remove("statefulsets.apps/shop/db");
    let another = |taken_over| {
        let mut request = restore("another");
        request.spec.take_over_claims = taken_over;
        request
    };
    let plan = planned(&world, &another(false)).await;
    let (verdict, reason) = item(&plan, "data-db-0");
    assert!(verdict == Verdict::Refuse && reason.contains("waits for volume"), "{reason}");
    let plan = planned(&world, &another(true)).await;
    assert_eq!(item(&plan, "data-db-0").0, Verdict::Recreate, "{plan:#?}");
    let second = world.restore(&another(true)).await.unwrap();
    assert_eq!(second.errors.len(), 1, "{:?}", second.errors);
    let message = &error_of(&second, "files").message;
    assert!(message.ends_with("mounts it"), "{message}");
    assert_eq!(world.cluster.get(CLAIM)["status"]["phase"], "Bound");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_made_in_the_middle_is_replaced_where_that_is_asked_for() {
    let source = backed_up().await;
    for times in [1, 3] {
        let world = operated(&source.copy().await, times);
        let report = world.restore(&taking_over()).await.unwrap();
        assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
        let mut faults = faults(&source, &world);
        faults.retain(|fault| !fault.ends_with("persistent volumes"));
        assert_eq!(faults, [""; 0]);
        let kept = report.warnings.iter().filter(|it| it.operation.as_deref() == Some("take over"));
        assert_eq!(kept.count(), times, "{:?}", report.warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_made_again_and_again_is_given_up() {
    let world = operated(&backed_up().await, usize::MAX);
    let report = world.restore(&taking_over()).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let message = &error_of(&report, "data-db-0").message;
    assert!(message.contains("again and again"), "{message}");
    assert_eq!(world.cluster.destroyed(), [""; 0]);
}

fn claims(world: &World, phase: &str) -> Vec<Value> {
    let mut all = world.cluster.all("persistentvolumeclaims");
    all.retain(|claim| claim["status"]["phase"] == phase);
    all
}

/// The claim is deleted while its volume is made; an operator may make another at once.
async fn deleted_while_awaited(request: &Request, replaced: bool) -> (World, RestoreReport) {
    let source = backed_up().await;
    let trial = target(&source.copy().await);
    let process = trial.start(Script::Sound);
    process.restore(request).await.unwrap().unwrap();
    let made = |call: &String| call.starts_with("POST /api/v1/persistentvolumes/");
    let calls = process.faults.calls();
    let last = calls.iter().rposition(made).unwrap();
    let world = target(&source);
    with_class(&world);
    let process = world.start(Script::Waits(last));
    let meanwhile = async {
        process.faults.waiting().await;
        // All but what is made for this volume is done by the time that a claim is bound.
        let (pending, bound) = (|| claims(&world, "Pending"), || claims(&world, "Bound"));
        while bound().is_empty() || pending().is_empty() {
            tokio::task::yield_now().await;
        }
        for mut early in pending() {
            let name = early["metadata"]["name"].as_str().unwrap().to_owned();
            world.cluster.remove(&format!("persistentvolumeclaims/shop/{name}"));
            early["metadata"] = json!({"namespace": "shop", "name": name});
            early["spec"].as_object_mut().unwrap().remove("volumeName");
            // Where a stateful set is there already, it has made it.
            if replaced
                && world.cluster.find(&format!("persistentvolumeclaims/shop/{name}")).is_none()
            {
                world.cluster.add(early);
            }
        }
        process.faults.release();
    };
    let (report, ()) = tokio::join!(process.restore(request), meanwhile);
    (world.clone(), report.unwrap().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_replaced_while_it_is_awaited_is_noticed() {
    let (world, report) = Box::pin(deleted_while_awaited(&restore("rescue"), true)).await;
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let told = report.volumes.iter().find(|it| it.state == "failed").unwrap();
    let error = error_of(&report, &told.claim);
    assert!(error.message.starts_with("something else made this claim"), "{error:?}");
    assert_eq!(kept(&world, told.persistent_volume.as_deref().unwrap()).1, json!("Available"));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_deleted_while_it_is_awaited_is_made_again() {
    let (world, report) = Box::pin(deleted_while_awaited(&restore("rescue"), false)).await;
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    assert_eq!((claims(&world, "Bound").len(), world.cluster.provisioned()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_replacing_a_claim_needs_is_asked_for_before_anything_is_done() {
    for right in [
        "list pods",
        "list volumeattachments.storage.k8s.io",
        "patch persistentvolumes",
        "delete persistentvolumeclaims",
    ] {
        let (world, empty) = occupied(&backed_up().await);
        world.cluster.deny(right);
        let result = world.restore(&taking_over()).await;
        assert!(matches!(result, Err(Error::NotAllowed { .. })), "{right}: {result:?}");
        assert_eq!(kept(&world, &empty), (json!("Delete"), json!("Bound")));
    }
}

/// Replaces a claim to which something happens right before it is deleted.
async fn changed_before_it_is_deleted(user: Option<Value>) -> (World, String, RestoreReport) {
    let source = backed_up().await;
    let trial = occupied(&source.copy().await).0.start(Script::Sound);
    trial.restore(&taking_over()).await.unwrap().unwrap();
    let deleted = |call: &String| call.starts_with("DELETE ");
    let number = trial.faults.calls().iter().position(deleted).unwrap();
    let (world, empty) = occupied(&source);
    let process = world.start(Script::Waits(number));
    let meddle = async {
        process.faults.waiting().await;
        world.cluster.edit(CLAIM, |live| live["metadata"]["labels"]["seen"] = json!("yes"));
        if let Some(user) = user {
            world.cluster.add(user);
        }
        process.faults.release();
    };
    let request = taking_over();
    let (report, ()) = tokio::join!(process.restore(&request), meddle);
    (world.clone(), empty, report.unwrap().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_changes_before_it_is_deleted_is_looked_at_again() {
    let (world, empty, report) = changed_before_it_is_deleted(None).await;
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    assert_ne!(world.cluster.get(CLAIM)["spec"]["volumeName"], empty);

    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]);
    let writer = object("v1", "Pod", "shop", "writer", &json!({"spec": {"volumes": volumes}}));
    let (world, empty, report) = changed_before_it_is_deleted(Some(writer)).await;
    let message = &error_of(&report, "data-db-0").message;
    assert!(message.ends_with("pod writer mounts it"), "{message}");
    assert_eq!(world.cluster.get(CLAIM)["spec"]["volumeName"], empty, "it is left");
}

//! Volumes of a restore: what they are made from and marked with, and what is done when they fail.

use bowline::engine::report::{Phase, Problem, RestoreReport};
use bowline::engine::restore::{Error, Verdict};
use bowline::engine::store::BackupKeys;
use bowline_api::{Snapshot, SnapshotState};
use serde_json::{Value, json};

use crate::application::{backed_up, disk, faults_of, restore, target};
use crate::fake_world::World;
use crate::faults::Script;

/// What happens to a snapshot after it was taken.
type Change = fn(&mut Snapshot);

fn error_of<'a>(report: &'a RestoreReport, claim: &str) -> &'a Problem {
    let of_claim = |it: &&Problem| it.name.as_deref() == Some(claim);
    report.errors.iter().find(of_claim).unwrap_or_else(|| panic!("{:?}", report.errors))
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_as_its_original_was_and_is_marked_with_whose_it_is() {
    let source = backed_up().await;
    let world = target(&source);
    let labelled = |it: &mut Snapshot| drop(it.tags.insert("label".into(), "x".into()));
    world.cloud.edit_snapshot("snap-1", labelled);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let volumes = world.cloud.volumes();
    let volume = volumes.iter().find(|it| it.tags["bowline.io/claim"] == "shop/files").unwrap();
    assert_eq!((volume.spec.volume_type.as_str(), volume.spec.iops), ("fast", Some(3000)));
    let claim = world.cluster.get("persistentvolumeclaims/shop/files");
    let system = world.cluster.get("namespaces/kube-system");
    let document: Value =
        serde_json::from_slice(&world.bucket.read(&BackupKeys("nightly").metadata()).await)
            .unwrap();
    let expected = json!({
        "velero.io/backup": "nightly",
        "velero.io/pv": claim["spec"]["volumeName"],
        "bowline.io/backup-uid": document["metadata"]["uid"],
        "bowline.io/claim": "shop/files",
        "bowline.io/cluster-uid": system["metadata"]["uid"],
        "bowline.io/restore-uid": report.uid,
    });
    assert_eq!(json!(volume.tags), expected);
    for volume in volumes {
        assert_eq!(volume.spec.tags.get("label"), None, "not of the volume, but of its snapshot");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_a_trusted_account_shares_needs_no_tags() {
    let source = backed_up().await;
    let world = target(&source);
    for snapshot in world.cloud.snapshots() {
        world.cloud.edit_snapshot(&snapshot.id, |it| {
            it.tags.clear();
            it.shared_by = Some("123456789012".to_owned());
        });
    }
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(faults_of(&source, &world, "shop"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_cannot_be_used_is_its_claims_error_and_says_why() {
    let source = backed_up().await;
    let files = disk(&source, "files");
    let snapshots = source.cloud.snapshots();
    let id = &snapshots.iter().find(|snapshot| snapshot.volume_id == files).unwrap().id;
    let changes: [(Change, &str); 2] = [
        (|it| it.volume_id = "disk-x".to_owned(), "is of volume disk-x, not of"),
        (|it| it.state = SnapshotState::Failed("gone".to_owned()), "failed: gone"),
    ];
    for (change, said) in changes {
        let world = target(&source.copy().await);
        world.cloud.freeze_snapshots();
        world.cloud.edit_snapshot(id, change);
        let report = world.restore(&restore("rescue")).await.unwrap();
        assert_eq!(report.phase, Phase::PartiallyFailed);
        let error = error_of(&report, "files");
        assert!(error.message.contains(said), "{error:?}");
        assert!(error.hint.as_deref().unwrap().contains("the claim stays Pending"), "{error:?}");
        assert_eq!((world.cloud.volumes().len(), world.cluster.provisioned()), (1, 0), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_plan_says_which_snapshot_is_gone_and_the_rest_is_restored() {
    let world = target(&backed_up().await);
    let lost = world.cloud.snapshots().remove(0);
    world.cloud.lose(&lost.id);
    let process = world.start(Script::Sound);
    let plan = process.engine.plan_restore(&restore("rescue")).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    let refused: Vec<_> = plan.items.iter().filter(|it| it.verdict == Verdict::Refuse).collect();
    let [volume] = refused[..] else { panic!("{refused:?}") };
    assert_eq!(volume.resource, "persistentvolumes");
    assert_eq!(volume.reason.as_deref(), Some(&*format!("snapshot {} does not exist", lost.id)));
    let of_claims = plan.items.iter().filter(|it| it.resource == "persistentvolumeclaims");
    let waiting =
        of_claims.filter(|it| it.reason.as_deref().unwrap_or_default().contains("Pending"));
    let waiting: Vec<_> = waiting.collect();
    let [claim] = waiting[..] else { panic!("{waiting:?}") };
    assert_eq!(claim.verdict, Verdict::Create, "nothing empty may be made in its place");

    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let error = error_of(&report, &claim.name);
    assert!(error.message.contains("does not exist"), "{error:?}");
    let errors = report.errors.iter().filter(|it| it.message.contains("does not exist"));
    assert_eq!(errors.count(), 1, "told once: {:?}", report.errors);
    let live = world.cluster.get(&format!("persistentvolumeclaims/shop/{}", claim.name));
    assert_eq!(live["status"]["phase"], "Pending");
    assert_eq!((world.cloud.volumes().len(), world.cluster.provisioned()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_answers_for_no_snapshot_ends_the_restore_before_it_begins() {
    let world = target(&backed_up().await);
    world.cloud.be_silent(true);
    let process = world.start(Script::Sound);
    let planned = process.engine.plan_restore(&restore("rescue")).await.unwrap_err();
    let error = process.restore(&restore("rescue")).await.unwrap().unwrap_err();
    for error in [planned, error] {
        assert!(matches!(error, Error::Provider { provider: "fake", .. }), "{error:?}");
    }
    assert_eq!(process.faults.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn each_snapshot_is_looked_at_once() {
    let world = target(&backed_up().await);
    world.cloud.take_described();
    world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(world.cloud.take_described(), ["snap-1", "snap-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_another_region_is_said_to_be_there() {
    let source = backed_up().await;
    let world = target(&source);
    world.cloud.be_in(&["west-1", "west-2"]);
    world.cloud.forget_snapshots();
    let report = world.restore(&restore("rescue")).await.unwrap();
    let message = &error_of(&report, "files").message;
    assert!(message.contains("does not exist here: it was taken in zone zone-a"), "{message}");
    assert!(message.contains("another region than west-1, west-2"), "{message}");

    let world = target(&source);
    world.cloud.be_in(&["zone-a"]);
    let report = world.restore(&restore("again")).await.unwrap();
    let message = &error_of(&report, "files").message;
    assert!(message.ends_with("does not exist"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_never_available_is_given_up_and_kept_and_named() {
    let world = target(&backed_up().await);
    world.cloud.be_slow(usize::MAX);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let volumes = world.cloud.volumes();
    assert_eq!((volumes.len(), world.cluster.provisioned()), (2, 0));
    for told in &report.volumes {
        let made = volumes.iter().find(|it| it.tags["bowline.io/claim"].ends_with(&told.claim));
        let id = &made.unwrap().id;
        assert_eq!((told.state.as_str(), told.volume_id.as_ref()), ("failed", Some(id)));
        let error = error_of(&report, &told.claim);
        assert_eq!(error.message, format!("volume {id} is still creating after 30 min"));
        assert!(error.hint.as_deref().unwrap().contains(&format!("volume {id} is kept")));
    }
}

/// The claims that have volumes, as often as they have some.
fn claims_with_volumes(world: &World) -> Vec<String> {
    let volumes = world.cloud.volumes();
    let mut claims: Vec<_> =
        volumes.iter().map(|volume| volume.tags["bowline.io/claim"].clone()).collect();
    claims.sort_unstable();
    claims
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_while_its_volumes_fail_is_resumed_without_second_ones() {
    let source = backed_up().await;
    for call in 0.. {
        let world = target(&source.copy().await);
        world.cloud.be_slow(2);
        world.cloud.fail_volumes();
        let process = world.start(Script::KilledBefore(call));
        if process.restore(&restore("rescue")).await.is_some() {
            assert!(call >= 27, "{call} calls");
            return;
        }
        let place = process.faults.victim();
        world.cloud.heal_volumes();
        let report = world.restore(&restore("rescue")).await.unwrap();
        let bound = report.volumes.iter().filter(|volume| volume.state == "bound");
        let mut bound: Vec<_> = bound.map(|it| format!("{}/{}", it.namespace, it.claim)).collect();
        bound.sort_unstable();
        assert_eq!(claims_with_volumes(&world), bound, "{place}: {:?}", report.errors);
        assert_eq!(report.volumes.len(), 2, "{place}");
        assert_eq!(world.cluster.provisioned(), 0, "{place}");
        assert_eq!(world.cluster.all("persistentvolumes").len(), bound.len(), "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_failed_is_gone_and_the_next_restore_refuses_its_claim() {
    let world = target(&backed_up().await);
    world.cloud.fail_volumes();
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert!(report.volumes.iter().all(|volume| volume.volume_id.is_none()), "{report:?}");
    assert_eq!(claims_with_volumes(&world), [""; 0]);
    world.cloud.heal_volumes();
    let again = world.restore(&restore("again")).await.unwrap();
    assert!(error_of(&again, "files").message.contains("waits for volume"), "{:?}", again.errors);
    assert_eq!(claims_with_volumes(&world), [""; 0]);
}

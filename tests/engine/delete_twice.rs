//! Two deletions at once, and a backup that gets the name meanwhile.

use bowline::engine::delete::{Error, SnapshotFate};
use bowline::engine::report::Phase;
use bowline::engine::store::BackupKeys;
use serde_json::json;

use crate::application::{backed_up, backup, restore, target};
use crate::delete::{ids, remains};
use crate::fake_world::World;
use crate::faults::Script;

/// The calls of a deletion, in words.
async fn calls() -> Vec<String> {
    let process = backed_up().await.start(Script::Sound);
    process.delete("nightly").await.unwrap().unwrap();
    process.faults.calls()
}

async fn is_whole(world: &World) -> bool {
    matches!(target(world).restore(&restore("proof")).await, Ok(it) if it.phase == Phase::Completed)
}

/// One run is held up at a call of the cloud, or when it marks the backup. Meanwhile another run
/// finishes, and the next backup takes the name.
#[tokio::test(start_paused = true)]
async fn a_deletion_that_was_held_up_leaves_a_new_backup_of_the_name_alone() {
    let mut held_up = 0;
    for (number, call) in calls().await.into_iter().enumerate() {
        if !call.starts_with("cloud:") && !call.starts_with("store: create") {
            continue;
        }
        held_up += 1;
        let world = backed_up().await;
        let slow = world.start(Script::Waits(number));
        let meanwhile = async {
            slow.faults.waiting().await;
            let report = world.delete("nightly").await.unwrap();
            assert_eq!(report.phase, Phase::Completed, "{call}");
            world.back_up(&backup()).await.unwrap();
            let remains = remains(&world).await;
            slow.faults.release();
            remains
        };
        let (report, new) = tokio::join!(slow.delete("nightly"), meanwhile);
        let report = report.unwrap().unwrap();
        assert_eq!(report.phase, Phase::Completed, "{call}: {:?}", report.errors);
        assert_eq!(report.warnings.len(), 1, "{call}: {:?}", report.warnings);
        assert!(report.snapshots.iter().all(|it| it.state != SnapshotFate::Foreign), "{call}");
        assert_eq!(remains(&world).await, new, "{call}");
        assert!(is_whole(&world).await, "{call}");
    }
    assert!(held_up >= 4, "{held_up}");
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_of_another_backup_is_refused_and_nothing_is_touched() {
    let world = backed_up().await;
    let tombstone = json!({"name": "nightly", "uid": "another", "snapshots": [],
        "startTimestamp": "2026-03-01T02:00:00Z"});
    let key = BackupKeys("nightly").tombstone();
    world.bucket.write(&key, tombstone.to_string().into()).await;
    let before = remains(&world).await;
    match world.delete("nightly").await {
        Err(Error::OtherBackup { mark, .. }) => assert_eq!(mark, key),
        other => panic!("{other:?}"),
    }
    assert_eq!(remains(&world).await, before);
    world.bucket.delete(&key).await;
    assert!(is_whole(&world).await);
    assert_eq!(ids(&world).len(), 2);
}

//! A deletion may break at any call. Running it again leaves nothing behind, and takes no more.

use bowline::engine::delete;
use bowline::engine::report::Phase;

use crate::application::{backed_up, restore, target};
use crate::delete::foreign_snapshot;
use crate::fake_world::{World, now};
use crate::faults::{Faults, Script};

/// A backup, and a snapshot that is none of its business.
async fn world() -> (World, String) {
    let world = backed_up().await;
    let foreign = foreign_snapshot(&world, &[("velero.io/backup", "nightly")]).await;
    (world, foreign.id)
}

/// Lets a deletion break at every one of its calls, and runs it again each time.
async fn break_at_every_call(script: fn(usize) -> Script) -> usize {
    for call in 0.. {
        let (world, foreign) = world().await;
        let process = world.start(script(call));
        let result = process.delete("nightly").await;
        let place = format!("{:?}, {}", script(call), process.faults.victim());
        let is_done = matches!(&result, Some(Ok(report)) if report.phase == Phase::Completed);
        if !is_done {
            let names = world.backups().backup_names().await.unwrap();
            if !names.is_empty() {
                let report = world.delete("nightly").await.unwrap();
                assert_eq!(report.phase, Phase::Completed, "{place}: {:?}", report.errors);
            }
        }
        assert_eq!(world.bucket.keys().await, [""; 0], "{place}");
        let left: Vec<_> = world.cloud.snapshots().into_iter().map(|it| it.id).collect();
        assert_eq!(left, [foreign], "{place}");
        if !process.faults.struck() {
            return call;
        }
    }
    0
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_killed_at_any_call_is_finished_by_the_next_run() {
    let calls = break_at_every_call(Script::KilledBefore).await;
    assert!(calls >= 16, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_cut_off_at_any_call_is_finished_by_the_next_run() {
    let calls = break_at_every_call(Script::CutOffFrom).await;
    assert!(calls >= 16, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_reply_is_lost_at_any_call_is_finished_by_the_next_run() {
    let calls = break_at_every_call(Script::LosesReply).await;
    assert!(calls >= 16, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_of_which_any_call_fails_is_finished_by_the_next_run() {
    let calls = break_at_every_call(Script::Fails).await;
    assert!(calls >= 16, "{calls} calls");
}

/// Until the tombstone is written a backup is whole; from then on it is no backup any more.
#[tokio::test(start_paused = true)]
async fn at_no_time_is_there_a_good_backup_without_its_snapshots() {
    for call in 0.. {
        let (world, _) = world().await;
        let process = world.start(Script::KilledBefore(call));
        if process.delete("nightly").await.is_some() {
            assert!(call >= 16, "{call} calls");
            return;
        }
        let restored = target(&world).restore(&restore("proof")).await;
        let is_whole = matches!(&restored, Ok(report) if report.phase == Phase::Completed);
        // Before it the store is asked whether it removes anything: two calls.
        assert_eq!(is_whole, call <= 2, "{}: {restored:?}", process.faults.victim());
    }
}

#[tokio::test(start_paused = true)]
async fn the_deletion_of_a_restore_that_breaks_at_any_call_can_be_run_again() {
    let done = backed_up().await;
    target(&done).restore(&restore("rescue")).await.unwrap();
    for call in 0.. {
        let world = done.copy().await;
        let faults = Faults::new(Script::CutOffFrom(call));
        let result = delete::restore(&world.store(&faults), None, now(), "rescue").await;
        if result.is_err() {
            delete::restore(&world.backups(), None, now(), "rescue").await.unwrap();
        }
        assert_eq!(world.backups().restore_names().await.unwrap(), [""; 0]);
        if !faults.struck() {
            assert!(call >= 7, "{call} calls");
            return;
        }
    }
}

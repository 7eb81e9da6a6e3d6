//! An expiry may break at any call. Running it again leaves nothing behind, and takes no more.

use std::collections::BTreeSet;

use bowline::engine::backup;
use bowline::engine::report::Phase;
use bowline::engine::schedule::expire::{Fate, Request};

use crate::application::backup;
use crate::expire::{WEST, add_backup, four_nights, name, names, record, snapshotted};
use crate::fake_world::World;
use crate::faults::Script;

/// Two backups that stay and two that go, two of another cluster, and the record of an old run.
async fn world() -> World {
    let world = four_nights().await;
    for day in [1, 2] {
        add_backup(&world, "nightly", "east", day).await;
    }
    let old = "nightly-20251224020000-0a1b2c";
    world.backups().begin_run(&record("nightly", WEST, old, 1)).await.unwrap();
    world
}

/// The backups that stay.
fn expected() -> BTreeSet<String> {
    [1, 2, 23, 24].map(|day| name("nightly", day)).into()
}

/// Lets an expiry break at every one of its calls, and runs it again each time.
async fn break_at_every_call(script: fn(usize) -> Script) -> usize {
    let before = world().await;
    let whole = before.copy().await;
    assert_eq!(whole.expire().await.phase, Phase::Completed);
    let left = whole.bucket.keys().await;
    for call in 0.. {
        let world = before.copy().await;
        let process = world.start(script(call));
        drop(process.expire(&Request::default()).await);
        let place = format!("{:?}, {}", script(call), process.faults.victim());
        finish(&world, &left, &place).await;
        if !process.faults.struck() {
            return call;
        }
    }
    0
}

/// Expires once more: what is there then is what an expiry leaves that nothing happens to.
async fn finish(world: &World, left: &[String], place: &str) {
    let report = world.expire().await;
    assert_eq!(report.phase, Phase::Completed, "{place}: {:?}", report.errors);
    assert_eq!(names(world).await, Vec::from_iter(expected()), "{place}");
    assert_eq!(snapshotted(world), expected(), "{place}");
    assert_eq!(world.bucket.keys().await, left, "{place}");
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_is_killed_at_any_call_is_finished_by_the_next_one() {
    let calls = break_at_every_call(Script::KilledBefore).await;
    assert!(calls >= 35, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_is_cut_off_at_any_call_is_finished_by_the_next_one() {
    let calls = break_at_every_call(Script::CutOffFrom).await;
    assert!(calls >= 35, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn an_expiry_of_which_any_call_fails_or_loses_its_reply_is_finished_by_the_next_one() {
    for script in [Script::Fails, Script::LosesReply] {
        let calls = break_at_every_call(script).await;
        assert!(calls >= 35, "{calls} calls");
    }
}

/// Of two at once, one waits at some call until the other has done everything.
#[tokio::test(start_paused = true)]
async fn two_expiries_at_once_take_no_more_than_one() {
    let before = world().await;
    let process = before.copy().await.start(Script::Sound);
    process.expire(&Request::default()).await.unwrap().unwrap();
    for call in 0..process.faults.calls().len() {
        let world = before.copy().await;
        let slow = world.start(Script::Waits(call));
        let meanwhile = async {
            slow.faults.waiting().await;
            let report = world.expire().await;
            slow.faults.release();
            report
        };
        let request = Request::default();
        let (slow_report, report) = tokio::join!(slow.expire(&request), meanwhile);
        let place = slow.faults.victim();
        assert_eq!(report.phase, Phase::Completed, "{place}: {:?}", report.errors);
        let slow_report = slow_report.unwrap().unwrap();
        assert_eq!(slow_report.phase, Phase::Completed, "{place}: {:?}", slow_report.errors);
        assert_eq!(names(&world).await, Vec::from_iter(expected()), "{place}");
        assert_eq!(snapshotted(&world), expected(), "{place}");
    }
}

/// While the first of two goes, somebody deletes the second one and makes another of its name.
#[tokio::test(start_paused = true)]
async fn what_got_the_name_of_one_that_should_go_is_left_alone() {
    let world = four_nights().await;
    let renewed = name("nightly", 22);
    // The first call asks for the time.
    let slow = world.start(Script::Waits(1));
    let meanwhile = async {
        slow.faults.waiting().await;
        world.delete(&renewed).await.unwrap();
        world.back_up(&backup::Request { name: renewed.clone(), ..backup() }).await.unwrap();
        slow.faults.release();
    };
    let request = Request::default();
    let (report, ()) = tokio::join!(slow.expire(&request), meanwhile);
    let report = report.unwrap().unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let one = report.backups.iter().find(|it| it.name == renewed).unwrap();
    let why = format!("backup \"{renewed}\" is another one by now");
    assert_eq!((one.verdict, &one.reasons[0]), (Fate::Keep, &why));
    let expected = BTreeSet::from([22, 23, 24].map(|day| name("nightly", day)));
    assert_eq!(snapshotted(&world), expected);
}

//! When a runner begins a run, and when it lets one wait.

#![expect(clippy::future_not_send, reason = "a runner and who watches it stay on their thread")]

use std::time::Duration;

use bowline::engine::clock::pause;
use bowline::engine::model::schedule::{ConcurrencyPolicy, RunRecord};
use bowline::engine::schedule::attempt::{Attempted, Occasion, attempt};
use bowline::engine::schedule::runner::Options;

use serde_json::json;

use crate::fake_world::World;
use crate::faults::Script;
use crate::scheduled::{clock, faults_of_runs, nightly, process, time, world};
use crate::scheduled_together::{Seen, options, run_with};

/// What a runner notes in 31 minutes, while snapshots take until the 25th.
async fn while_one_takes_long(
    policy: ConcurrencyPolicy,
    options: &Options,
) -> (World, Vec<String>) {
    let (clock, world) = (clock(), world(clock()));
    world.backups().create_schedule(&nightly(&world, policy)).await.unwrap();
    world.cloud.be_slow(usize::MAX);
    let (context, _) = process(&world, Script::Sound, clock);
    let seen = Seen::new(clock);
    let done = async {
        pause(Duration::from_mins(25)).await;
        world.cloud.be_done();
    };
    let running = run_with(options, &context, &seen, Duration::from_mins(31));
    let (cut_off, ()) = tokio::join!(running, done);
    assert_eq!(cut_off, [""; 0]);
    (world, seen.notes.take())
}

#[tokio::test(start_paused = true)]
async fn what_is_due_while_its_forerunner_goes_on_begins_at_that_ones_end() {
    let options = Options { at_once: 2, ..options() };
    let (world, notes) = while_one_takes_long(ConcurrencyPolicy::Forbid, &options).await;
    let run = |minute| [format!("2026-03-01T00:{minute}:00Z for 0"), "after nightly".to_owned()];
    let expected = [run(10).to_vec(), run(20).to_vec(), run(30).to_vec()];
    assert_eq!(notes[..6], expected.concat());
    assert_eq!(notes[6..], ["stopping with 0"]);
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_replaces_its_forerunner_does_not_wait_for_room() {
    let (world, notes) = while_one_takes_long(ConcurrencyPolicy::Replace, &options()).await;
    let begun = |minute| format!("2026-03-01T00:{minute}:00Z for 0");
    assert_eq!(notes[..2], [begun(10), begun(20)]);
    let replaced = "made no backup: nightly-20260301002000-";
    assert!(notes[2].starts_with("failed: run ") && notes[2].contains(replaced), "{notes:?}");
    assert_eq!(notes[3..], ["after nightly", &begun(30), "after nightly", "stopping with 0"]);
    assert_eq!(faults_of_runs(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_left_out_is_tried_again_a_minute_later_and_no_sooner() {
    let (clock, world) = (clock(), world(clock()));
    let schedule = nightly(&world, ConcurrencyPolicy::Forbid);
    world.backups().create_schedule(&schedule).await.unwrap();
    let (by_hand, faults) = process(&world, Script::Waits(8), clock);
    let (context, _) = process(&world, Script::Sound, clock);
    let seen = Seen::new(clock);
    let release = async {
        pause(Duration::from_secs(12 * 60 + 30)).await;
        faults.release();
    };
    let options = options();
    let running = run_with(&options, &context, &seen, Duration::from_mins(15));
    let (cut_off, made, ()) =
        tokio::join!(running, attempt(&by_hand, &schedule, Occasion::Asked), release);
    made.unwrap();
    assert_eq!(cut_off, [""; 0]);
    let notes = seen.notes.take();
    let begun = "2026-03-01T00:10:00Z for 0";
    assert_eq!(notes.iter().filter(|note| *note == begun).count(), 4, "{notes:?}");
    assert_eq!(notes.iter().filter(|note| note.starts_with("left out: ")).count(), 3, "{notes:?}");
    assert_eq!(notes[6..], [begun, "after nightly", "stopping with 0"]);
}

#[tokio::test(start_paused = true)]
async fn a_location_that_cannot_be_read_is_asked_more_and_more_seldom_until_it_can() {
    let (clock, world) = (clock(), world(clock()));
    world.backups().create_schedule(&nightly(&world, ConcurrencyPolicy::Forbid)).await.unwrap();
    // From the first change on, which is that of the run at 00:10, and of each one after.
    let (context, faults) = process(&world, Script::CutOffFrom(0), clock);
    let seen = Seen::new(clock);
    let mend = async {
        pause(Duration::from_mins(11)).await;
        faults.mend();
    };
    let options = options();
    let running = run_with(&options, &context, &seen, Duration::from_mins(13));
    let (cut_off, ()) = tokio::join!(running, mend);
    assert_eq!(cut_off, [""; 0]);
    let notes = seen.notes.take();
    let unreachable: Vec<_> =
        notes.iter().filter_map(|it| it.strip_prefix("unreachable at ")).collect();
    let first = ["10:00", "10:05", "10:15", "10:35"];
    let again = ["11:15", "11:20", "11:30", "11:50", "12:30"];
    let expected = first.iter().chain(&again).map(|at| format!("2026-03-01T00:{at}Z"));
    assert_eq!(unreachable, expected.collect::<Vec<_>>(), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_clock_that_was_ahead_has_run_is_not_run_again_and_keeps_nothing_else_from_running()
{
    let (clock, world) = (clock(), world(clock()));
    let store = world.backups();
    store.create_schedule(&nightly(&world, ConcurrencyPolicy::Forbid)).await.unwrap();
    let record: RunRecord = serde_json::from_value(json!({
        "schedule": "nightly", "scheduleUid": "u1", "clusterUid": "c1",
        "backup": "nightly-20260301002001-0a1b2c", "uid": "a", "due": "2026-03-01T00:20:00Z",
        "missed": 0, "startTimestamp": "2026-03-01T00:20:01Z", "holder": "h", "version": "0.1.0",
    }))
    .unwrap();
    store.begin_run(&record).await.unwrap();
    let (context, _) = process(&world, Script::Sound, clock);
    let seen = Seen::new(clock);
    let options = options();
    run_with(&options, &context, &seen, Duration::from_mins(31)).await;
    let run = |minute| [format!("2026-03-01T00:{minute}:00Z for 0"), "after nightly".to_owned()];
    let expected = [run(10).to_vec(), run(30).to_vec(), vec!["stopping with 0".to_owned()]];
    assert_eq!(seen.notes.take(), expected.concat());
}

#[tokio::test(start_paused = true)]
async fn who_finds_the_same_time_due_as_another_process_that_was_quicker_leaves_it_out() {
    let (clock, world) = (clock(), world(clock()));
    let schedule = nightly(&world, ConcurrencyPolicy::Forbid);
    let due = Occasion::Due { at: time("2026-03-01T00:00:00Z"), missed: 0 };
    let (context, _) = process(&world, Script::Sound, clock);
    let first = attempt(&context, &schedule, due).await;
    assert!(matches!(first, Ok(Attempted::Made(_))), "{first:?}");
    let second = attempt(&context, &schedule, due).await;
    let Ok(Attempted::LeftOut { reason }) = second else { panic!("{second:?}") };
    assert!(reason.ends_with("was begun by another process"), "{reason}");
}

//! The log of what still runs can be read from anywhere, and nothing is left of its pieces.

use bowline::engine::backup;
use bowline::engine::logs::{Reader, State};
use bowline::engine::report::Phase;
use bowline::engine::store::BackupKeys;

use crate::application::{backed_up, backup, restore, source, target};
use crate::crash_backup::{faults_of_backup, keys_of_a_backup, replacing};
use crate::fake_world::World;
use crate::faults::Script;

const LOGS: &str = "metadata/bowline/logs/";
/// How often snapshots are looked at until they are complete: half a minute goes by.
const SLOW: usize = 7;

fn slow_source() -> World {
    let world = source();
    world.cloud.be_slow(SLOW);
    world
}

/// The keys of all pieces that are in the bucket.
async fn pieces(world: &World) -> Vec<String> {
    let mut keys = world.bucket.keys().await;
    keys.retain(|key| key.starts_with(LOGS));
    keys
}

/// What the log of the backup says, to who reads it for the first time.
async fn log(world: &World) -> (String, State) {
    let store = world.backups();
    let chunk = Reader::of_backup(&store, "nightly").read_on().await.unwrap();
    (chunk.text, chunk.state)
}

/// How often a line of a log says something.
fn count(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(words)).count()
}

/// A backup that is killed just before it tells how its snapshots ended.
async fn killed_while_it_ran() -> World {
    let world = slow_source();
    let process =
        world.start(Script::KilledAt("store: create backups/nightly/bowline-report.json"));
    assert!(process.back_up(&backup()).await.is_none());
    world
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_backup_is_read_while_it_runs_and_whole_when_it_is_done() {
    let world = killed_while_it_ran().await;
    let keys = pieces(&world).await;
    let attempt = world.bucket.read(&BackupKeys("nightly").attempt()).await;
    let attempt: serde_json::Value = serde_json::from_slice(&attempt).unwrap();
    let prefix = format!("{LOGS}backups/nightly/{}/", attempt["uid"].as_str().unwrap());
    assert_eq!(keys.first(), Some(&format!("{prefix}00000001.gz")), "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with(&prefix)), "{keys:?}");

    let store = world.backups();
    let mut reader = Reader::of_backup(&store, "nightly");
    let first = reader.read_on().await.unwrap();
    assert_eq!(first.state, State::Running);
    for words in ["msg=checking", "snapshot started", "msg=\"awaiting snapshots\""] {
        assert!(first.text.contains(words), "{words} is not in\n{}", first.text);
    }
    assert_eq!(reader.read_on().await.unwrap().text, "", "nothing is read twice");

    world.finish().await.unwrap();
    let rest = reader.read_on().await.unwrap();
    assert_eq!(rest.state, State::Whole);
    assert_eq!(count(&rest.text, "msg=checking"), 0, "read before:\n{}", rest.text);
    assert_eq!(count(&rest.text, "msg=committing"), 1, "{}", rest.text);
    let (whole, state) = log(&world).await;
    assert_eq!((count(&whole, "msg=checking"), state), (1, State::Whole), "{whole}");
    assert_eq!(count(&whole, "msg=\"awaiting snapshots\""), 2, "both runs said so:\n{whole}");
    assert_eq!(pieces(&world).await, [""; 0], "finishing clears them");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_up_another_s_log_goes_on_after_its_pieces() {
    let world = killed_while_it_ran().await;
    let before = pieces(&world).await;
    world.cloud.be_slow(SLOW);
    let process =
        world.start(Script::KilledAt("store: create backups/nightly/bowline-report.json"));
    assert!(process.finish().await.is_none());
    let after = pieces(&world).await;
    assert!(after.starts_with(&before), "{before:?}\n{after:?}");
    let (text, _) = log(&world).await;
    assert_eq!(count(&text, "msg=checking"), 1, "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_was_logged_before_the_first_piece_is_not_lost_once_the_archive_is_whole() {
    let world = source();
    let process =
        world.start(Script::KilledAt("store: create backups/nightly/bowline-report.json"));
    assert!(process.back_up(&backup()).await.is_none());
    assert_eq!(pieces(&world).await, [""; 0], "it took no time");
    let (text, state) = log(&world).await;
    assert_eq!((count(&text, "msg=checking"), state), (1, State::Running), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_done_or_gone_has_no_pieces() {
    let world = slow_source();
    assert_eq!(world.back_up(&backup()).await.unwrap().phase, Phase::Completed);
    assert_eq!(pieces(&world).await, [""; 0]);

    let world = killed_while_it_ran().await;
    assert_ne!(pieces(&world).await, [""; 0]);
    world.delete("nightly").await.unwrap();
    assert_eq!(world.bucket.keys().await, [""; 0]);
    assert_eq!(log(&world).await, (String::new(), State::Absent));

    let world = killed_while_it_ran().await;
    assert_eq!(world.back_up(&replacing()).await.unwrap().phase, Phase::Completed);
    assert_eq!(pieces(&world).await, [""; 0]);
}

/// A crash leaves at worst pieces of an attempt that can be read, replaced and deleted.
#[tokio::test(start_paused = true)]
async fn a_slow_backup_may_be_killed_at_any_call() {
    let keys = keys_of_a_backup().await;
    for call in 0.. {
        let world = slow_source();
        let process = world.start(Script::KilledBefore(call));
        let result = process.back_up(&backup()).await;
        if !process.faults.struck() {
            assert_eq!(result.unwrap().unwrap().phase, Phase::Completed);
            let calls = process.faults.calls();
            let written = calls.iter().filter(|call| call.contains(LOGS)).count();
            assert!(written >= 4, "written and removed again: {calls:?}");
            return;
        }
        let place = format!("before call {call}, {}", process.faults.victim());
        let held = world.bucket.keys().await;
        assert!(held.is_empty() || log(&world).await.1 != State::Absent, "{place}: {held:?}");
        let other = world.copy().await;
        world.back_up(&replacing()).await.unwrap();
        assert_eq!(faults_of_backup(&world, &keys).await, [""; 0], "{place}");
        if !held.is_empty() {
            other.delete("nightly").await.unwrap();
            assert_eq!(other.bucket.keys().await, [""; 0], "{place}");
        }
    }
}

/// The calls of a slow backup that write pieces, by number.
async fn writes_of_pieces() -> Vec<usize> {
    let process = slow_source().start(Script::Sound);
    process.back_up(&backup()).await.unwrap().unwrap();
    let calls = process.faults.calls();
    let is_write = |call: &String| call.starts_with(&format!("store: create {LOGS}"));
    let writes: Vec<_> = (0..calls.len()).filter(|call| is_write(&calls[*call])).collect();
    assert!(writes.len() >= 2, "{calls:?}");
    writes
}

#[tokio::test(start_paused = true)]
async fn a_piece_that_cannot_be_written_harms_nothing_and_comes_with_the_next_one() {
    let keys = keys_of_a_backup().await;
    for call in writes_of_pieces().await {
        for script in [Script::Fails(call), Script::LosesReply(call)] {
            let world = slow_source();
            let process = world.start(script);
            let report = process.back_up(&backup()).await.unwrap().unwrap();
            assert!(process.faults.struck(), "{script:?}");
            assert_eq!(report.phase, Phase::Completed, "{script:?}");
            assert_eq!((report.warnings, report.errors), (vec![], vec![]), "{script:?}");
            assert_eq!(faults_of_backup(&world, &keys).await, [""; 0], "{script:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_is_in_one_piece_only_whether_its_reply_is_lost_or_its_write_fails() {
    let first = writes_of_pieces().await[0];
    let expected = log(&killed_while_it_ran().await).await.0;
    assert_eq!(count(&expected, "msg=checking"), 1, "{expected}");
    for script in [Script::LosesReply(first), Script::Fails(first)] {
        let world = slow_source();
        let process = world.start(script);
        // Nobody tells how the snapshots are doing: it breaks off, and can be finished.
        world.cloud.be_silent(true);
        let broken = process.back_up(&backup()).await.unwrap();
        assert!(matches!(broken, Err(backup::Error::Unfinished { .. })), "{broken:?}");
        world.cloud.be_silent(false);
        let text = log(&world).await.0;
        assert_eq!(count(&text, "msg=checking"), 1, "{script:?}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_restore_is_read_while_it_runs_and_cleared_at_its_end() {
    let source = backed_up().await;
    source.cloud.be_slow(SLOW);
    let world = target(&source);
    let result = "store: create restores/rescue/restore-rescue-logs.gz";
    let process = world.start(Script::KilledAt(result));
    assert!(process.restore(&restore("rescue")).await.is_none());
    let keys = pieces(&world).await;
    assert!(keys[0].starts_with(&format!("{LOGS}restores/rescue/")), "{keys:?}");
    let store = world.backups();
    let mut reader = Reader::of_restore(&store, None, "rescue");
    let first = reader.read_on().await.unwrap();
    assert_eq!(first.state, State::Running);
    assert!(first.text.contains("msg=\"restoring objects\""), "{}", first.text);

    let again = world.copy().await;
    again.backups().remove_restore("rescue").await.unwrap();
    assert_eq!(pieces(&again).await, [""; 0], "deleting clears them");

    world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(reader.read_on().await.unwrap().state, State::Whole);
    assert_eq!(pieces(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_restore_that_was_interrupted_at_its_very_end_is_not_taken_for_all_of_it() {
    let world = target(&backed_up().await);
    let result = "store: create restores/rescue/bowline-result.json";
    assert!(world.start(Script::KilledAt(result)).restore(&restore("rescue")).await.is_none());
    assert!(
        world.bucket.keys().await.contains(&"restores/rescue/restore-rescue-logs.gz".to_owned())
    );
    let store = world.backups();
    let mut reader = Reader::of_restore(&store, None, "rescue");
    let first = reader.read_on().await.unwrap();
    assert_eq!((first.text.is_empty(), first.state), (false, State::Running));
    world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(reader.read_on().await.unwrap().state, State::Whole);
}

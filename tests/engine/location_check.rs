//! What a location is tried for, and that nothing of that stays behind.

use bowline::engine::clock::Clock;
use bowline::engine::location::{CheckReport, Outcome, check};
use jiff::Timestamp;

use crate::fake_cluster::FakeCluster;
use crate::fake_world::World;
use crate::faults::{Faults, Script};

const CLOCK: Clock = Clock::Fixed(Timestamp::UNIX_EPOCH);

fn empty() -> World {
    World::new(FakeCluster::new("any"))
}

fn outcomes(report: &CheckReport) -> Vec<(&str, Outcome)> {
    report.steps.iter().map(|step| (step.name, step.outcome)).collect()
}

#[tokio::test]
async fn a_sound_location_passes_every_step_and_is_left_as_it_was() {
    let world = empty();
    world.bucket.write("backups/a/b", "c".into()).await;
    let report = check(&world.backups(), CLOCK).await;
    assert!(report.is_good() && report.is_usable(), "{:?}", report.steps);
    assert_eq!(report.steps.len(), 9);
    assert_eq!(report.warnings, []);
    assert_eq!(world.bucket.keys().await, ["backups/a/b"]);
}

#[tokio::test]
async fn directories_that_velero_does_not_know_are_a_warning() {
    let world = empty();
    for key in ["backups/a/b", "restic/x/y", "other/file"] {
        world.bucket.write(key, "c".into()).await;
    }
    let report = check(&world.backups(), CLOCK).await;
    assert!(report.is_good());
    let messages: Vec<_> = report.warnings.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        messages,
        ["at its root there is other: a Velero would find the location Unavailable"]
    );
}

#[tokio::test]
async fn of_many_such_directories_the_first_are_named() {
    let world = empty();
    for number in 10..25 {
        world.bucket.write(&format!("d{number}/file"), "c".into()).await;
    }
    let report = check(&world.backups(), CLOCK).await;
    let named = "d10, d11, d12, d13, d14, d15, d16, d17, d18, d19 and 5 more";
    assert_eq!(report.steps[0].detail.as_deref(), Some(&*format!("holds {named}")));
    assert!(report.warnings[0].message.starts_with(&format!("at its root there is {named}:")));
}

#[tokio::test]
async fn what_failed_has_a_hint_and_what_did_not_has_none() {
    let world = empty();
    assert_eq!(check(&world.backups(), CLOCK).await.hint, None);
    let hint = async |script| {
        let report = check(&world.store(&Faults::new(script)), CLOCK).await;
        report.hint.unwrap_or_else(|| panic!("{:?}", report.steps))
    };
    assert!(hint(Script::CutOffFrom(0)).await.contains("may write there"));
    assert!(hint(Script::CutOffFrom(1)).await.contains("backups rely on that"));
}

/// Checks a location of which one call goes wrong, for each call.
async fn disturb(script: fn(usize) -> Script) -> usize {
    let mut call = 0;
    while is_left_clean_despite(script(call)).await {
        call += 1;
    }
    call
}

/// Checks a location while one call goes wrong; whether it came to that.
async fn is_left_clean_despite(script: Script) -> bool {
    let world = empty();
    let faults = Faults::new(script);
    let report = check(&world.store(&faults), CLOCK).await;
    assert_eq!(world.bucket.keys().await, [""; 0], "{}", faults.victim());
    assert!(world.bucket.unfinished().is_empty(), "{}", faults.victim());
    let failed = report.steps.iter().any(|step| step.outcome == Outcome::Failed);
    // What clears up is tried a second time.
    let cleared = ["store: abort the uploads", "store: delete metadata/bowline/probes"];
    let again = cleared.iter().any(|call| faults.victim().starts_with(call));
    if matches!(script, Script::Fails(_)) {
        assert_eq!(failed || again, faults.struck(), "{}: {report:?}", faults.victim());
    }
    faults.struck()
}

#[tokio::test]
async fn a_call_that_fails_is_told_by_its_step_and_leaves_nothing_behind() {
    assert!(disturb(Script::Fails).await >= 10);
    assert!(disturb(Script::LosesReply).await >= 10);
}

#[tokio::test]
async fn where_nothing_can_be_written_the_rest_is_not_tried() {
    let world = empty();
    let report = check(&world.store(&Faults::new(Script::CutOffFrom(0))), CLOCK).await;
    assert!(!report.is_usable());
    let found = outcomes(&report);
    assert_eq!(found[..2], [("reach", Outcome::Ok), ("write", Outcome::Failed)]);
    assert!(found[2..].iter().all(|(_, outcome)| *outcome == Outcome::Skipped), "{found:?}");
}

#[tokio::test]
async fn what_a_killed_check_left_is_cleared_by_a_later_one() {
    let world = empty();
    let old = "metadata/bowline/probes/1/object";
    world.bucket.write(old, "x".into()).await;
    check(&world.backups(), CLOCK).await;
    assert_eq!(world.bucket.keys().await, [old]);
    let later = Clock::Fixed("1970-01-02T00:00:00Z".parse().unwrap());
    check(&world.backups(), later).await;
    assert_eq!(world.bucket.keys().await, [""; 0]);
}

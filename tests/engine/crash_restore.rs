//! A restore may die at any call. The same request goes on with it, and nothing is doubled.

use bowline::engine::report::Phase;
use bowline::engine::restore;

use crate::application::{backed_up, faults_of, restore, target};
use crate::fake_world::World;
use crate::faults::Script;

/// The UID that the record of the restore names, if there is one.
pub(crate) async fn recorded_uid(world: &World) -> Option<String> {
    world.backups().restore("rescue").await.unwrap().map(|entry| entry.record.uid)
}

/// Goes on with what is recorded, or runs the same request again; what is wrong with what came of it.
pub(crate) async fn faults_after_resuming(source: &World, world: &World) -> Vec<String> {
    let recorded = recorded_uid(world).await;
    let request = world.backups().restore("rescue").await.unwrap().map_or_else(
        || restore("rescue"),
        |entry| restore::Request::of_record(&entry.record).unwrap(),
    );
    let report = match world.restore(&request).await {
        Ok(report) => report,
        Err(error) => return vec![format!("resumed: {error:?}")],
    };
    let mut faults = faults_of(source, world, "shop");
    faults.extend(report.errors.iter().map(ToString::to_string));
    if recorded.as_ref().is_some_and(|uid| *uid != report.uid) {
        faults.push(format!("{recorded:?} was resumed as {}", report.uid));
    }
    let result = world.backups().restore("rescue").await.unwrap().and_then(|entry| entry.result);
    if result.is_none_or(|result| result.phase != Phase::Completed || result.uid != report.uid) {
        faults.push("its result is not recorded".to_owned());
    }
    faults
}

/// Lets a restore break at every one of its calls, and resumes it each time.
async fn break_at_every_call(script: fn(usize) -> Script) -> usize {
    let source = backed_up().await;
    for call in 0.. {
        let world = target(&source.copy().await);
        let process = world.start(script(call));
        let result = process.restore(&restore("rescue")).await;
        if !process.faults.struck() {
            assert_eq!(result.unwrap().unwrap().phase, Phase::Completed);
            return call;
        }
        let place = format!("before call {call}, {}", process.faults.victim());
        let faults = faults_after_resuming(&source, &world).await;
        assert_eq!(faults, [""; 0], "{place}\nafter {result:?}");
    }
    0
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_killed_at_any_call_is_resumed_under_its_identity() {
    let calls = break_at_every_call(Script::KilledBefore).await;
    assert!(calls >= 27, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_cut_off_at_any_call_is_resumed_under_its_identity() {
    let calls = break_at_every_call(Script::CutOffFrom).await;
    assert!(calls >= 27, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_restore_may_be_killed_again_while_it_is_resumed() {
    let source = backed_up().await;
    for first in (1..).step_by(4) {
        let world = target(&source.copy().await);
        if world.start(Script::KilledBefore(first)).restore(&restore("rescue")).await.is_some() {
            assert!(first > 24, "{first} calls");
            return;
        }
        let mut second = 0;
        while let Some(again) = killed_again(&world, second).await {
            let faults = faults_after_resuming(&source, &again).await;
            assert_eq!(faults, [""; 0], "before call {first}, then before {second}");
            second += 3;
        }
    }
}

/// What is left when the resumed restore is killed, too; none if it is done before that call.
async fn killed_again(world: &World, call: usize) -> Option<World> {
    let again = world.copy().await;
    let result = again.start(Script::KilledBefore(call)).restore(&restore("rescue")).await;
    result.is_none().then_some(again)
}

#[tokio::test(start_paused = true)]
async fn volumes_that_take_their_time_are_awaited() {
    let source = backed_up().await;
    source.cloud.be_slow(9);
    let world = target(&source);
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(faults_of(&source, &world, "shop"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_done_is_not_done_again_under_its_name() {
    let world = target(&backed_up().await);
    world.restore(&restore("rescue")).await.unwrap();
    let changes = world.cluster.changes();
    let again = world.restore(&restore("rescue")).await;
    assert!(matches!(again, Err(restore::Error::Done { .. })), "{again:?}");
    assert_eq!(world.cluster.changes(), changes);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_restore_is_not_resumed_by_another_request() {
    let world = target(&backed_up().await);
    assert!(world.start(Script::KilledBefore(8)).restore(&restore("rescue")).await.is_none());
    let mut other = restore("rescue");
    other.spec.included_namespaces = vec!["shop".to_owned()];
    let refused = world.restore(&other).await;
    assert!(matches!(refused, Err(restore::Error::NameInUse { .. })), "{refused:?}");
}

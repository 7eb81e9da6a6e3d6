//! What somebody says who looks at a drill decides it, and never whether it is taken down.

use std::time::Duration;

use async_trait::async_trait;
use bowline::engine::drill::{self, Check, Error, Request, Scratch};
use bowline::engine::model::drill::{Checked, Verdict};
use bowline::engine::stop::Stop;

use crate::application::{backed_up, backup, source};
use crate::drills::{content, drills, remains, request};
use crate::fake_world::World;
use crate::faults::Script;

/// A check that looks at the world, and says what it was told to.
struct Look {
    world: World,
    exit_code: i32,
}

#[async_trait]
impl Check for Look {
    async fn run(&self, scratch: &Scratch) -> Checked {
        let namespace = &scratch.namespaces["shop"];
        let output = self.world.cluster.names_in(namespace).join(" ");
        Checked { output, ..answer(Some(self.exit_code)) }
    }

    fn timed_out(&self, _after: Duration) -> Checked {
        answer(None)
    }
}

fn answer(exit_code: Option<i32>) -> Checked {
    let (command, output) = ("look".to_owned(), String::new());
    Checked { command, exit_code, fault: None, output, seconds: 0 }
}

#[tokio::test(start_paused = true)]
async fn a_check_has_the_last_word_and_everything_is_taken_down_all_the_same() {
    let world = backed_up().await;
    let before = content(&world);
    for (exit_code, verdict) in [(0, Verdict::Passed), (7, Verdict::Failed)] {
        let process = world.start(Script::Sound);
        let check = Look { world: world.clone(), exit_code };
        let report = drill::run(&process.context, &request(), Some(&check)).await.unwrap();
        let evidence = report.evidence;
        assert_eq!(evidence.verdict, verdict);
        let checked = evidence.check.unwrap();
        assert!(checked.output.contains("statefulsets.apps/db"), "{checked:?}");
        assert_eq!(evidence.reason.is_some(), verdict == Verdict::Failed);
        assert_eq!(remains(&world, &before).await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_of_which_a_drill_makes_nothing_has_not_passed() {
    let world = source();
    let mut widgets = backup();
    widgets.spec.included_resources = vec!["widgets.example.com".to_owned()];
    world.back_up(&widgets).await.unwrap();
    let process = world.start(Script::Sound);
    let check = Look { world: world.clone(), exit_code: 0 };
    let report = drill::run(&process.context, &request(), Some(&check)).await.unwrap();
    let evidence = report.evidence;
    assert_eq!(evidence.verdict, Verdict::Failed, "{:?}", evidence.restore);
    assert!(evidence.reason.unwrap().starts_with("nothing was made"));
    assert_eq!(evidence.check, None);
}

/// A check in whose midst somebody asks to stop.
struct IsStopped(Stop);

#[async_trait]
impl Check for IsStopped {
    async fn run(&self, _: &Scratch) -> Checked {
        self.0.ask();
        std::future::pending().await
    }

    fn timed_out(&self, _after: Duration) -> Checked {
        answer(None)
    }
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_was_to_be_kept_is_taken_down_if_it_breaks_off() {
    let world = backed_up().await;
    let before = content(&world);
    let process = world.start(Script::Sound);
    let (kept, check) = (Request { keep: true, ..request() }, IsStopped(process.stop.clone()));
    let broken = drill::run(&process.context, &kept, Some(&check)).await.unwrap_err();
    assert!(matches!(&broken, Error::Broken { left, .. } if left.is_empty()), "{broken:?}");
    assert_eq!(remains(&world, &before).await, [""; 0]);
    assert!(drills(&world).await[0].is_down);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_takes_too_long_fails_the_drill() {
    let world = backed_up().await;
    let before = content(&world);
    let process = world.start(Script::Sound);
    let report = drill::run(&process.context, &request(), Some(&Hangs)).await.unwrap();
    assert_eq!(report.evidence.verdict, Verdict::Failed);
    assert_eq!(report.evidence.check.unwrap().fault.unwrap(), "took longer than 300s");
    assert_eq!(remains(&world, &before).await, [""; 0]);
}

/// A check that does not come to an end.
struct Hangs;

#[async_trait]
impl Check for Hangs {
    async fn run(&self, _: &Scratch) -> Checked {
        std::future::pending().await
    }

    fn timed_out(&self, after: Duration) -> Checked {
        Checked { fault: Some(format!("took longer than {after:?}")), ..answer(None) }
    }
}

//! A plan that the API server was asked about.

use std::io;

use bowline::engine::restore::{
    DryRun, Error, PlanDocument, PlanHeader, PlanReader, PlannedItem, RehearsalStatus, Verdict,
};
use bowline::engine::stop::Stop;
use serde_json::json;

use crate::application::{backed_up, restore, target};
use crate::fake_world::World;
use crate::faults::Script;

/// Plans with the server's help, which must change nothing anywhere.
async fn rehearsed(world: &World) -> PlanDocument {
    let before = world.cluster.everything();
    let process = world.start(Script::Sound);
    let mut plan = PlanDocument::default();
    let request = restore("rescue");
    let footer = process.engine.show_restore(&request, DryRun::Server, &mut plan).await.unwrap();
    plan.end(footer);
    assert_eq!(process.faults.calls(), [""; 0]);
    assert_eq!(world.cluster.everything(), before);
    plan
}

fn item<'a>(plan: &'a PlanDocument, resource: &str, name: &str) -> &'a PlannedItem {
    let is = |it: &&PlannedItem| it.resource == resource && it.name == name;
    plan.items.iter().find(is).unwrap()
}

fn answer<'a>(plan: &'a PlanDocument, resource: &str, name: &str) -> (RehearsalStatus, &'a str) {
    let answer = item(plan, resource, name).server_dry_run.as_ref().unwrap();
    (answer.status, answer.message.as_deref().unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_what_is_not_there_yet_is_not_asked_and_no_error() {
    let plan = rehearsed(&target(&backed_up().await)).await;
    let not_asked = RehearsalStatus::NotAsked;
    for (resource, name, why) in [
        ("configmaps", "settings", "Namespace \"shop\" is not there yet"),
        ("widgets.example.com", "main", "its definition is not there yet"),
    ] {
        assert_eq!(answer(&plan, resource, name), (not_asked, why), "{resource}");
    }
    for (resource, name) in [("namespaces", "shop"), ("storageclasses.storage.k8s.io", "standard")]
    {
        assert_eq!(answer(&plan, resource, name), (RehearsalStatus::Accepted, ""), "{resource}");
    }
    let volume = plan.items.iter().find(|it| it.resource == "persistentvolumes").unwrap();
    let answer = volume.server_dry_run.as_ref().unwrap();
    assert_eq!(answer.message.as_deref(), Some("its volume is made first"));
    let counts = plan.server_dry_run.unwrap();
    assert_eq!(counts.refused, 0, "{plan:?}");
    let asked = plan.items.iter().filter(|it| it.server_dry_run.is_some()).count() as u64;
    assert_eq!(counts.accepted + counts.not_asked, asked);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_refuses_is_told_of_the_object_and_counted() {
    let world = target(&backed_up().await);
    world.cluster.add(json!({"apiVersion": "v1", "kind": "Namespace", "metadata":
        {"name": "shop", "labels": {"team": "shop"}}}));
    world.cluster.refuse_creates("services", true);
    let plan = rehearsed(&world).await;
    let web = item(&plan, "services", "web");
    assert_eq!(web.verdict, Verdict::Refuse, "{web:?}");
    let refused = (RehearsalStatus::Refused, "no creating here");
    assert_eq!(answer(&plan, "services", "web"), refused);
    assert_eq!(answer(&plan, "configmaps", "settings"), (RehearsalStatus::Accepted, ""));
    assert_eq!(plan.server_dry_run.unwrap().refused, 1);
    assert_eq!(plan.counts["refuse"], 1);
    let report = world.restore(&restore("rescue")).await.unwrap();
    let failed: Vec<_> = report.errors.iter().filter_map(|it| it.name.as_deref()).collect();
    assert_eq!(failed, ["web"], "{:?}", report.errors);
}

#[tokio::test(start_paused = true)]
async fn a_plan_without_the_server_sends_nothing_to_be_checked() {
    let world = target(&backed_up().await);
    let plan = world.start(Script::Sound).engine.plan_restore(&restore("rescue")).await.unwrap();
    assert!(plan.items.iter().all(|it| it.server_dry_run.is_none()));
    assert_eq!(plan.server_dry_run, None);
    assert_eq!(world.cluster.dry_runs(), 0);
    rehearsed(&world).await;
    assert!(world.cluster.dry_runs() > 5);
}

/// Asks for a stop as soon as the plan begins.
struct Stops(Stop);

impl PlanReader for Stops {
    fn begin(&mut self, _: PlanHeader) -> io::Result<()> {
        self.0.ask();
        Ok(())
    }

    fn item(&mut self, item: PlannedItem) -> io::Result<()> {
        panic!("{item:?}")
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_being_told_ends_when_it_is_asked_to_and_says_so() {
    let world = target(&backed_up().await);
    let process = world.start(Script::Sound);
    let mut reader = Stops(process.stop.clone());
    let shown = process.engine.show_restore(&restore("rescue"), DryRun::Server, &mut reader).await;
    assert!(matches!(shown, Err(Error::Stopped)), "{shown:?}");
}

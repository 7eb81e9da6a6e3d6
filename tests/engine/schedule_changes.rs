//! Changing a schedule while others do, and while replies get lost.

use bowline::engine::model::schedule::Schedule;
use bowline::engine::schedule::change::{self, Error};
use jiff::Timestamp;
use serde_json::json;

use crate::fake_cluster::FakeCluster;
use crate::fake_world::World;
use crate::faults::{Faults, Script};

const THEN: &str = "2026-03-01T00:00:00Z";
const NOW: &str = "2026-03-09T00:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(paused: bool) -> Schedule {
    serde_json::from_value(json!({
        "apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": "nightly", "uid": "u"},
        "spec": {"schedule": "0 2 * * *", "paused": paused},
        "bowline": {"clusterUid": "east", "since": THEN},
    }))
    .unwrap()
}

/// A bucket with one schedule.
async fn world(paused: bool) -> World {
    let world = World::new(FakeCluster::new("east"));
    change::create(&world.backups(), &schedule(paused)).await.unwrap();
    world
}

async fn found(world: &World) -> Schedule {
    change::find(&world.backups(), "nightly").await.unwrap().document
}

#[tokio::test]
async fn what_is_unpaused_or_adopted_is_in_force_from_now_on() {
    let world = world(true).await;
    let store = world.backups();
    let change = change::unpause(&store, "nightly", time(NOW)).await.unwrap();
    assert!(change.is_new() && !change.after.spec.paused);
    assert_eq!(found(&world).await.bowline.since, time(NOW));
    let later = "2026-03-10T00:00:00Z";
    let again = change::unpause(&store, "nightly", time(later)).await.unwrap();
    assert!(!again.is_new(), "{again:?}");
    assert!(!change::adopt(&store, "nightly", "east", "east", time(later)).await.unwrap().is_new());
    assert_eq!(found(&world).await.bowline.since, time(NOW));
    let change = change::adopt(&store, "nightly", "east", "west", time(later)).await.unwrap();
    assert_eq!(change.before.bowline.cluster_uid, "east");
    let adopted = found(&world).await.bowline;
    assert_eq!((adopted.cluster_uid.as_str(), adopted.since), ("west", time(later)));
}

#[tokio::test]
async fn of_two_changes_at_once_none_is_lost() {
    let world = world(false).await;
    let faults = Faults::new(Script::Waits(0));
    let late = world.store(&faults);
    let quick = async {
        faults.waiting().await;
        change::pause(&world.backups(), "nightly").await.unwrap();
        faults.release();
    };
    let (adopted, ()) =
        tokio::join!(change::adopt(&late, "nightly", "east", "west", time(NOW)), quick);
    assert!(adopted.unwrap().after.spec.paused, "it is made to what the other one wrote");
    let found = found(&world).await;
    assert_eq!((found.spec.paused, found.bowline.cluster_uid.as_str()), (true, "west"));
}

#[tokio::test]
async fn of_two_clusters_that_adopt_a_schedule_one_has_it_and_the_other_is_told() {
    let world = world(false).await;
    let faults = Faults::new(Script::Waits(0));
    let late = world.store(&faults);
    let quick = async {
        faults.waiting().await;
        change::adopt(&world.backups(), "nightly", "east", "north", time(NOW)).await.unwrap();
        faults.release();
    };
    let adopting = change::adopt(&late, "nightly", "east", "west", time(NOW));
    let (adopted, ()) = tokio::join!(adopting, quick);
    let Err(Error::Taken { owner, .. }) = adopted else { panic!("{adopted:?}") };
    assert_eq!(
        (owner.as_str(), found(&world).await.bowline.cluster_uid.as_str()),
        ("north", "north")
    );
    // Who has it by then has it, whomever it was to be taken from.
    let again = change::adopt(&late, "nightly", "east", "north", time(NOW)).await.unwrap();
    assert!(!again.is_new());
}

#[tokio::test]
async fn of_two_that_make_a_schedule_at_once_one_is_told_that_the_name_is_taken() {
    let world = World::new(FakeCluster::new("east"));
    let faults = Faults::new(Script::Waits(0));
    let late = world.store(&faults);
    let quick = async {
        faults.waiting().await;
        change::create(&world.backups(), &schedule(true)).await.unwrap();
        faults.release();
    };
    let own = schedule(false);
    let (created, ()) = tokio::join!(change::create(&late, &own), quick);
    assert!(matches!(created, Err(Error::InUse { .. })), "{created:?}");
    assert!(found(&world).await.spec.paused, "the first one's is there");
    let store = world.store(&Faults::new(Script::LosesReply(0)));
    world.backups().remove_schedule("nightly").await.unwrap();
    change::create(&store, &own).await.unwrap();
}

#[tokio::test]
async fn a_schedule_that_is_deleted_meanwhile_does_not_come_back() {
    let world = world(false).await;
    let faults = Faults::new(Script::Waits(0));
    let late = world.store(&faults);
    let quick = async {
        faults.waiting().await;
        world.backups().remove_schedule("nightly").await.unwrap();
        faults.release();
    };
    let (paused, ()) = tokio::join!(change::pause(&late, "nightly"), quick);
    assert!(matches!(paused, Err(Error::NotFound { .. })), "{paused:?}");
    assert_eq!(world.bucket.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_change_whose_reply_is_lost_was_made_and_one_that_fails_was_not() {
    let world = world(false).await;
    let store = world.store(&Faults::new(Script::LosesReply(0)));
    assert!(change::pause(&store, "nightly").await.unwrap().is_new());
    let store = world.store(&Faults::new(Script::Fails(0)));
    let failed = change::adopt(&store, "nightly", "east", "west", time(NOW)).await;
    assert!(matches!(failed, Err(Error::Location(_))), "{failed:?}");
    let found = found(&world).await;
    assert_eq!((found.spec.paused, found.bowline.cluster_uid.as_str()), (true, "east"));
}

#[tokio::test]
async fn a_name_is_used_once_and_one_that_nothing_has_is_answered_with_the_nearest() {
    let world = world(false).await;
    let store = world.backups();
    let again = change::create(&store, &schedule(true)).await;
    assert!(matches!(again, Err(Error::InUse { .. })), "{again:?}");
    assert!(change::check_free(&store, "nightly").await.is_err());
    change::check_free(&store, "weekly").await.unwrap();
    let Err(Error::NotFound { similar, .. }) = change::pause(&store, "nihtly").await else {
        panic!("there is none")
    };
    assert_eq!(similar.as_deref(), Some("nightly"));
}

//! Who has a lease, until when, and how its holder learns that it is another's.

use std::time::Duration;

use bowline::engine::schedule::lease::{self, Claim, Lease, Taken};
use bowline::engine::store::{BackupStore, ScheduleKeys};
use tokio::time::{advance, timeout};

use crate::fake_world::World;
use crate::faults::{Faults, Script};
use crate::scheduled::{clock, world};

fn claim(uid: &str, by_force: bool) -> Claim<'_> {
    Claim { holder: "host/7", uid, backup: "nightly-1", due: None, by_force }
}

async fn take<'a>(store: &'a BackupStore, uid: &str, by_force: bool) -> Option<Lease<'a>> {
    let key = ScheduleKeys("nightly").lease();
    match lease::take(store, &key, &claim(uid, by_force)).await.unwrap() {
        Taken::Ours { lease, .. } => Some(lease),
        Taken::Held(_) => None,
    }
}

/// Whether a lease is still its holder's after three of its lives, if this happens to its first renewal.
async fn lasts(world: &World, script: Script) -> bool {
    let store = world.store(&Faults::new(script));
    let mut lease = take(&store, "one", false).await.unwrap();
    let kept = timeout(Duration::from_mins(6), lease.keep()).await.is_err();
    let backups = world.backups();
    kept && take(&backups, "other", false).await.is_none()
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_stands_for_two_minutes() {
    let world = world(clock());
    let store = world.backups();
    drop(take(&store, "one", false).await.unwrap());
    for _ in 0..3 {
        advance(Duration::from_secs(39)).await;
        assert!(take(&store, "other", false).await.is_none());
    }
    advance(Duration::from_secs(5)).await;
    assert!(take(&store, "other", false).await.is_some());
    assert!(take(&store, "one", false).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn neither_a_renewal_that_fails_nor_one_whose_reply_is_lost_loses_a_lease() {
    for script in [Script::Sound, Script::Fails(1), Script::LosesReply(1)] {
        assert!(lasts(&world(clock()), script).await, "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_loses_a_lease_learns_it_at_the_next_renewal_and_does_not_give_back_the_others() {
    let world = world(clock());
    let store = world.backups();
    let mut lease = take(&store, "one", false).await.unwrap();
    assert!(take(&store, "other", true).await.is_some());
    timeout(Duration::from_secs(41), lease.keep()).await.unwrap();
    lease.give_back(true).await.unwrap();
    assert!(take(&store, "third", false).await.is_none());
}

//! Backups that are held: nothing removes them until they are released.

use bowline::engine::delete;
use bowline::engine::report::Phase;
use bowline::engine::schedule::expire::Fate;
use bowline::engine::schedule::hold::{self, hold, release};
use bowline::engine::store::BackupKeys;
use serde_json::json;

use crate::application::{backed_up, backup, restore, target};
use crate::expire::{change, four_nights, name, names};
use crate::fake_world::{World, now};
use crate::faults::Script;

async fn is_whole(world: &World) -> bool {
    matches!(target(world).restore(&restore("proof")).await, Ok(it) if it.phase == Phase::Completed)
}

#[tokio::test(start_paused = true)]
async fn what_is_held_neither_expires_nor_is_deleted_until_it_is_released() {
    let world = four_nights().await;
    let held = name("nightly", 21);
    let audit = Some("audit".to_owned());
    let first = hold(&world.backups(), now(), &held, audit).await.unwrap();
    assert!(!first.is_earlier);
    let again = hold(&world.backups(), now(), &held, None).await.unwrap();
    assert!(again.is_earlier && again.record == first.record, "{again:?}");
    let report = world.expire().await;
    let one = report.backups.iter().find(|it| it.name == held).unwrap();
    assert_eq!(one.verdict, Fate::Held);
    assert_eq!(one.reasons, ["held since 2026-03-01T02:00:00Z: audit", "no rule keeps it"]);
    match world.delete(&held).await {
        Err(delete::Error::Held { reason, .. }) => assert_eq!(reason.unwrap(), "audit"),
        other => panic!("{other:?}"),
    }
    let tombstone = BackupKeys(&held).tombstone();
    assert!(!world.bucket.keys().await.contains(&tombstone), "nothing was touched");
    assert_eq!(release(&world.backups(), &held).await.unwrap().unwrap(), first.record);
    assert_eq!(release(&world.backups(), &held).await.unwrap(), None);
    assert_eq!(world.expire().await.phase, Phase::Completed);
    assert!(!names(&world).await.contains(&held));
    let gone = release(&world.backups(), &held).await;
    assert!(matches!(gone, Err(hold::Error::NotFound { .. })), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn the_mark_of_an_earlier_backup_holds_no_later_one_of_the_name() {
    let world = backed_up().await;
    let store = world.backups();
    hold(&store, now(), "nightly", None).await.unwrap();
    let key = BackupKeys("nightly").hold();
    let mark = world.bucket.read(&key).await;
    // Somebody else deleted it, who knows no holds.
    world.bucket.delete(&key).await;
    world.delete("nightly").await.unwrap();
    world.back_up(&backup()).await.unwrap();
    world.bucket.write(&key, mark.clone()).await;
    world.delete("nightly").await.unwrap();
    world.back_up(&backup()).await.unwrap();
    world.bucket.write(&key, mark).await;
    let renewed = hold(&store, now(), "nightly", None).await.unwrap();
    assert!(!renewed.is_earlier);
    assert!(matches!(world.delete("nightly").await, Err(delete::Error::Held { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_time_at_which_velero_would_delete_it_is_told() {
    let world = backed_up().await;
    let time = "2026-04-01T00:00:00Z";
    change(&world, "nightly", |document| document["status"]["expiration"] = json!(time)).await;
    let held = hold(&world.backups(), now(), "nightly", None).await.unwrap();
    assert_eq!(held.expiration, Some(time.parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_whole_backup_cannot_be_held() {
    let world = backed_up().await;
    let killed = world.start(Script::KilledBefore(4));
    assert!(killed.delete("nightly").await.is_none());
    let going = hold(&world.backups(), now(), "nightly", None).await;
    assert!(matches!(going, Err(hold::Error::Deleting { .. })), "{going:?}");
    world.bucket.write(&BackupKeys("odd").archive(), "x".into()).await;
    let odd = hold(&world.backups(), now(), "odd", None).await;
    assert!(matches!(odd, Err(hold::Error::NotWhole { .. })), "{odd:?}");
    let absent = hold(&world.backups(), now(), "nihgtly", None).await;
    assert!(matches!(absent, Err(hold::Error::NotFound { similar: Some(_), .. })), "{absent:?}");
}

/// A deletion waits at each of its calls while somebody holds the backup: either it is held and whole,
/// or whoever wants to hold it is told that it goes.
#[tokio::test(start_paused = true)]
async fn a_hold_and_a_deletion_at_once_never_both_succeed() {
    let before = backed_up().await;
    let process = before.copy().await.start(Script::Sound);
    process.delete("nightly").await.unwrap().unwrap();
    let (mut held, mut gone) = (0, 0);
    for call in 0..process.faults.calls().len() {
        let world = before.copy().await;
        let slow = world.start(Script::Waits(call));
        let meanwhile = async {
            slow.faults.waiting().await;
            let result = hold(&world.backups(), now(), "nightly", None).await;
            slow.faults.release();
            result
        };
        let (deleted, result) = tokio::join!(slow.delete("nightly"), meanwhile);
        let place = slow.faults.victim();
        if result.is_ok() {
            held += 1;
            let deleted = deleted.unwrap();
            assert!(matches!(deleted, Err(delete::Error::Held { .. })), "{place}: {deleted:?}");
            assert!(is_whole(&world).await, "{place}");
        } else {
            gone += 1;
            assert_eq!(deleted.unwrap().unwrap().phase, Phase::Completed, "{place}");
            assert!(!world.bucket.keys().await.contains(&BackupKeys("nightly").hold()), "{place}");
        }
    }
    assert!(held >= 3 && gone >= 5, "{held} held, {gone} gone");
}

/// A hold waits with its mark while the backup is deleted.
#[tokio::test(start_paused = true)]
async fn a_hold_that_comes_too_late_says_so_and_leaves_no_mark() {
    let world = backed_up().await;
    let slow = world.start(Script::Waits(0));
    let store = world.store(&slow.faults);
    let meanwhile = async {
        slow.faults.waiting().await;
        world.delete("nightly").await.unwrap();
        slow.faults.release();
    };
    let (held, ()) = tokio::join!(hold(&store, now(), "nightly", None), meanwhile);
    assert!(matches!(held, Err(hold::Error::Deleting { .. })), "{held:?}");
    assert!(!world.bucket.keys().await.contains(&BackupKeys("nightly").hold()));
}

/// A deletion that was killed before it had removed anything ends here.
#[tokio::test(start_paused = true)]
async fn a_deletion_that_only_marked_a_backup_gives_way_to_a_hold() {
    let world = backed_up().await;
    let mark = hold(&world.backups(), now(), "nightly", None).await.unwrap().record;
    release(&world.backups(), "nightly").await.unwrap();
    let commit = "store: delete backups/nightly/velero-backup.json";
    let killed = world.start(Script::KilledAt(commit));
    assert!(killed.delete("nightly").await.is_none());
    world.backups().hold_backup(mark).await.unwrap();
    assert!(matches!(world.delete("nightly").await, Err(delete::Error::Held { .. })));
    assert!(is_whole(&world).await);
}

//! A snapshot is good only if its provider says so, here and now.

use bowline::engine::verify::{CheckResult, Level, VerifyReport};
use bowline_api::SnapshotState;
use serde_json::json;

use crate::application::backed_up;
use crate::fake_world::World;
use crate::foreign;
use crate::verify::{result, told, verify};

/// The only problem with the snapshots.
async fn problem(world: &World) -> String {
    let report = verify(world, Level::Snapshots).await;
    assert_eq!(result(&report, "snapshots"), CheckResult::Failed, "{report:?}");
    assert!(!report.verified && report.problems.iter().all(|it| it.hint.is_some()));
    assert!(verify(world, Level::Parse).await.verified);
    told(&report.problems).swap_remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_gone_or_not_done_or_not_of_this_backup_is_named() {
    let good = backed_up().await;
    let world = good.copy().await;
    world.cloud.lose("snap-1");
    assert_eq!(problem(&world).await, "snapshot snap-1: snapshot snap-1 does not exist");

    for (state, expected) in [
        (SnapshotState::Pending(Some(40)), "snapshot snap-2 is still pending (40 %)"),
        (SnapshotState::Failed("no disk".to_owned()), "snapshot snap-2 failed: no disk"),
    ] {
        let world = good.copy().await;
        world.cloud.freeze_snapshots();
        world.cloud.edit_snapshot("snap-2", |it| it.state = state);
        let told = problem(&world).await;
        assert!(told.contains(expected), "{told}");
    }
    for tag in ["velero.io/backup", "velero.io/pv", "bowline.io/backup-uid"] {
        let world = good.copy().await;
        world.cloud.retag("snap-1", tag, "another");
        let told = problem(&world).await;
        assert!(told.contains(&format!("is not tagged {tag}=")), "{told}");
    }
    let world = good.copy().await;
    world.cloud.edit_snapshot("snap-1", |it| it.volume_id = "vol-x".to_owned());
    let told = problem(&world).await;
    assert!(told.contains("is of volume vol-x"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_in_another_region_is_said_to_be_there_and_not_to_be_gone() {
    let world = backed_up().await;
    world.cloud.reach("west");
    let told = problem(&world).await;
    assert!(told.ends_with("it was taken in no region, but this runs in west"), "{told}");

    let world = foreign::backed_up().await;
    world.cloud.be_in(&["zone-x"]);
    let told = problem(&world).await;
    assert!(told.contains("taken in zone zone-a, which is in another region"), "{told}");
}

fn assert_unreachable(report: &VerifyReport) {
    assert_eq!(result(report, "snapshots"), CheckResult::Unreachable);
    assert!(!report.verified);
    assert_eq!(told(&report.problems), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_gives_no_answer_passes_nothing_and_fails_nothing() {
    let silent = backed_up().await;
    silent.cloud.be_silent(true);
    assert_unreachable(&verify(&silent, Level::Snapshots).await);
    let unusable = foreign::backed_up().await;
    unusable.cloud.be_unusable();
    assert_unreachable(&verify(&unusable, Level::Snapshots).await);
    let unknown = foreign::backed_up().await;
    foreign::edit_snapshots(&unknown, |list| {
        list[0]["status"]["providerSnapshotID"] = json!("disk-1");
    })
    .await;
    assert_unreachable(&verify(&unknown, Level::Snapshots).await);
}

#[tokio::test(start_paused = true)]
async fn an_id_that_the_provider_never_gives_is_not_asked_for() {
    let world = foreign::backed_up().await;
    foreign::edit_snapshots(&world, |list| {
        list[0]["spec"]["bowlineProvider"] = json!("fake");
        list[0]["status"]["providerSnapshotID"] = json!("vol-1");
    })
    .await;
    let told = problem(&world).await;
    assert_eq!(told, "snapshot vol-1: it is not the id of a snapshot of provider fake");
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_by_other_means_is_not_called_good() {
    let world = foreign::backed_up().await;
    foreign::edit_volumes(&world, |list| {
        list[0]["backupMethod"] = json!("CSISnapshot");
    })
    .await;
    let report = verify(&world, Level::Snapshots).await;
    assert_eq!(result(&report, "snapshots"), CheckResult::NotVerifiable);
    let told = told(&report.warnings);
    assert!(told[0].contains("kept by CSISnapshot, which was not looked at"), "{told:?}");
}

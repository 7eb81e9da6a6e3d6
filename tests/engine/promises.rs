//! Records that cannot be believed, or promise what the archive lacks, are told before a restore.

use bowline::engine::report::Phase;
use bowline::engine::restore::Error;
use bowline::engine::store::BackupKeys;
use serde_json::{Value, json};

use crate::application::{backed_up, restore, target};
use crate::fake_world::World;
use crate::faults::Script;
use crate::foreign;

/// Why a restore is refused, before anything was changed anywhere.
async fn refusal(world: &World) -> String {
    let process = target(world).start(Script::Sound);
    let result = process.restore(&restore("rescue")).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    match result.unwrap_err() {
        Error::BackupDamaged { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn records_with_names_that_cannot_be_or_of_another_backup_are_refused() {
    let set = |field: &'static str, value: &'static str| {
        move |list: &mut Value| list[1]["spec"][field] = json!(value)
    };
    for (field, value, expected) in [
        ("persistentVolumeName", "../../etc", "record 2: no persistent volume can have that name"),
        ("backupName", "weekly", "record 2: it is of another backup: its backupName is \"weekly\""),
        ("backupUID", "1", "record 2: it is of another backup: its backupUID is \"1\""),
    ] {
        let world = foreign::backed_up().await;
        foreign::edit_snapshots(&world, set(field, value)).await;
        let told = refusal(&world).await;
        assert!(told.contains(expected), "{told}");
    }
    let world = foreign::backed_up().await;
    foreign::edit_snapshots(&world, |list| list[1] = list[0].clone()).await;
    assert!(refusal(&world).await.contains("is recorded twice"));
    for (field, what) in [("pvcNamespace", "namespace"), ("pvcName", "claim")] {
        let world = foreign::backed_up().await;
        foreign::edit_volumes(&world, |list| list[0][field] = json!("a/b")).await;
        let told = refusal(&world).await;
        assert!(told.contains(&format!("record 1: no {what} can have that name")), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_of_ours_that_lost_its_word_for_its_files_is_not_taken_for_one_of_veleros() {
    let world = backed_up().await;
    foreign::edit_document(&world, |document| {
        document["metadata"]["annotations"] = json!({});
    })
    .await;
    let told = refusal(&world).await;
    assert!(told.contains("does not vouch for"), "{told}");
    world.bucket.delete(&BackupKeys("nightly").digests()).await;
    foreign::edit_document(&world, |document| {
        document["metadata"]["annotations"] = json!({"bowline.io/version": "0.1.0"});
    })
    .await;
    assert!(refusal(&world).await.contains("does not vouch for"));
}

/// Without the short cut in the document, the digests still tell which archive it is.
#[tokio::test(start_paused = true)]
async fn the_archive_is_compared_with_its_digest_too() {
    let world = backed_up().await;
    foreign::edit_document(&world, |document| {
        let annotations = document["metadata"]["annotations"].as_object_mut().unwrap();
        annotations.remove("bowline.io/archive-sha256");
    })
    .await;
    foreign::edit_archive(&world, |name| !name.contains("secrets/")).await;
    let told = refusal(&world).await;
    assert!(told.contains("nightly.tar.gz\" is not the file that was written"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_none_of_the_providers_refuses_the_claim() {
    for (field, value, expected) in [
        ("status", "disk-1", "\"disk-1\" is not the id of a snapshot of provider fake"),
        ("spec", "other", "is of provider \"other\", but the volume is one of fake"),
    ] {
        let world = foreign::backed_up().await;
        foreign::edit_snapshots(&world, |list| match field {
            "status" => list[0]["status"]["providerSnapshotID"] = json!(value),
            _ => list[0]["spec"]["bowlineProvider"] = json!(value),
        })
        .await;
        let report = target(&world).restore(&restore("rescue")).await.unwrap();
        assert_eq!(report.phase, Phase::PartiallyFailed);
        let told = |it: &bowline::engine::report::Problem| it.message.contains(expected);
        assert!(report.errors.iter().any(told), "{:?}", report.errors);
    }
}

#[tokio::test(start_paused = true)]
async fn a_promise_that_the_archive_does_not_keep_is_told_exactly() {
    let world = foreign::backed_up().await;
    let (volume, snapshot) = foreign::recorded(&world).await;
    let promise = format!("although snapshot {snapshot} was taken of it");
    foreign::edit_archive(&world, |name| !name.contains(&volume)).await;
    let told = errors(&world, "rescue").await;
    let refused = format!("the archive lacks persistentvolumes/{volume}, {promise}");
    assert!(told[0].ends_with(&refused), "{told:?}");
    let unasked = format!("it is not in the backup, nor is its volume {volume}, {promise}");
    let is_unasked = |told: &String| told.ends_with(&unasked);
    assert!(!told.iter().any(is_unasked), "{told:?}");

    // Without the claim nothing else would tell of it.
    foreign::edit_archive(&world, |name| !name.contains("persistentvolume")).await;
    let told = errors(&world, "again").await;
    assert_eq!(told.iter().filter(|it| is_unasked(it)).count(), 1, "{told:?}");
}

/// The errors of a restore, which must not pass for a whole one.
async fn errors(world: &World, name: &str) -> Vec<String> {
    let report = target(world).restore(&restore(name)).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    report.errors.iter().map(ToString::to_string).collect()
}

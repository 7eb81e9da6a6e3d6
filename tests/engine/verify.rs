//! What is wrong with a backup is found, and named; what cannot be known is not called good.

use bowline::engine::report::Phase;
use bowline::engine::store::BackupKeys;
use bowline::engine::verify::{CheckResult, Error, Finding, Level, VerifyReport};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use crate::application::{backed_up, backup, object, source};
use crate::fake_world::World;
use crate::faults::Script;
use crate::foreign;

const KEYS: BackupKeys<'_> = BackupKeys("nightly");
const LEVELS: [Level; 4] = [Level::Exists, Level::Hash, Level::Parse, Level::Snapshots];

/// Looks at the backup; that must change nothing.
pub(crate) async fn verify(world: &World, level: Level) -> VerifyReport {
    let process = world.start(Script::Sound);
    let report = process.engine.verify_backup("nightly", level).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    report
}

/// What came of a check.
pub(crate) fn result(report: &VerifyReport, check: &str) -> CheckResult {
    report.checks.iter().find(|it| it.check == check).unwrap().result
}

/// What is wrong, one line each: `file backups/nightly/x: it does not exist`.
pub(crate) fn told(findings: &[Finding]) -> Vec<String> {
    let line = |it: &Finding| format!("{} {}: {}", it.about.word(), it.name, it.message);
    findings.iter().map(line).collect()
}

#[tokio::test(start_paused = true)]
async fn a_sound_backup_passes_every_check_of_its_level_and_no_more_are_claimed() {
    let world = backed_up().await;
    let counts = [2, 3, 7, 8];
    for (level, count) in LEVELS.into_iter().zip(counts) {
        let report = verify(&world, level).await;
        assert_eq!(told(&report.problems), [""; 0]);
        assert_eq!(told(&report.warnings), [""; 0]);
        assert!(report.verified && report.phase == Phase::Completed, "{report:?}");
        assert_eq!(report.checks.len(), count, "{report:?}");
        assert!(report.checks.iter().all(|it| it.result == CheckResult::Passed), "{report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_not_there_is_told_from_one_that_was_never_finished() {
    let world = source();
    let verified = world.start(Script::Sound).engine.verify_backup("nightly", Level::Exists).await;
    assert!(matches!(verified, Err(Error::NotFound { .. })), "{verified:?}");
    assert!(world.start(Script::KilledBefore(9)).back_up(&backup()).await.is_none());
    let report = verify(&world, Level::Snapshots).await;
    assert_eq!((report.phase, report.verified), (Phase::Incomplete, false));
    let hint = report.problems[0].hint.as_deref().unwrap();
    assert!(hint.contains("--replace-incomplete"), "{hint}");
    let others = &report.checks[1..];
    assert!(others.iter().all(|it| it.result == CheckResult::NotChecked), "{report:?}");
    assert_eq!(report.checks.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_phase_that_is_no_end_is_not_verified() {
    for phase in ["InProgress", "Finalizing", "WaitingForPluginOperations", "Failed", "New"] {
        let world = foreign::backed_up().await;
        foreign::edit_document(&world, |document| document["status"]["phase"] = json!(phase)).await;
        let report = verify(&world, Level::Parse).await;
        let told = told(&report.problems);
        assert!(told[0].contains(&format!("its phase is {phase}")), "{told:?}");
        assert!(!report.verified && report.problems[0].hint.is_some());
    }
}

/// The keys of a backup's files, with their content.
async fn files(world: &World) -> Vec<(String, Bytes)> {
    let all = world.bucket.contents().await.into_iter();
    all.filter(|(key, _)| key.starts_with(&KEYS.prefix())).collect()
}

/// The problem of this file, as the level must find it.
async fn problem_of(world: &World, level: Level, key: &str) -> String {
    let report = verify(world, level).await;
    assert!(!report.verified, "{key}: {report:?}");
    let of_file = |it: &&Finding| it.name == key;
    let found = report.problems.iter().find(of_file);
    let found = found.unwrap_or_else(|| panic!("{key}: {:?}", report.problems));
    found.message.clone()
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_missing_or_cut_short_is_named_at_the_first_level() {
    let good = backed_up().await;
    for (key, content) in files(&good).await {
        if key == KEYS.metadata() {
            continue;
        }
        let world = good.copy().await;
        world.bucket.delete(&key).await;
        assert_eq!(problem_of(&world, Level::Exists, &key).await, "it does not exist");
        for level in LEVELS {
            assert!(!verify(&world, level).await.verified, "{key}");
        }
        let world = good.copy().await;
        world.bucket.write(&key, content.slice(..content.len() - 1)).await;
        let told = problem_of(&world, Level::Exists, &key).await;
        let digests = key == KEYS.digests();
        let size = format!("{} were written", content.len());
        assert!(told.contains(&size) || (digests && told.contains("not the file")), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_of_another_backup_of_the_same_name_is_found() {
    let (good, other) = (backed_up().await, source());
    other.cluster.add(object("v1", "ConfigMap", "shop", "extra", &json!({"data": {}})));
    other.back_up(&backup()).await.unwrap();
    for (key, content) in files(&good).await {
        let swapped = other.bucket.read(&key).await;
        if swapped == content {
            continue;
        }
        let world = good.copy().await;
        world.bucket.write(&key, swapped).await;
        let report = verify(&world, Level::Hash).await;
        let known = if key == KEYS.metadata() { KEYS.digests() } else { key.clone() };
        assert!(report.problems.iter().any(|it| it.name == known), "{key}: {report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_byte_of_the_document_changes_it_is_found() {
    let world = backed_up().await;
    let good = world.bucket.read(&KEYS.metadata()).await;
    for position in 0..good.len() {
        let mut flipped = good.to_vec();
        flipped[position] ^= if flipped[position] == b' ' { b' ' ^ b'\n' } else { 1 };
        world.bucket.write(&KEYS.metadata(), flipped.into()).await;
        let report = verify(&world, Level::Hash).await;
        assert!(!report.verified && !report.problems.is_empty(), "byte {position}");
    }
}

#[test]
fn whatever_byte_of_whatever_file_changes_it_is_found_by_its_digest() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let world = runtime.block_on(backed_up());
    let files = runtime.block_on(files(&world));
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() };
    proptest!(config, |(file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(),
                        mask in 1..=255_u8)| {
        let (key, content) = file.get(&files);
        let mut flipped = content.to_vec();
        let at = at.index(flipped.len());
        flipped[at] ^= mask;
        let report = runtime.block_on(async {
            world.bucket.write(key, flipped.into()).await;
            let report = verify(&world, Level::Hash).await;
            world.bucket.write(key, content.clone()).await;
            report
        });
        prop_assert!(!report.verified, "{key} at {at}: {report:?}");
        prop_assert!(!report.problems.is_empty());
    });
}

#[tokio::test(start_paused = true)]
async fn a_backup_of_velero_has_nothing_to_compare_with_and_that_is_said() {
    let world = foreign::backed_up().await;
    let report = verify(&world, Level::Snapshots).await;
    assert_eq!(told(&report.problems), [""; 0]);
    assert!(report.verified, "{report:?}");
    for (check, expected) in [
        ("document", CheckResult::Passed),
        ("files", CheckResult::NotVerifiable),
        ("digests", CheckResult::NotVerifiable),
        ("archive", CheckResult::Passed),
        ("index", CheckResult::NotVerifiable),
        ("records", CheckResult::Passed),
        ("snapshots", CheckResult::Passed),
    ] {
        assert_eq!(result(&report, check), expected, "{check}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_backup_of_velero_the_checksums_of_gzip_find_what_an_accident_did() {
    let good = foreign::backed_up().await;
    for (key, content) in files(&good).await {
        if key == KEYS.metadata() {
            continue;
        }
        let world = good.copy().await;
        let mut flipped = content.to_vec();
        // Behind the header, whose time and flags no checksum covers.
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        world.bucket.write(&key, flipped.into()).await;
        problem_of(&world, Level::Hash, &key).await;
        world.bucket.write(&key, content.slice(..content.len() - 4)).await;
        problem_of(&world, Level::Hash, &key).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_records_promise_and_the_archive_lacks_is_named_and_the_other_way_round() {
    let world = foreign::backed_up().await;
    foreign::edit_archive(&world, |name| !name.contains("persistentvolumes/")).await;
    let told = told(&verify(&world, Level::Parse).await.problems);
    let (volume, snapshot) = foreign::recorded(&world).await;
    let promise = format!(
        "object persistentvolumes/{volume}: the archive lacks it, although snapshot {snapshot} \
         was taken of it"
    );
    assert!(told.contains(&promise), "{told:?}");
    let listed = format!(
        "object v1/PersistentVolume {volume}: the resource list names it, the archive lacks it"
    );
    assert!(told.contains(&listed), "{told:?}");

    let world = foreign::backed_up().await;
    foreign::edit_resource_list(&world, |list| drop(list.remove("v1/Service"))).await;
    let told = self::told(&verify(&world, Level::Parse).await.problems);
    let unlisted =
        "object services/shop/web: the archive holds it, the resource list does not name it";
    assert_eq!(told, [unlisted]);
}

#[tokio::test(start_paused = true)]
async fn what_a_partly_failed_backup_of_velero_says_itself_that_it_lacks_is_no_damage() {
    let world = foreign::backed_up().await;
    foreign::edit_archive(&world, |name| !name.contains("configmaps/")).await;
    foreign::edit_document(&world, |document| {
        document["status"]["phase"] = json!("PartiallyFailed");
        document["status"]["errors"] = json!(2);
    })
    .await;
    let report = verify(&world, Level::Parse).await;
    assert!(report.verified, "{:?}", report.problems);
    assert_eq!(told(&report.warnings).len(), 3, "{:?}", report.warnings);
    assert!(report.checks[0].detail.contains("errors name (2)"), "{:?}", report.checks[0]);
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_true_are_told_and_nobody_is_asked_about_them() {
    for (field, value, expected) in [
        ("persistentVolumeName", "../x", "record 1: no persistent volume can have that name"),
        ("backupName", "weekly", "record 1: it is of another backup"),
        ("backupUID", "uid-2", "record 1: it is of another backup"),
    ] {
        let world = foreign::backed_up().await;
        foreign::edit_snapshots(&world, |list| list[0]["spec"][field] = json!(value)).await;
        let report = verify(&world, Level::Snapshots).await;
        let told = told(&report.problems);
        assert!(told.iter().any(|line| line.contains(expected)), "{told:?}");
        assert_eq!(result(&report, "snapshots"), CheckResult::NotChecked);
    }
    let world = foreign::backed_up().await;
    foreign::edit_snapshots(&world, |list| drop(list.as_array_mut().unwrap().pop())).await;
    let told = told(&verify(&world, Level::Parse).await.problems);
    assert!(told[0].contains("2 of 2 snapshots completed, its records of 1 of 1"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_nothing_vouches_for_is_told_and_harms_nothing() {
    let world = backed_up().await;
    world.bucket.write(&format!("{}notes.txt", KEYS.prefix()), "x".into()).await;
    let report = verify(&world, Level::Hash).await;
    assert!(report.verified);
    assert!(told(&report.warnings)[0].contains("notes.txt"), "{:?}", report.warnings);
}

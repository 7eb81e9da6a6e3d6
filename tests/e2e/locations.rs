//! Locations that are full, or take no writes.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bowline_testkit::{Bowline, ControlPlane, Output, lab};
use serde_json::Value;
use tempfile::TempDir;

use crate::application::completed;
use crate::remains::{listed, names, of_one_run, only_whole_things_are_in};
use crate::written::layout;

const BOWLINE: &str = env!("CARGO_BIN_EXE_bowline");

/// Lets no file grow beyond `$BLOCKS` of 512 bytes.
const FILE_LIMIT: &str = r#"trap '' XFSZ; ulimit -f "$BLOCKS"; exec "$BOWLINE" "$@""#;

/// Has a small file system for the location, all for itself, and copies out what is left in it.
const FILE_SYSTEM: &str = r#"
[ "$(id -u)" = 0 ] && map= || map=--map-root-user
exec unshare --mount $map sh -c '
    mount -t tmpfs -o "$OPTIONS" none "$LOCATION" || exit 99
    "$BOWLINE" "$@"
    code=$?
    cp -a "$LOCATION/." "$COPY"
    exit $code
' sh "$@""#;

/// Takes the right to ignore modes away from root; others do not have it.
const ORDINARY: &str = r#"
[ "$(id -u)" = 0 ] || exec "$BOWLINE" "$@"
exec setpriv --bounding-set=-dac_override,-dac_read_search "$BOWLINE" "$@""#;

/// A machine on which a script calls `bowline`.
struct Machine {
    bowline: Bowline,
    directory: TempDir,
}

impl Machine {
    fn new(script: &str, cluster: &ControlPlane) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("bowline");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let bowline = Bowline::new(program).unwrap().on(cluster).env("BOWLINE", BOWLINE);
        Self { bowline, directory }
    }

    /// An empty directory.
    fn fresh(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    }
}

fn backup(name: &str) -> [&str; 5] {
    ["backup", "create", name, "--include-namespaces=shop", "-o=json"]
}

/// The document of a failed run: message, causes and hint.
#[track_caller]
fn error(output: &Output, code: i32) -> String {
    assert_eq!(output.code, Some(code), "{}{}", output.stdout, output.stderr);
    output.json()["error"].to_string()
}

#[tokio::test]
async fn a_location_that_does_not_take_a_write_is_told_and_left_without_halves() {
    let east = ControlPlane::start("east").await.unwrap();
    lab::deploy(&east).await.unwrap();
    lab::write_files(&east).await.unwrap();
    for directory in lab::volumes(&east.client().await.unwrap(), "shop").await.unwrap().values() {
        fs::write(directory.join("bulk"), vec![7; 3 << 20]).unwrap();
    }
    a_file_that_is_too_large_for_it(&east).await;
    a_disk_that_is_full(&east).await;
    a_directory_that_takes_nothing(&east).await;
}

async fn a_file_that_is_too_large_for_it(east: &ControlPlane) {
    let machine = Machine::new(FILE_LIMIT, east);
    let bowline = &machine.bowline;
    let large = |blocks: &str| bowline.clone().env("BLOCKS", blocks);
    let error = error(&large("16").run(&backup("archive")).await.unwrap(), 1);
    assert!(error.contains("the backup broke off; nothing of it is left"), "{error}");
    assert!(error.contains("File too large"), "{error}");
    assert_eq!(
        listed(&bowline.clone().env("BLOCKS", "unlimited"), "backup", "archive").await,
        None
    );
    only_whole_things_are_in(&bowline.location());

    let output = large("2048").run(&backup("volumes")).await.unwrap();
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    let report = output.json();
    assert_eq!(report["phase"], "PartiallyFailed");
    let errors = report["errors"].as_array().unwrap().iter();
    let told = errors.map(|it| (it["name"].as_str().unwrap(), it["message"].to_string()));
    let told: BTreeMap<_, _> = told.collect();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), lab::CLAIMS);
    assert!(told.values().all(|message| message.contains("File too large")), "{told:?}");
    only_whole_things_are_in(&bowline.location());

    completed(&large("unlimited").run(&backup("archive")).await.unwrap());
    only_whole_things_are_in(&bowline.location());
}

#[expect(clippy::print_stderr, reason = "a part of a test that is left out is told")]
async fn a_disk_that_is_full(east: &ControlPlane) {
    let machine = Machine::new(FILE_SYSTEM, east);
    let location = machine.bowline.location().display().to_string();
    let bowline = machine.bowline.clone().env("LOCATION", &location);
    let with = |options: &str, copy: &Path| {
        bowline.clone().env("OPTIONS", options).env("COPY", &copy.display().to_string())
    };
    let copy = machine.fresh("probe");
    if with("size=1m", &copy).run(&["version"]).await.unwrap().code != Some(0) {
        eprintln!("not tried on a full disk: nobody may mount one here");
        return;
    }
    let copy = machine.fresh("no-room-at-all");
    let told = error(&with("nr_inodes=1", &copy).run(&backup("never")).await.unwrap(), 5);
    assert!(told.contains("No space left"), "{told}");
    assert!(told.contains("make room"), "{told}");
    assert!(names(&copy).is_empty(), "{:?}", names(&copy));

    let copy = machine.fresh("room-for-little");
    let lean = [&backup("half")[..], &["--snapshot-volumes=false"]].concat();
    let told = error(&with("size=24k", &copy).run(&lean).await.unwrap(), 1);
    assert!(told.contains("No space left"), "{told}");
    assert!(told.contains("nothing of it is left"), "{told}");
    assert!(names(&copy.join("backups")).is_empty());
    only_whole_things_are_in(&copy);
}

async fn a_directory_that_takes_nothing(east: &ControlPlane) {
    let writer = Bowline::new(BOWLINE).unwrap().on(east);
    completed(&writer.run(&backup("good")).await.unwrap());
    let location = writer.location();
    let machine = Machine::new(ORDINARY, east);
    let bowline =
        machine.bowline.clone().env("BOWLINE_LOCATION", &format!("file://{}", location.display()));
    let before = modes(&location);
    set_modes(&before, 0o222);

    let error = error(&bowline.run(&backup("never")).await.unwrap(), 5);
    assert!(error.contains("Permission denied"), "{error}");
    assert!(error.contains("check that you may read and write there"), "{error}");
    restore_in_two_attempts(&bowline).await;
    let elsewhere = Machine::new(ORDINARY, east);
    let elsewhere =
        elsewhere.bowline.env("BOWLINE_LOCATION", &format!("file://{}", location.display()));
    restore_on_two_machines(&bowline, &elsewhere).await;
    assert_eq!(listed(&writer, "restore", "back").await, None, "another machine knows of it");

    set_modes(&before, 0);
    assert_eq!(modes(&location), before, "something was written");
    let [original, restored] = ["shop", "copy"].map(|namespace| lab::read_files(east, namespace));
    assert_eq!(original.await.unwrap(), restored.await.unwrap());
    let volumes = names(&east.volumes());
    let new = 2 * (3 + 3);
    assert_eq!(volumes.len(), 3 + new, "originals, new ones and their records: {volumes:?}");
}

/// The record of a restore that was killed is found where the first attempt could keep it.
async fn restore_in_two_attempts(bowline: &Bowline) {
    let create = ["restore", "create", "back", "--from-backup=good", "-o=json"];
    let create = [&create[..], &["--namespace-mappings=shop:copy", "--ready-timeout=2m"]].concat();
    let running = bowline.spawn(&create).unwrap();
    running.wait_for_stderr("volume available").await.unwrap();
    let killed = running.kill().await.unwrap();
    let local = local_records(bowline).join("restores/back");
    let record = fs::read(local.join("bowline-restore.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    let output = bowline.run(&create).await.unwrap();
    for said in [killed.stderr, output.stderr.clone()] {
        assert!(said.contains("the location does not take the restore's record"), "{said}");
        assert!(said.contains("it is kept in file://"), "{said}");
    }
    let report = completed(&output);
    assert_eq!(report["uid"], record["uid"], "it did not go on, but began anew");
    assert_eq!(report["warnings"][0]["operation"], "record");
    assert_eq!(listed(bowline, "restore", "back").await.as_deref(), Some("Completed"));
    let expected = layout::RESTORE.map(|name| name.replace("NAME", "back"));
    assert_eq!(of_one_run(&local), expected.into_iter().collect());
}

/// Another machine can read no record, and goes on from what is in the cluster.
async fn restore_on_two_machines(bowline: &Bowline, elsewhere: &Bowline) {
    let create = ["restore", "create", "over", "--from-backup=good", "-o=json"];
    let create = [&create[..], &["--namespace-mappings=shop:over", "--ready-timeout=2m"]].concat();
    let running = bowline.spawn(&create).unwrap();
    running.wait_for_stderr("volume available").await.unwrap();
    running.kill().await.unwrap();
    let record = local_records(bowline).join("restores/over/bowline-restore.json");
    let record = fs::read(record).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    let unknown =
        error(&elsewhere.run(&["restore", "resume", "over", "-o=json"]).await.unwrap(), 4);
    assert!(unknown.contains("with the flags of before"), "{unknown}");
    let report = completed(&elsewhere.run(&create).await.unwrap());
    assert_eq!(report["uid"], record["uid"], "it did not go on, but began anew");
}

/// Where the records are that the location, the only one of this machine, did not take.
fn local_records(bowline: &Bowline) -> PathBuf {
    let places = fs::read_dir(bowline.home().join(".local/state/bowline/locations")).unwrap();
    let places: Vec<_> = places.map(|place| place.unwrap().path()).collect();
    assert_eq!(places.len(), 1, "{places:?}");
    places[0].clone()
}

/// Every file and directory of a location, with its mode.
fn modes(location: &Path) -> BTreeMap<PathBuf, u32> {
    let find = Command::new("find").arg(location).args(["-printf", "%m %p\\n"]).output().unwrap();
    let text = String::from_utf8(find.stdout).unwrap();
    let lines = text.lines().map(|line| line.split_once(' ').unwrap());
    lines.map(|(mode, path)| (path.into(), u32::from_str_radix(mode, 8).unwrap())).collect()
}

/// Gives all directories their mode without the bits in `denied`; files keep theirs.
fn set_modes(modes: &BTreeMap<PathBuf, u32>, denied: u32) {
    for (path, mode) in modes.iter().rev().filter(|(path, _)| path.is_dir() && !path.is_symlink()) {
        fs::set_permissions(path, Permissions::from_mode(mode & !denied)).unwrap();
    }
}

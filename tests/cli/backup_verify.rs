//! `bowline backup verify`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use bowline_testkit::Bowline;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::help::help;
use crate::site::Site;

const DOCUMENT: &str = "backups/shop-full/velero-backup.json";
const ARCHIVE: &str = "backups/shop-full/shop-full.tar.gz";

fn velero() -> Site {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    site
}

/// What a command left behind, whatever providers this build has.
fn without_providers(shown: &str) -> String {
    shown.replace("local, aws", "local")
}

#[tokio::test]
async fn it_explains_itself() {
    assert_snapshot!(help("backup verify --help").await, @r"
    See whether backups can be restored

    Looks at what a restore would use, and names all that is wrong. Needs no cluster, and writes
    nothing. The data in snapshots is not read: a provider answers for that. Backups of Velero's have no
    digests; that is told, and what can be compared is.

    Usage: bowline backup verify [OPTIONS] <NAMES>...

    Arguments:
      <NAMES>...
              The backups' names

    Options:
          --level <LEVEL>
              How thoroughly; each level holds those before it

              Possible values:
              - exists:    The backup came to its end, and all its files are there in full
              - hash:      Every byte of every file is the one that was written
              - parse:     The archive can be read, and all files tell the same of it
              - snapshots: The snapshots are there, complete, and those that the backup made

              [default: snapshots]

          --trusted-accounts <ACCOUNT>
              Accounts whose snapshots may be used besides your own

      -o, --output <FORMAT>
              Print data in this form

              Possible values:
              - table: For people
              - json:  One JSON document
              - yaml:  One YAML document

              [default: table]

      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      bowline backup verify nightly
      bowline backup verify nightly weekly --level hash -o json
    ");
}

#[tokio::test]
async fn a_backup_of_velero_is_good_as_far_as_it_can_be_known() {
    assert_snapshot!(velero().run("backup verify shop-full --level parse -q").await, @r"
    exit code: 0
    --- stdout
    Name:         shop-full
    Location:     file:///HOME/location
    Phase:        Completed
    Level:        parse
    Verified:     yes

    Checks:
    CHECK       RESULT           DETAIL
    document    passed           written by Velero
    files       not verifiable   9 files are there; no sizes are recorded
    digests     not verifiable   Velero leaves no digests; the checksums of gzip were read instead, of 8 files
    archive     passed           read to its end: 72 objects
    index       not verifiable   Velero writes none, and no restore needs it
    sideFiles   passed           6 files can be read
    records     passed           archive, resource list and volume records agree on 72 objects
    ");
    let site = Site::new();
    site.add_velero_backup("part-failed");
    assert_snapshot!(site.run("backup verify part-failed -q").await, @r"
    exit code: 0
    --- stdout
    Name:         part-failed
    Location:     file:///HOME/location
    Phase:        PartiallyFailed
    Level:        snapshots
    Verified:     yes

    Checks:
    CHECK       RESULT           DETAIL
    document    passed           written by Velero; it lacks what its errors name (1)
    files       not verifiable   9 files are there; no sizes are recorded
    digests     not verifiable   Velero leaves no digests; the checksums of gzip were read instead, of 8 files
    archive     passed           read to its end: 6 objects
    index       not verifiable   Velero writes none, and no restore needs it
    sideFiles   passed           6 files can be read
    records     passed           archive, resource list and volume records agree on 6 objects, but for what the warnings name
    snapshots   passed           there are none to look at; volumes left out on purpose: 1

    Warnings:
      object v1/PersistentVolume pv-gone: the resource list names it, the archive lacks it
      object v1/PersistentVolumeClaim broken/gone: the resource list names it, the archive lacks it
      object v1/Pod broken/user: the resource list names it, the archive lacks it
    ");
}

#[tokio::test]
async fn a_provider_that_is_not_at_hand_passes_nothing() {
    assert_snapshot!(without_providers(&velero().run("backup verify shop-full -q").await), @r#"
    exit code: 5
    --- stdout
    Name:         shop-full
    Location:     file:///HOME/location
    Phase:        Completed
    Level:        snapshots
    Verified:     no

    Checks:
    CHECK       RESULT           DETAIL
    document    passed           written by Velero
    files       not verifiable   9 files are there; no sizes are recorded
    digests     not verifiable   Velero leaves no digests; the checksums of gzip were read instead, of 8 files
    archive     passed           read to its end: 72 objects
    index       not verifiable   Velero writes none, and no restore needs it
    sideFiles   passed           6 files can be read
    records     passed           archive, resource list and volume records agree on 72 objects
    snapshots   unreachable      nobody at hand here knows snapshots of that kind
    --- stderr
    error: the snapshots of backup "shop-full" could not be looked at
      cause: nobody at hand here knows snapshots of that kind
    hint: check your credentials and AWS_REGION; --level parse asks no provider
    "#);
}

#[tokio::test]
async fn what_is_not_there_or_was_never_finished_is_told_apart() {
    let site = velero();
    assert_snapshot!(site.run("backup verify shop-ful -q").await, @r#"
    exit code: 4
    --- stderr
    error: backup "shop-ful" does not exist in file:///HOME/location
    hint: did you mean "shop-full"?
    "#);
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    assert_snapshot!(site.run("backup verify crashed --level exists -q").await, @r"
    exit code: 6
    --- stdout
    Name:         crashed
    Location:     file:///HOME/location
    Phase:        Incomplete
    Level:        exists
    Verified:     no

    Checks:
    CHECK      RESULT        DETAIL
    document   failed        1 problem
    files      not checked   the backup is not good so far

    Problems:
      backup crashed: it was never finished: it runs still, or was interrupted
        hint: if it runs no longer, bowline backup create crashed --replace-incomplete clears it and starts anew
    ");
    let document = site.path(DOCUMENT);
    let mut backup: Value = serde_json::from_slice(&fs::read(&document).unwrap()).unwrap();
    backup["status"]["phase"] = json!("InProgress");
    site.write(DOCUMENT, backup.to_string());
    assert_snapshot!(site.run("backup verify shop-full --level exists -o json -q").await, @r#"
    exit code: 6
    --- stdout
    {
      "name": "shop-full",
      "location": "file:///HOME/location",
      "level": "exists",
      "phase": "InProgress",
      "verified": false,
      "checks": [
        {
          "check": "document",
          "level": "exists",
          "result": "failed",
          "detail": "1 problem"
        },
        {
          "check": "files",
          "level": "exists",
          "result": "notChecked",
          "detail": "the backup is not good so far"
        }
      ],
      "problems": [
        {
          "check": "document",
          "about": "backup",
          "name": "shop-full",
          "message": "its phase is InProgress: only what came to its end is restored",
          "hint": "wait until whoever makes it has finished it, or choose another backup"
        }
      ],
      "warnings": []
    }
    "#);
    site.write(DOCUMENT, "{");
    assert_snapshot!(site.run("backup verify shop-full --level exists -q").await, @r"
    exit code: 6
    --- stdout
    Name:         shop-full
    Location:     file:///HOME/location
    Phase:        Failed
    Level:        exists
    Verified:     no

    Checks:
    CHECK      RESULT        DETAIL
    document   failed        1 problem
    files      not checked   the backup is not good so far

    Problems:
      file backups/shop-full/velero-backup.json: EOF while parsing an object at line 1 column 1
        hint: its document was damaged, or another program wrote it: choose another backup
    ");
}

#[tokio::test]
async fn what_is_damaged_is_named() {
    let site = velero();
    site.vouch_for("shop-full");
    assert_snapshot!(site.run("backup verify shop-full --level exists -q").await, @r"
    exit code: 0
    --- stdout
    Name:         shop-full
    Location:     file:///HOME/location
    Phase:        Completed
    Level:        exists
    Verified:     yes

    Checks:
    CHECK      RESULT   DETAIL
    document   passed   written by bowline 0.1.0
    files      passed   8 files are there, of the sizes recorded
    ");
    site.flip(ARCHIVE, 2000);
    fs::remove_file(site.path("backups/shop-full/shop-full-results.gz")).unwrap();
    site.write("backups/shop-full/shop-full-volumeinfo.json.gz", "short");
    assert_snapshot!(site.run("backup verify shop-full --level hash -q").await, @r#"
    exit code: 6
    --- stdout
    Name:         shop-full
    Location:     file:///HOME/location
    Phase:        Completed
    Level:        hash
    Verified:     no

    Checks:
    CHECK      RESULT   DETAIL
    document   passed   written by bowline 0.1.0
    files      failed   2 problems
    digests    failed   2 problems

    Problems:
      file backups/shop-full/shop-full-results.gz: it does not exist
        hint: put the file back from a copy of the location, or choose another backup
      file backups/shop-full/shop-full-volumeinfo.json.gz: it has 5 bytes, 344 were written
        hint: put the file back from a copy of the location, or choose another backup
      file backups/shop-full/shop-full.tar.gz: it is not the file that was written
        hint: put the file back from a copy of the location, or choose another backup
      file backups/shop-full/velero-backup.json: it cannot be compared with what it was made of: "backups/shop-full/bowline-pending.json" does not exist
        hint: put the file back from a copy of the location, or choose another backup
    "#);
    site.flip("backups/shop-full/bowline-digests.json", 20);
    assert_snapshot!(site.run("backup verify shop-full --level exists -q").await, @r"
    exit code: 6
    --- stdout
    Name:         shop-full
    Location:     file:///HOME/location
    Phase:        Completed
    Level:        exists
    Verified:     no

    Checks:
    CHECK      RESULT   DETAIL
    document   passed   written by bowline 0.1.0
    files      failed   1 problem

    Problems:
      file backups/shop-full/bowline-digests.json: it is not the file that was written
        hint: put the file back from a copy of the location, or choose another backup
    ");
}

#[tokio::test]
async fn several_are_looked_at_one_after_the_other() {
    let site = velero();
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    let shown =
        site.run("backup verify shop-full crashed shop-fool --level exists -o yaml -q").await;
    assert_snapshot!(shown, @r#"
    exit code: 6
    --- stdout
    items:
    - checks:
      - check: document
        detail: written by Velero
        level: exists
        result: passed
      - check: files
        detail: 9 files are there; no sizes are recorded
        level: exists
        result: notVerifiable
      level: exists
      location: file:///HOME/location
      name: shop-full
      phase: Completed
      problems: []
      verified: true
      warnings: []
    - checks:
      - check: document
        detail: 1 problem
        level: exists
        result: failed
      - check: files
        detail: the backup is not good so far
        level: exists
        result: notChecked
      level: exists
      location: file:///HOME/location
      name: crashed
      phase: Incomplete
      problems:
      - about: backup
        check: document
        hint: if it runs no longer, bowline backup create crashed --replace-incomplete clears it and starts anew
        message: "it was never finished: it runs still, or was interrupted"
        name: crashed
      verified: false
      warnings: []
    - error:
        causes: []
        exitCode: 4
        hint: did you mean "shop-full"?
        message: backup "shop-fool" does not exist in file:///HOME/location
      name: shop-fool
    --- stderr
    error: backup "shop-fool" does not exist in file:///HOME/location
    hint: did you mean "shop-full"?
    "#);
}

#[tokio::test]
async fn a_level_that_is_none_is_wrong_usage() {
    assert_snapshot!(velero().run("backup verify shop-full --level deep -q").await, @r"
    exit code: 2
    --- stderr
    error: invalid value 'deep' for '--level <LEVEL>' [possible values: exists, hash, parse, snapshots]
    hint: see bowline backup verify --help
    ");
    assert_snapshot!(velero().run("backup verify").await, @r"
    exit code: 2
    --- stderr
    error: the following required arguments were not provided: <NAMES>...
    hint: see bowline backup verify --help
    ");
}

#[tokio::test]
async fn without_room_for_the_objects_of_an_archive_it_names_the_place_that_has_none() {
    let scratch = tempfile::tempdir().unwrap();
    let script = scratch.path().join("bowline");
    let program = env!("CARGO_BIN_EXE_bowline");
    // A file that may not grow any more fails as one on a full disk does.
    let text = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 64\nexec {program} \"$@\"\n");
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let site = Site { bowline: Bowline::new(&script).unwrap() };
    site.add_velero_backup("part-failed");
    let spool = site.bowline.home().display().to_string();
    let site = site.env("TMPDIR", &spool);
    assert_snapshot!(site.run("backup verify part-failed --level parse -q").await, @r#"
    exit code: 1
    --- stderr
    error: the archive of backup "part-failed" could not be looked at
      cause: failed to spool the items of the archive
      cause: File too large (os error 27)
    hint: nothing was changed; make room in "/HOME", or name another directory with TMPDIR
    "#);
}

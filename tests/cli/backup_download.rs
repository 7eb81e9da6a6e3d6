//! `bowline backup download`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;

use crate::help::help;
use crate::site::Site;

const ARCHIVE: &str = "backups/shop-full/shop-full.tar.gz";

/// A machine with a backup that vouches for its files.
fn site() -> Site {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    site.vouch_for("shop-full");
    site
}

/// What lies where the command was run, beside the sandbox's own.
fn left(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(site.bowline.home()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().display().to_string());
    let mut left: Vec<String> =
        names.filter(|name| name != "location" && !name.starts_with("run-")).collect();
    left.sort();
    left
}

#[tokio::test]
async fn it_explains_itself() {
    assert_snapshot!(help("backup download --help").await, @r"
    Download the archive of a backup

    A tar.gz with every object as JSON; the data of volumes is not in it. It holds the secrets of the
    cluster: the file is readable by you alone. It appears only when it is whole, and is the one that
    was written.

    Usage: bowline backup download [OPTIONS] <NAME>

    Arguments:
      <NAME>
              The backup's name

    Options:
      -o, --output <FILE>
              The file to write (default: `./NAME-data.tar.gz`)

          --force
              Overwrite the file if it exists

          --url
              Print a URL that anybody can download it with for a while, instead

          --expires <DURATION>
              How long the URL works

              [default: 10m]

      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      bowline backup download nightly
      bowline backup download nightly --output /tmp/nightly.tar.gz --force
      bowline backup download nightly --url --expires 1h
    ");
}

#[tokio::test]
async fn the_archive_is_copied_for_its_owner_alone() {
    let site = site();
    assert_snapshot!(site.run("backup download shop-full -q").await, @r"
    exit code: 0
    --- stdout
    19.7 KiB of backup shop-full are in shop-full-data.tar.gz
    ");
    let copy = site.bowline.home().join("shop-full-data.tar.gz");
    assert_eq!(fs::read(&copy).unwrap(), fs::read(site.path(ARCHIVE)).unwrap());
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(left(&site), ["shop-full-data.tar.gz"]);
}

#[tokio::test]
async fn a_file_that_is_there_is_overwritten_only_with_force() {
    let site = site();
    let file = site.bowline.home().join("a.tar.gz");
    fs::write(&file, "mine").unwrap();
    assert_snapshot!(site.run("backup download shop-full -o a.tar.gz -q").await, @r#"
    exit code: 1
    --- stderr
    error: "a.tar.gz" exists already
    hint: --force overwrites it; --output names another
    "#);
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    assert_snapshot!(site.run("backup download shop-full -o a.tar.gz --force -q").await, @r"
    exit code: 0
    --- stdout
    19.7 KiB of backup shop-full are in a.tar.gz
    ");
    assert_eq!(fs::read(&file).unwrap(), fs::read(site.path(ARCHIVE)).unwrap());
    assert_snapshot!(site.run("backup download shop-full -o no/such/a.tar.gz -q").await, @r#"
    exit code: 1
    --- stderr
    error: "no/such/a.tar.gz" cannot be written
      cause: entity not found
    hint: name another file with --output
    "#);
}

#[tokio::test]
async fn what_is_not_what_was_written_leaves_no_file() {
    let site = site();
    site.flip(ARCHIVE, 2000);
    assert_snapshot!(site.run("backup download shop-full -q").await, @r#"
    exit code: 6
    --- stderr
    error: the archive of backup "shop-full" cannot be downloaded
      cause: "backups/shop-full/shop-full.tar.gz" is not the file that was written: its digest differs
    hint: nothing was written; bowline backup verify tells all that is wrong
    "#);
    fs::remove_file(site.path(ARCHIVE)).unwrap();
    assert_snapshot!(site.run("backup download shop-full -q").await, @r#"
    exit code: 6
    --- stderr
    error: the archive of backup "shop-full" cannot be downloaded
      cause: "backups/shop-full/shop-full.tar.gz" does not exist
    hint: nothing was written; bowline backup verify tells all that is wrong
    "#);
    assert_eq!(left(&site), [""; 0]);
}

#[tokio::test]
async fn an_archive_of_velero_is_copied_with_a_word_on_what_is_not_known() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    let shown = site.run("backup download shop-full").await;
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let note = "Velero leaves no digest: whether it is what was written is not known";
    assert!(shown.contains(note), "{shown}");
}

#[tokio::test]
async fn what_has_no_archive_is_refused_with_the_reason() {
    let site = site();
    assert_snapshot!(site.run("backup download shop-ful -q").await, @r#"
    exit code: 4
    --- stderr
    error: backup "shop-ful" does not exist in file:///HOME/location
    hint: did you mean "shop-full"?
    "#);
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    assert_snapshot!(site.run("backup download crashed -q").await, @r#"
    exit code: 1
    --- stderr
    error: backup "crashed" cannot be downloaded: it runs still, or was interrupted
    hint: bowline backup verify crashed tells what can be done about it
    "#);
}

#[tokio::test]
async fn a_directory_has_no_url() {
    let site = site();
    assert_snapshot!(site.run("backup download shop-full --url -q").await, @r"
    exit code: 2
    --- stderr
    error: file:///HOME/location has no URLs that others can use
    hint: leave --url out: the file is copied then
    ");
    assert_snapshot!(site.run("backup download shop-full --url --force -q").await, @r"
    exit code: 2
    --- stderr
    error: the argument '--url' cannot be used with '--force'
    hint: see bowline backup download --help
    ");
    assert_snapshot!(site.run("backup download shop-full --expires 1h -q").await, @r"
    exit code: 2
    --- stderr
    error: the following required arguments were not provided: --url
    hint: see bowline backup download --help
    ");
}

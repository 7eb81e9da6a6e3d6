//! `bowline backup logs`.

use insta::assert_snapshot;

use crate::help::help;
use crate::site::{Site, gz};

const PIECES: &str = "metadata/bowline/logs/backups/nightly/3c1b6f0e-0000-4000-8000-000000000001";

/// A backup that runs and has written two pieces of its log, and another's beside it.
fn running() -> Site {
    let site = Site::new();
    site.add_attempt("nightly", "2026-03-01T02:00:00Z");
    site.write(&format!("{PIECES}/00000001.gz"), gz("level=info msg=one\nlevel=info msg=two\n"));
    site.write(&format!("{PIECES}/00000002.gz"), gz("level=info msg=three\n"));
    let other = "metadata/bowline/logs/backups/nightly/other/00000001.gz";
    site.write(other, gz("level=info msg=stale\n"));
    site
}

#[tokio::test]
async fn the_log_of_velero_s_backup_is_printed_as_it_is() {
    let site = Site::new();
    site.add_velero_backup("part-failed");
    let output = site.bowline.run(&["backup", "logs", "part-failed"]).await.unwrap();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    assert_eq!(output.stdout.lines().count(), 340);
    let first = "time=\"2026-11-21T11:11:37Z\" level=info msg=\"Setting up backup temp file\" \
                 backup=velero/part-failed logSource=\"pkg/controller/backup_controller.go:723\"\n";
    assert!(output.stdout.starts_with(first), "{}", output.stdout);
    let followed = site.bowline.run(&["backup", "logs", "part-failed", "-f"]).await.unwrap();
    assert_eq!(followed, output, "it is whole: there is nothing to wait for");
}

#[tokio::test]
async fn lines_of_json_are_printed_as_they_are_too() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    let log = "{\"level\":\"info\",\"msg\":\"one\"}\n{\"level\":\"info\",\"msg\":\"two\"}";
    site.write("backups/shop-full/shop-full-logs.gz", gz(log));
    assert_snapshot!(site.run("backup logs shop-full").await, @r#"
    exit code: 0
    --- stdout
    {"level":"info","msg":"one"}
    {"level":"info","msg":"two"}
    "#);
}

#[tokio::test]
async fn the_log_of_a_backup_that_runs_is_printed_as_far_as_it_is() {
    let site = running();
    assert_snapshot!(site.run("backup logs nightly").await, @r"
    exit code: 0
    --- stdout
    level=info msg=one
    level=info msg=two
    level=info msg=three
    ");
    site.write("backups/nightly/nightly-logs.gz", gz("level=info msg=whole\n"));
    assert_snapshot!(site.run("backup logs nightly").await, @r"
    exit code: 0
    --- stdout
    level=info msg=whole
    ");
}

#[tokio::test]
async fn a_log_that_is_followed_is_printed_once_to_its_end() {
    let site = running();
    let whole =
        "level=info msg=one\nlevel=info msg=two\nlevel=info msg=three\nlevel=info msg=four\n";
    let ended = async { site.write("backups/nightly/nightly-logs.gz", gz(whole)) };
    let (output, ()) = tokio::join!(site.run("backup logs nightly --follow"), ended);
    assert_snapshot!(output, @r"
    exit code: 0
    --- stdout
    level=info msg=one
    level=info msg=two
    level=info msg=three
    level=info msg=four
    ");
}

#[tokio::test]
async fn what_a_terminal_would_obey_is_written_out_for_a_pipe_too() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    let log = "msg=\"\x1b[2J\u{202e}gone\"\r\nmsg=\"a\tb\"\n";
    site.write("backups/shop-full/shop-full-logs.gz", gz(log));
    assert_snapshot!(site.run("backup logs shop-full").await, @r#"
    exit code: 0
    --- stdout
    msg="\u{1b}[2J\u{202e}gone"
    msg="a b"
    "#);
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_helps() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    assert_snapshot!(site.run("backup logs shop-ful").await, @r#"
    exit code: 4
    --- stderr
    error: backup "shop-ful" does not exist in file:///HOME/location
    hint: did you mean "shop-full"?
    "#);
    std::fs::remove_file(site.path("backups/shop-full/shop-full-logs.gz")).unwrap();
    assert_snapshot!(site.run("backup logs shop-full").await, @r#"
    exit code: 4
    --- stderr
    error: there is no log of backup "shop-full"
    hint: bowline backup describe shop-full shows all that is known of it
    "#);
    site.add_attempt("nightly", "2026-03-01T02:00:00Z");
    assert_snapshot!(site.run("backup logs nightly").await, @r"
    exit code: 4
    --- stderr
    error: nothing was logged yet
    hint: what runs writes its log every few seconds; --follow waits for it
    ");
    assert_snapshot!(site.run("backup logs ../x").await, @r#"
    exit code: 4
    --- stderr
    error: backup "../x" does not exist in file:///HOME/location
    hint: bowline backup get lists what there is
    "#);
}

#[tokio::test]
async fn a_log_that_is_damaged_is_an_error() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    site.write("backups/shop-full/shop-full-logs.gz", "no gzip");
    assert_snapshot!(site.run("backup logs shop-full").await, @r#"
    exit code: 6
    --- stderr
    error: "backups/shop-full/shop-full-logs.gz" cannot be read
      cause: unexpected end of file
    hint: the file was damaged, or another program wrote it
    "#);
}

#[tokio::test]
async fn its_help_says_what_is_printed_and_how() {
    assert_snapshot!(help("backup logs --help").await, @r"
    Print the log of a backup, also while it runs

    A backup that runs writes its log to the storage location every few seconds, so that any machine can
    read it; one that was interrupted leaves what it had written. Control characters are written out,
    whether it goes to a terminal or not.

    Usage: bowline backup logs [OPTIONS] <NAME>

    Arguments:
      <NAME>
              The backup's name

    Options:
      -f, --follow
              Go on printing what is logged until the log is whole

      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      bowline backup logs nightly
      bowline backup logs nightly --follow
    ");
}

//! `bowline restore logs`.

use insta::assert_snapshot;

use crate::help::help;
use crate::site::{Site, gz, partly_failed};

#[tokio::test]
async fn the_log_of_a_restore_is_printed_from_the_location() {
    let site = Site::new();
    site.add_restore("copy", Some(&partly_failed("copy")));
    site.write("restores/copy/restore-copy-logs.gz", gz("level=info msg=done\n"));
    assert_snapshot!(site.run("restore logs copy").await, @r"
    exit code: 0
    --- stdout
    level=info msg=done
    ");
}

#[tokio::test]
async fn the_log_of_velero_s_restore_is_printed_though_it_left_no_record() {
    let site = Site::new();
    site.write("restores/theirs/restore-theirs-logs.gz", gz("level=info msg=theirs\n"));
    assert_snapshot!(site.run("restore logs theirs -f").await, @r"
    exit code: 0
    --- stdout
    level=info msg=theirs
    ");
}

#[tokio::test]
async fn the_log_of_a_restore_that_runs_is_printed_as_far_as_it_is() {
    let site = Site::new();
    site.add_restore("copy", None);
    let pieces = "metadata/bowline/logs/restores/copy/51c2b244-0000-4000-8000-000000000003";
    site.write(&format!("{pieces}/00000001.gz"), gz("level=info msg=one\n"));
    assert_snapshot!(site.run("restore logs copy").await, @r"
    exit code: 0
    --- stdout
    level=info msg=one
    ");
}

/// Its location takes no writes: its records are on the machine that restores.
#[tokio::test]
async fn the_log_that_a_location_refused_is_read_from_this_machine() {
    let site = Site::new();
    site.add_local_restore("copy", Some(&partly_failed("copy")));
    let log = site.local_records().join("restores/copy/restore-copy-logs.gz");
    std::fs::write(log, gz("level=info msg=here\n")).unwrap();
    assert_snapshot!(site.run("restore logs copy").await, @r"
    exit code: 0
    --- stdout
    level=info msg=here
    ");
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_helps() {
    let site = Site::new();
    site.add_restore("copy", Some(&partly_failed("copy")));
    assert_snapshot!(site.run("restore logs copy").await, @r#"
    exit code: 4
    --- stderr
    error: there is no log of restore "copy"
    hint: bowline restore describe copy shows all that is known of it
    "#);
    assert_snapshot!(site.run("restore logs cop").await, @r#"
    exit code: 4
    --- stderr
    error: restore "cop" does not exist in file:///HOME/location
    hint: did you mean "copy"?
    "#);
    site.add_restore("running", None);
    assert_snapshot!(site.run("restore logs running").await, @r"
    exit code: 4
    --- stderr
    error: nothing was logged yet
    hint: what runs writes its log every few seconds; --follow waits for it
    ");
}

#[tokio::test]
async fn its_help_says_what_is_printed_and_how() {
    assert_snapshot!(help("restore logs --help").await, @r"
    Print the log of a restore, also while it runs

    A restore that runs writes its log to the storage location every few seconds, so that any machine
    can read it; one that was interrupted leaves what it had written. Control characters are written
    out, whether it goes to a terminal or not.

    Usage: bowline restore logs [OPTIONS] <NAME>

    Arguments:
      <NAME>
              The restore's name

    Options:
      -f, --follow
              Go on printing what is logged until the log is whole

      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      bowline restore logs nightly-20260301020000
      bowline restore logs nightly-20260301020000 --follow
    ");
}

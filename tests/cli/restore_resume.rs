//! `bowline restore resume`.

use insta::assert_snapshot;
use serde_json::json;

use crate::help::help;
use crate::site::{Site, partly_failed};

#[tokio::test]
async fn of_one_that_is_completed_nothing_is_left_to_do() {
    let site = Site::new();
    let mut result = partly_failed("copy");
    result["phase"] = json!("Completed");
    result["errors"] = json!([]);
    result["volumes"] = json!([]);
    site.add_restore("copy", Some(&result));
    assert_snapshot!(site.run("restore resume copy").await, @r"
    exit code: 0
    --- stdout
    restore copy of backup nightly is Completed: 29 created, 0 updated, 1 unchanged, 9 skipped, 1 failed, 0 errors, 0 warnings
    --- stderr
    restore copy is Completed: nothing is left to do
    ");
    let output = site.bowline.run(&["resume", "restore", "copy", "-o", "json"]).await.unwrap();
    assert_eq!((output.code, &output.json()["phase"]), (Some(0), &json!("Completed")));
}

#[tokio::test]
async fn what_nobody_recorded_or_nobody_can_read_is_not_resumed() {
    let site = Site::new();
    site.add_restore("nightly-1", None);
    site.write("restores/odd/bowline-restore.json", "{");
    site.write("restores/theirs/restore-theirs-results.gz", crate::site::gz("{}"));
    assert_snapshot!(site.run("restore resume nightly1").await, @r#"
    exit code: 4
    --- stderr
    error: restore "nightly1" does not exist in file:///HOME/location
    hint: did you mean "nightly-1"?; where the location took no record, bowline restore create nightly1 with the flags of before goes on from what is in the cluster
    "#);
    assert_snapshot!(site.run("restore resume odd").await, @r#"
    exit code: 6
    --- stderr
    error: restore "odd" cannot be resumed
      cause: "restores/odd/bowline-restore.json" cannot be read: EOF while parsing an object at line 1 column 1
    hint: bowline restore create makes another restore, with a name of its own: it leaves what is there, and refuses claims that wait for volumes of this one; --take-over-claims replaces those that nothing mounts
    "#);
    assert_snapshot!(site.run("restore resume theirs").await, @r#"
    exit code: 1
    --- stderr
    error: restore "theirs" cannot be resumed
      cause: restore "theirs" was made by Velero
    hint: bowline restore create leaves what that one made, and makes what is missing
    "#);
}

#[tokio::test]
async fn what_was_recorded_is_what_is_asked_for() {
    let site = Site::new().with_server("https://127.0.0.1:1");
    site.add_restore("copy", None);
    assert_snapshot!(site.run("restore resume copy").await, @r#"
    exit code: 4
    --- stderr
    reading the backup
    error: backup "nightly" does not exist in file:///HOME/location
    hint: bowline backup get lists what there is
    "#);
}

#[tokio::test]
async fn its_help_says_what_it_goes_on_with() {
    assert_snapshot!(help("restore resume --help").await, @r"
    Go on with a restore that was interrupted, or in which something failed

    Asks for exactly what the restore was asked for, as its record in the storage location says, so that
    any machine will do. What is there already stays, and what could not be done is tried again. Of one
    that is Completed nothing is left to do.

    Usage: bowline restore resume [OPTIONS] <NAME>

    Arguments:
      <NAME>
              The restore's name

    Options:
          --ready-timeout <DURATION>
              How long what was made may take to be ready; 0 does not wait (default: as before)

          --take-over-claims
              Replace claims that something made first, with a volume that nothing mounts, and that the
              restore was not asked to replace (default: as before)

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
      bowline restore resume nightly-20260301020000
      bowline restore resume nightly-20260301020000 --kubecontext west --ready-timeout 30m
    ");
}

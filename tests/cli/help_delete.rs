//! The help of the commands that delete.

use insta::assert_snapshot;

use crate::help::help;

#[tokio::test]
async fn commands_that_delete_say_what_stays() {
    assert_snapshot!(help("backup delete --help").await, @r"
    Delete backups, and the snapshots of their volumes

    Snapshots go only if their tags say that they are of that very backup. An object lock is respected:
    as long as a file is retained nothing is touched. One that is held stays. A deletion that is
    interrupted is finished when the same command is run again. Do not delete a backup that is still
    being made.

    Usage: bowline backup delete [OPTIONS] <NAME|--selector <SELECTOR>|--all>

    Arguments:
      [NAME]...
              Those of these names

    Options:
      -l, --selector <SELECTOR>
              Those with these labels, such as `team=web,tier!=cache`

          --all
              All of them, unfinished ones too

          --ignore-missing-snapshots
              Delete them even if none of their snapshots can be seen from here

              Only for snapshots that are gone for good: those of another account or region would be
              left behind, with nothing that tells of them.

          --confirm
              Do not ask

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
      bowline backup delete nightly
      bowline backup delete nightly-1 nightly-2 --confirm -o json
      bowline backup delete -l team=web
    ");
    assert_snapshot!(help("restore delete --help").await, @r"
    Delete the records of restores

    What was restored stays: objects, volumes and all. An interrupted restore cannot go on without its
    record: one that may have left workloads scaled down is deleted with --force only.

    Usage: bowline restore delete [OPTIONS] <NAME|--selector <SELECTOR>|--all>

    Arguments:
      [NAME]...
              Those of these names

    Options:
      -l, --selector <SELECTOR>
              Those with these labels, such as `team=web,tier!=cache`

          --all
              All of them, unfinished ones too

          --confirm
              Do not ask

          --force
              Delete also what may have left workloads scaled down, and leave these to you

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
      bowline restore delete nightly-20260301020000
      bowline restore delete one two --confirm
      bowline restore delete --all --confirm
    ");
}

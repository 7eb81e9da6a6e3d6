//! The help of the commands for locations.

use insta::assert_snapshot;

use crate::help::help;

#[tokio::test]
async fn location_commands_explain_themselves() {
    assert_snapshot!(help("location --help").await, @r"
    Name and check places for backups

    Names are kept in `$XDG_CONFIG_HOME/bowline/config.toml` (`~/.config/bowline/config.toml`).

    Usage: bowline location [OPTIONS] <COMMAND>

    Commands:
      get     List locations [alias: list]
      create  Give a location a name [alias: add]
      delete  Forget the name of a location
      check   Try whether a location does what backups need of it
      help    Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      bowline location create lab --url 's3://bucket/prefix?region=eu-west-1' --default
      bowline location check lab
    ");
    assert_snapshot!(help("location get --help").await, @r"
    List locations

    Those that have a name, and the one in use: it is chosen by --storage-location, else
    `$BOWLINE_LOCATION`, else the configured default, else it is a directory of your own.

    Usage: bowline location get [OPTIONS] [NAME]

    Arguments:
      [NAME]
              Only the location of this name

    Options:
      -o, --output <FORMAT>
              Print data in this form

              Possible values:
              - table: For people
              - json:  One JSON document
              - yaml:  One YAML document
              - name:  One name a line

              [default: table]

      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      bowline location get
      bowline location get lab -o json
    ");
    assert_snapshot!(help("location create --help").await, @r"
    Give a location a name

    Nothing is written to the location; bowline location check tries it.

    Usage: bowline location create [OPTIONS] <NAME>

    Arguments:
      <NAME>
              The location's name

    Options:
          --url <URL>
              Where it is

          --provider <PROVIDER>
              Whose object storage it is, in place of a URL

              [possible values: aws, velero.io/aws]

          --bucket <NAME>
              The bucket, in place of a URL

          --prefix <PREFIX>
              What all keys in the bucket start with

          --config <KEY=VALUE>
              Options of the bucket, under Velero's keys such as region, s3Url and kmsKeyId

          --default
              Use it where no other is asked for

      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      bowline location create lab --url 's3://bucket/prefix?region=eu-west-1' --default
      bowline location create here --url file:///var/backups
      bowline location create lab --provider aws --bucket bucket --prefix prefix \
          --config region=eu-west-1,kmsKeyId=alias/backups
    ");
    assert_snapshot!(help("location delete --help").await, @r"
    Forget the name of a location

    What is kept there stays.

    Usage: bowline location delete [OPTIONS] <NAME>

    Arguments:
      <NAME>
              The location's name

    Options:
          --confirm
              Do not ask

      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Example:
      bowline location delete lab --confirm
    ");
    assert_snapshot!(help("location check --help").await, @r"
    Try whether a location does what backups need of it

    Writes a probe below metadata/bowline/probes/, reads and lists it, and removes it again. Tells how
    the location guards its objects, too: versions, locks, encryption.

    Usage: bowline location check [OPTIONS] [NAME|URL]

    Arguments:
      [NAME|URL]
              The location, by name or by URL (default: the one in use)

    Options:
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
      bowline location check
      bowline location check 's3://bucket/prefix?region=eu-west-1' -o json
    ");
}

//! The help of every command.

use insta::assert_snapshot;

use crate::site::Site;

const GLOBAL: &str = "\nGlobal options:\n";

/// The help of a command, without the global options if they are those of every command.
pub(crate) async fn help(line: &str) -> String {
    let site = Site::new();
    let all = site.bowline.run(&["--help"]).await.unwrap().success();
    let global = all.split_once(GLOBAL).unwrap().1.split_once("\nExamples:").unwrap().0;
    let words: Vec<_> = line.split(' ').collect();
    let text = site.bowline.run(&words).await.unwrap().success();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let text = text.replace(&format!("{GLOBAL}{global}"), "\n(global options)\n");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_whole_is_told_with_every_global_option_and_exit_code() {
    let output = Site::new().bowline.run(&["help"]).await.unwrap().success();
    assert_eq!(output, Site::new().bowline.run(&["--help"]).await.unwrap().success());
    assert_snapshot!(output.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"), @r"
    Back up Kubernetes applications and their volumes, and bring them back

    Objects go as JSON into a tar.gz in object storage, data goes by snapshots of the volumes. A backup
    that is Completed can be restored; a restore that is Completed has come up.

    Usage: bowline [OPTIONS] <COMMAND>

    Commands:
      backup      Make and look at backups [alias: backups]
      restore     Bring backups back, and look at what was brought back [alias: restores]
      schedule    Have backups made by the clock, and expire [alias: schedules]
      location    Name and check places for backups [aliases: locations, backup-location]
      version     Print the version
      completion  Print a script that completes what you type in your shell
      help        Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --kubeconfig <FILE>
              The kubeconfig file (default: the files of $KUBECONFIG, else ~/.kube/config)

          --kubecontext <NAME>
              The context of the kubeconfig (default: its current one)

              [alias: --context]

          --storage-location <URL|NAME>
              Where backups are kept: a URL such as `s3://bucket/prefix` or `file:///var/backups`, or
              the name of a configured location (default: `$BOWLINE_LOCATION`, else the configured
              default, else a directory of your own)

              [alias: --location]

          --request-timeout <DURATION>
              How long the API server may take for a reply; what fails is tried again for twice as long

              [default: 1m]

          --max-in-flight <COUNT>
              How many requests to the API server may be on their way at once

              [default: 30]

          --qps <COUNT>
              How many requests to the API server may be sent in a second (default: as many as it takes)

          --log-level <LEVEL>
              How much is logged to stderr (default: warn; with --quiet: error)

              Possible values:
              - error: Only what failed
              - warn:  What is odd, too
              - info:  What is done, too
              - debug: How it is done, too
              - trace: Everything, also of the libraries below

      -q, --quiet
              Print nothing but errors and data

          --no-progress
              Print plain lines instead of a progress bar

          --timings[=<FORMAT>]
              Tell on stderr where the time went, and how much memory was needed

              Possible values:
              - table: For people
              - json:  One JSON document in one line

    Examples:
      bowline backup create nightly
      bowline restore create --from-backup nightly --kubecontext west

    The verb may come first, too: bowline get backups

    Exit codes:
      0    done
      1    failed
      2    wrong usage, nothing was tried
      3    partly failed, the report lists the items
      4    no such backup, restore, schedule or location
      5    location or cluster unreachable or refused, nothing was written
      6    verification failed
      130  interrupted
    ");
}

#[tokio::test]
async fn groups_list_their_commands() {
    assert_snapshot!(help("backup --help").await, @r"
    Make and look at backups

    Usage: bowline backup [OPTIONS] <COMMAND>

    Commands:
      create    Make a backup
      finish    Finish a backup that was interrupted while its snapshots were awaited
      get       List backups [alias: list]
      describe  Show all that is known of backups
      logs      Print the log of a backup, also while it runs
      verify    See whether backups can be restored
      diff      Show what changed between a backup and another one, or the cluster
      download  Download the archive of a backup
      delete    Delete backups, and the snapshots of their volumes
      expire    Remove the backups that no rule keeps, or whose time has come
      hold      Hold a backup: it stays, whatever rules and times say, until it is released
      release   Release a backup that is held: rules and times mean it again
      help      Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      bowline backup create nightly
      bowline backup get
    ");
    assert_snapshot!(help("help restore").await, @r"
    Bring backups back, and look at what was brought back

    Usage: bowline restore [OPTIONS] <COMMAND>

    Commands:
      create    Bring a backup back
      resume    Go on with a restore that was interrupted, or in which something failed
      drill     Show that a backup can be restored, and leave nothing behind
      get       List restores [alias: list]
      describe  Show all that is known of restores
      logs      Print the log of a restore, also while it runs
      delete    Delete the records of restores
      help      Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      bowline restore create --from-backup nightly
      bowline restore get
    ");
}

#[tokio::test]
async fn backup_commands_explain_themselves() {
    assert_snapshot!(help("backup create --help").await, @r"
    Make a backup

    Writes the objects of the chosen namespaces to the storage location and takes a snapshot of the
    volume behind every bound claim. Completed means that all of it can be restored.

    Usage: bowline backup create [OPTIONS] [NAME]

    Arguments:
      [NAME]
              The backup's name (of a schedule's: made by its run, from the schedule's name and the
              time)

    Options:
          --from-schedule <SCHEDULE>
              Make the backup that this schedule asks for, now, unless it is paused or another one of it
              is going on

          --expire
              Then delete those of the schedule's backups that its rules do not keep

          --labels <KEY=VALUE>
              Labels to find it by

          --annotations <KEY=VALUE>
              Annotations, which hold any text

          --replace-incomplete
              Clear an unfinished backup of this name first

          --dry-run
              Show what would be taken and which rights are missing; write nothing

      -o, --output <FORMAT>
              Print data in this form

              Possible values:
              - table: For people
              - json:  One JSON document
              - yaml:  One YAML document

              [default: table]

          --snapshot-volumes[=<BOOL>]
              Take snapshots of volumes (default: true)

              [possible values: true, false]

          --resource-policies-configmap <[NAMESPACE/]NAME>
              Velero's resource policies, which decide about volumes: the `ConfigMap` that holds them (a
              bare NAME: in namespace velero). Actions are skip, snapshot and reattach; the first policy
              whose conditions hold decides, before annotations and --snapshot-volumes

          --resource-policies-file <FILE>
              The same policies in a file

          --hooks <FILE>
              Commands that are run in pods before and after the snapshots of their volumes: a file with
              what Velero has below `spec.hooks`. What a pod's annotations say stands above it

          --volume-snapshot-locations <NAME>
              The name of the volume snapshot location that a Velero which restores this backup knows;
              the first of several counts (default: default)

          --ttl <DURATION>
              How long it is kept, such as 720h; a Velero on the same bucket deletes it then (default:
              for ever)

          --api-versions <VERSIONS>
              In which versions objects are stored: as the cluster prefers them, or in all that it
              serves, so that a target which no longer serves the preferred one can take another

              Possible values:
              - preferred: As the cluster prefers them
              - all:       In all that it serves

              [default: preferred]

      -h, --help
              Print help (see a summary with '-h')

    Filters:
          --include-namespaces <NAMESPACES>
              Namespaces to take; globs such as `team-*` (default: all)

          --exclude-namespaces <NAMESPACES>
              Namespaces to leave out; globs

          --include-resources <RESOURCES>
              Resources to take, such as `deployments.apps`, `deploy` or `*.example.com` (default: all)

          --exclude-resources <RESOURCES>
              Resources to leave out

          --include-cluster-resources[=<BOOL>]
              Take cluster-scoped resources (default: all of them if no namespace is left out, else
              those that the others need)

              [possible values: true, false]

      -l, --selector <SELECTOR>
              Take only objects with these labels, such as `app=web,tier!=cache`

          --or-selector <SELECTORS>
              Take objects that any of these selectors selects, such as `app=web or tier=cache`; may be
              given several times

          --include-cluster-scoped-resources <RESOURCES>
              Cluster-scoped resources to take (default: all of them if nothing is filtered, else those
              that the others need)

          --exclude-cluster-scoped-resources <RESOURCES>
              Cluster-scoped resources to leave out, even where others need them, `*` for all; of the
              rest only those that others need are taken then

          --include-namespace-scoped-resources <RESOURCES>
              Namespaced resources to take (default: all)

          --exclude-namespace-scoped-resources <RESOURCES>
              Namespaced resources to leave out; `*` for all

          --ordered-resources <KIND=NAMES;...>
              Objects to take before the others of their kind, in this order, such as
              `pods=shop/db-0,shop/db-1;persistentvolumes=pv-1`

    Telling others:
          --metrics-file <FILE>
              Write metrics of the schedule to this file, for the textfile collector of node exporter

          --push-gateway <URL>
              Push metrics of the schedule to a Prometheus Pushgateway, such as
              `http://pushgateway:9091`

          --notify <URL>
              Post one JSON document about the run there; its `text` is what Slack shows (default:
              `$BOWLINE_NOTIFY`). The URL is never printed

          --notify-on <WHEN>
              When to post it

              Possible values:
              - failure: When there is no good backup
              - always:  After every run

              [default: failure]

    (global options)

    Examples:
      # everything
      bowline backup create nightly
      # one application, and see first what would be listed
      bowline backup create shop-1 --include-namespaces shop --dry-run
      bowline backup create shop-1 --include-namespaces shop --storage-location file:///var/backups
      # what a schedule says, from a crontab, and then what its rules say of its older backups
      bowline backup create --from-schedule nightly --expire
    ");
    assert_snapshot!(help("backup get --help").await, @r"
    List backups

    Incomplete are those that run still, or were interrupted; they cannot be restored. For programs, the
    backup that is asked for by its name is one object; all else is a list.

    Usage: bowline backup get [OPTIONS] [NAME]...

    Arguments:
      [NAME]...
              Only those of these names (default: all)

    Options:
      -l, --selector <SELECTOR>
              Only those with these labels, such as `team=web,tier!=cache`

      -L, --label-columns <KEY>
              Labels that get a column each

          --show-labels
              Show all labels in a last column

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
      bowline backup get
      bowline backup get -l team=web -L team
      bowline backup get nightly -o json
    ");
    assert_snapshot!(help("backup describe --help").await, @r"
    Show all that is known of backups

    Without a name, of all of them. For programs, the backup that is asked for by its name is one
    object; all else is a list.

    Usage: bowline backup describe [OPTIONS] [NAME]...

    Arguments:
      [NAME]...
              Only those of these names (default: all)

    Options:
      -l, --selector <SELECTOR>
              Only those with these labels, such as `team=web,tier!=cache`

          --details
              Show the objects by name, how each volume is kept, and the digests of the files, too

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
      bowline backup describe nightly
      bowline backup describe nightly --details
      bowline backup describe -l team=web -o yaml
    ");
}

#[tokio::test]
async fn the_others_explain_themselves() {
    assert_snapshot!(help("version --help").await, @r"
    Print the version

    Of the program, and of the format that it writes. With --cluster, of the cluster, too.

    Usage: bowline version [OPTIONS]

    Options:
          --cluster
              Ask the cluster for its version, too

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

    Example:
      bowline version -o json
    ");
    assert_snapshot!(help("completion --help").await, @r#"
    Print a script that completes what you type in your shell

    In bash, fish and zsh commands and flags are completed, and the names of backups, restores,
    locations, contexts and resources. They are looked up as you type, for two seconds at most; the
    script itself needs no update when bowline gets one. In the other shells commands and flags are.

    Usage: bowline completion [OPTIONS] <SHELL>

    Arguments:
      <SHELL>
              The shell

              [possible values: bash, elvish, fish, powershell, zsh]

    Options:
      -h, --help
              Print help (see a summary with '-h')

    (global options)

    Examples:
      source <(bowline completion bash)
      bowline completion zsh > "${fpath[1]}/_bowline"
      bowline completion fish > ~/.config/fish/completions/bowline.fish
    "#);
}

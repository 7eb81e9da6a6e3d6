//! The help of the commands that restore.

use insta::assert_snapshot;

use crate::help::help;

#[tokio::test]
async fn restore_commands_explain_themselves() {
    assert_snapshot!(help("restore create --help").await, @r"
    Bring a backup back

    Makes the objects of a backup, new volumes from its snapshots, and waits until all of it is up. What
    is there already is left as it is. An interrupted restore goes on when the same command is run again
    under the same name.

    Usage: bowline restore create [OPTIONS] --from-backup <BACKUP> [NAME]

    Arguments:
      [NAME]
              The restore's name (default: the backup's, and the time)

    Options:
          --from-backup <BACKUP>
              The backup to restore

          --namespace-mappings <FROM:TO>
              Namespaces that come back under another name

          --zone-mappings <OLD:NEW>
              Zones whose volumes are made in another one (default: the zone that they were in, if the
              cluster has nodes there)

          --restore-volumes[=<BOOL>]
              Make volumes from the snapshots; `false` restores the claims empty (default: true)

              [possible values: true, false]

          --allow-empty-volumes
              Restore a claim without a usable snapshot as an EMPTY one, instead of refusing it

          --cluster-name <NAME>
              The name that AWS knows the cluster by, for the tags that let its EBS driver manage the
              volumes

              [env: AWS_CLUSTER_NAME]

          --trusted-accounts <ID>
              Accounts of AWS whose shared snapshots may be used, besides your own

          --ebs-kms-key-id <KEY>
              The KMS key that new EBS volumes are encrypted with (default: the key of the old ones)

          --ready-timeout <DURATION>
              How long what was made may take to be ready; 0 does not wait

              [default: 10m]

          --dry-run
              Show the plan; change nothing

      -o, --output <FORMAT>
              Print data in this form

              Possible values:
              - table: For people
              - json:  One JSON document
              - yaml:  One YAML document

              [default: table]

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

    (global options)

    Examples:
      # see what would be done, object by object
      bowline restore create --from-backup nightly --dry-run
      # everything, into the cluster of another context
      bowline restore create --from-backup nightly --kubecontext west
      # one namespace, beside the original
      bowline restore create clone --from-backup nightly --include-namespaces shop \
          --namespace-mappings shop:shop-clone
    ");
    assert_snapshot!(help("restore get --help").await, @r#"
    List restores

    Incomplete are those that run still, or were interrupted; these go on when they are created again.
    The records of restores whose location took none are kept by this machine ("local").

    Usage: bowline restore get [OPTIONS] [NAMES]...

    Arguments:
      [NAMES]...
              Only these restores

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
      bowline restore get
      bowline restore get -o json
    "#);
    assert_snapshot!(help("restore describe --help").await, @r"
    Show all that is known of a restore

    Usage: bowline restore describe [OPTIONS] <NAME>

    Arguments:
      <NAME>
              The restore's name

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
      bowline restore describe nightly-20260301020000
      bowline restore describe nightly-20260301020000 -o json
    ");
}

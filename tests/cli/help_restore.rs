//! The help of the commands that restore.

use insta::assert_snapshot;

use crate::help::help;

#[tokio::test]
async fn restore_commands_explain_themselves() {
    assert_snapshot!(help("restore create --help").await, @r"
    Bring a backup back

    Makes the objects of a backup, new volumes from its snapshots, and waits until all of it is up. What
    is there already is left as it is. An interrupted restore goes on with restore resume, or when the
    same command is run again under the same name.

    Usage: bowline restore create [OPTIONS] [NAME]

    Arguments:
      [NAME]
              The restore's name (default: the backup's, and the time)

    Options:
          --from-backup <BACKUP>
              The backup to restore

          --from-schedule <SCHEDULE>
              Restore the newest good backup of this schedule

          --allow-partially-failed
              Take one for good in which something failed

          --labels <KEY=VALUE>
              Labels to find it by

          --annotations <KEY=VALUE>
              Annotations, which hold any text

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

          --terminating-resource-timeout <DURATION>
              How long namespaces and objects of the cluster that are being deleted may take until they
              are gone, all of them together

              [default: 10m]

          --dry-run[=<HOW>]
              Show the plan; change nothing. `server` also has the API server check what would be made,
              admission included, but objects whose namespace or definition is not there yet; with it,
              what is refused ends in exit code 3, as the restore would

              Possible values:
              - client: What exists is looked at, and nothing is sent
              - server: What would be made is sent, to be checked and not kept

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

          --or-selector <SELECTORS>
              Take objects that any of these selectors selects, such as `app=web or tier=cache`; may be
              given several times

          --status-include-resources <RESOURCES>
              Resources whose recorded status comes back, too; built-in ones only where they are named,
              no `*` means them (default: none)

          --status-exclude-resources <RESOURCES>
              Of those, resources whose status does not; without effect alone

    Objects:
          --existing-resource-policy <POLICY>
              What becomes of an object that exists and differs: left as it is, changed to what the
              backup holds, or deleted and made anew where that is safe for its kind

              Possible values:
              - none:     It is left as it is
              - update:   It is changed to what the backup holds
              - recreate: It is deleted and made anew, where that is safe for its kind

              [default: none]

          --preserve-nodeports[=<BOOL>]
              Keep the node ports of services, those that the old cluster chose, too (default: only
              those that somebody chose)

              [possible values: true, false]

          --resource-modifier-configmap <[NAMESPACE/]NAME>
              Velero's resource modifiers, which change objects on their way: the `ConfigMap` that holds
              them (a bare NAME: in namespace velero)

          --resource-modifiers-file <FILE>
              The same modifiers in a file

          --storage-class-mappings <OLD:NEW>
              Storage classes of claims, volumes and claim templates that are replaced

          --image-mappings <OLD=NEW>
              Beginnings of images' names that are replaced

          --hooks <FILE>
              Commands that are run in restored pods, and containers that run before theirs: a file with
              what Velero has below `spec.hooks`. What a pod's annotations say stands above it

          --include-outward
              Bring what acts outward, too, where the original lives beside its clone: Ingress and
              routes, jobs and cron jobs, custom resources, names for DNS, load balancers

          --take-over-claims
              Replace claims that something made first, with a volume that nothing mounts

          --restore-finished-jobs
              Bring jobs back that had finished, as finished

          --quiesce <NAMESPACE/NAME>
              Workloads of the target that are scaled down while the restore works, and up again

    (global options)

    Examples:
      # see what would be done, object by object
      bowline restore create --from-backup nightly --dry-run
      # and what the API server would say to it
      bowline restore create --from-backup nightly --dry-run=server
      # the newest good backup of a schedule
      bowline restore create --from-schedule nightly
      # everything, into the cluster of another context
      bowline restore create --from-backup nightly --kubecontext west
      # one namespace, beside the original
      bowline restore create clone --from-backup nightly --include-namespaces shop \
          --namespace-mappings shop:shop-clone
    ");
    assert_snapshot!(help("restore get --help").await, @r#"
    List restores

    Incomplete are those that run still, or were interrupted: which of these, nobody can tell from their
    records. Those that were, and those with errors, go on with restore resume. The records of restores
    whose location took none are kept by this machine ("local"). Of the restores that Velero made only
    results are in the location, and not how they ended.

    Usage: bowline restore get [OPTIONS] [NAME]...

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
      bowline restore get
      bowline restore get -l team=web -L team
      bowline restore get nightly-20260301020000 -o json
    "#);
    assert_snapshot!(help("restore describe --help").await, @r"
    Show all that is known of restores

    Without a name, of all of them. For programs, the restore that is asked for by its name is one
    object; all else is a list. Of a restore that Velero made its results and outcomes are told: what it
    was asked, and how it ended, is known only in that Velero's cluster.

    Usage: bowline restore describe [OPTIONS] [NAME]...

    Arguments:
      [NAME]...
              Only those of these names (default: all)

    Options:
      -l, --selector <SELECTOR>
              Only those with these labels, such as `team=web,tier!=cache`

          --details
              Show the outcome of every object, too

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
      bowline restore describe nightly-20260301020000 --details -o json
    ");
}

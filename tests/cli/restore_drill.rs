//! `bowline restore drill`.

use insta::assert_snapshot;
use serde_json::json;

use crate::api_server::site_with_cluster;
use crate::help::help;
use crate::schedules::{add, add_run};
use crate::site::Site;

#[tokio::test]
async fn a_drill_explains_itself() {
    assert_snapshot!(help("restore drill --help").await, @r#"
    Show that a backup can be restored, and leave nothing behind

    Restores the backup into namespaces made for it, with new volumes from its snapshots, waits until
    all is up, runs a check, and removes everything again, volumes too. What it showed is kept under the
    backup's name. Nothing in it acts outward, and only its own pods and DNS can be reached from there.
    Jobs, ingresses, custom resources, network policies and all that is in no namespace are left out;
    --dry-run shows what is restored, and what is not.

    Usage: bowline restore drill [OPTIONS] <--from-backup NAME|--from-schedule NAME|--clean-up>

    Options:
          --from-backup <BACKUP>
              The backup to drill

          --from-schedule <SCHEDULE>
              Drill the newest good backup of this schedule

          --clean-up[=<BACKUP|UID>]
              Take down what is left of drills that were kept or killed: of all that run no more, of
              those of a backup, or of one by its UID even if it may still run

          --allow-partially-failed
              With --from-schedule, take a backup that is `PartiallyFailed`, too

          --include-namespaces <NAMESPACES>
              Namespaces (of the backup) that are drilled (default: all)

          --exclude-namespaces <NAMESPACES>
              Namespaces (of the backup) that are not

          --check <COMMAND>
              Run this by `sh -c` on this machine once all is up; exit code 0 passes.
              `$BOWLINE_DRILL_NAMESPACE` is the namespace, if it is one; `$BOWLINE_DRILL_NAMESPACES` are
              all, as `shop=shop-drill-1a2b3c4d`; `$KUBECONFIG` leads to the cluster

          --check-timeout <DURATION>
              How long the check may take

              [default: 5m]

          --quota <NAME=QUANTITY>
              What each namespace may take, by the names of a resource quota

          --pod-security <LEVEL>
              What pods may do, by the pod security standards; `privileged` lets some leave their
              namespace

              Possible values:
              - privileged: Anything
              - baseline:   Nothing by which they would leave their namespace
              - restricted: As little as is possible

              [default: baseline]

          --allow-empty-volumes
              Bring a claim without a usable snapshot back as an EMPTY one, instead of failing for it

          --zone-mappings <OLD:NEW>
              Zones whose volumes are made in another one

          --cluster-name <NAME>
              The name that AWS knows the cluster by, for the tags that let its EBS driver manage the
              volumes

              [env: AWS_CLUSTER_NAME]

          --trusted-accounts <ID>
              Accounts of AWS whose shared snapshots may be used, besides your own

          --ebs-kms-key-id <KEY>
              The KMS key that new EBS volumes are encrypted with (default: the key of the old ones)

          --ready-timeout <DURATION>
              How long what was made may take to be ready

              [default: 10m]

          --take-down-timeout <DURATION>
              How long it may take until nothing is left

              [default: 10m]

          --keep
              Leave what was made as it is, to look at it; --clean-up takes it down

          --dry-run
              Show what would be restored; change nothing

      -o, --output <FORMAT>
              Print data in this form

              Possible values:
              - table: For people
              - json:  One JSON document
              - yaml:  One YAML document

              [default: table]

      -h, --help
              Print help (see a summary with '-h')

    Objects:
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

    (global options)

    Examples:
      bowline restore drill --from-backup nightly
      bowline restore drill --from-schedule nightly --include-namespaces shop \
          --check 'kubectl -n "$BOWLINE_DRILL_NAMESPACE" exec db-0 -- pg_isready'
      # what a killed drill left, and drills that were kept
      bowline restore drill --clean-up

    Exit codes: 0 passed and gone; 3 passed, but something is left of it; 6 failed.
    "#);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_looked_at() {
    let site = Site::new();
    assert_snapshot!(site.run("restore drill").await, @r"
    exit code: 2
    --- stderr
    error: the following required arguments were not provided: <--from-backup <BACKUP>|--from-schedule <SCHEDULE>|--clean-up[=<BACKUP|UID>]>
    hint: see bowline restore drill --help
    ");
    assert_snapshot!(site.run("restore drill --from-backup a --from-schedule b").await, @r"
    exit code: 2
    --- stderr
    error: the argument '--from-backup <BACKUP>' cannot be used with '--from-schedule <SCHEDULE>'
    hint: see bowline restore drill --help
    ");
    assert_snapshot!(site.run("restore drill --from-backup a --quota pods").await, @r#"
    exit code: 2
    --- stderr
    error: --quota <NAME=QUANTITY> is not valid
      cause: "pods" is not NAME=QUANTITY
    hint: see bowline restore drill --help
    "#);
    // A variable that is not set: all drills are not meant.
    assert_snapshot!(site.run("restore drill --clean-up=").await, @r"
    exit code: 2
    --- stderr
    error: a value is required for '--clean-up[=<BACKUP|UID>]' but none was supplied
    hint: see bowline restore drill --help
    ");
    let twice = "restore drill --from-backup a --quota pods=1,pods=2";
    let site = site.with_server("https://127.0.0.1:1");
    assert_snapshot!(site.run(twice).await, @r#"
    exit code: 2
    --- stderr
    error: --quota says "pods" more than once
    hint: say it once
    "#);
    assert_snapshot!(site.run("restore drill --from-schedule nightly").await, @r#"
    exit code: 4
    --- stderr
    error: there is no backup of schedule "nightly" in file:///HOME/location
    hint: bowline schedule get lists what there is
    "#);
    assert_snapshot!(site.run("restore drill --clean-up=nightly").await, @r#"
    exit code: 4
    --- stderr
    error: no drill of "nightly" is known in file:///HOME/location
    hint: name a backup, or the UID of a drill of it
    "#);
    assert_snapshot!(site.run("restore drill --clean-up").await, @r"
    exit code: 0
    --- stderr
    nothing is left of any drill
    ");
}

#[tokio::test]
async fn a_drill_takes_the_very_backup_of_a_schedule_that_a_restore_would_take() {
    let (site, _server) = site_with_cluster().await;
    add_run(&site, "nightly", "nightly-1", 30, Some("Completed"));
    add_run(&site, "nightly", "nightly-2", 20, Some("Completed"));
    add_run(&site, "nightly", "nightly-3", 10, Some("PartiallyFailed"));
    let drill = "restore drill --from-schedule nightly --dry-run";
    let shown = site.run(drill).await;
    assert!(shown.contains("schedule nightly: nightly-2 (Completed"), "{shown}");
    let shown = site.run(&format!("{drill} --allow-partially-failed")).await;
    assert!(shown.contains("nightly: nightly-3 (PartiallyFailed"), "{shown}");
    add(&site, "nightly", |document| document["bowline"]["clusterUid"] = json!("another"));
    assert_snapshot!(site.run(drill).await, @r#"
    exit code: 4
    --- stderr
    error: there is no backup of schedule "nightly" in file:///HOME/location
    hint: bowline backup get -l velero.io/schedule-name=nightly lists those of other clusters; --from-backup restores any
    "#);
}

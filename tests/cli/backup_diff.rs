//! `bowline backup diff`, of two backups: without a cluster.

use insta::assert_snapshot;

use crate::help::help;
use crate::site::Site;

fn velero() -> Site {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    site.add_velero_backup("part-failed");
    site
}

#[tokio::test]
async fn it_explains_itself() {
    assert_snapshot!(help("backup diff --help").await, @r"
    Show what changed between a backup and another one, or the cluster

    Compares as a restore would: what servers and controllers fill in does not count, and what no
    restore brings back is left out. Of the cluster it is told what lies within what was backed up.
    Values of Secrets are never shown. Two backups need no cluster.

    Usage: bowline backup diff [OPTIONS] <BACKUP> [OTHER]

    Arguments:
      <BACKUP>
              The backup

      [OTHER]
              The backup that it is compared with

    Options:
          --cluster
              Compare it with the cluster

          --exit-code
              End with exit code 3 if anything differs (default: 0; what could not be compared makes it
              3 in any case)

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

    (global options)

    Examples:
      # what the last night changed
      bowline backup diff nightly-1 nightly-2
      # what a restore would bring back, and what came since
      bowline backup diff nightly --cluster --include-namespaces shop
      # in a script: exit code 3 if anything differs
      bowline backup diff nightly --cluster --exit-code -o json
    ");
}

#[tokio::test]
async fn another_backup_or_the_cluster_must_be_named() {
    let site = Site::new();
    assert_snapshot!(site.run("backup diff a").await, @r"
    exit code: 2
    --- stderr
    error: the following required arguments were not provided: <OTHER>
    hint: see bowline backup diff --help
    ");
    assert_snapshot!(site.run("backup diff a b --cluster").await, @r"
    exit code: 2
    --- stderr
    error: the argument '[OTHER]' cannot be used with '--cluster'
    hint: see bowline backup diff --help
    ");
    assert_snapshot!(site.run("backup diff a b -o json").await, @r#"
    exit code: 4
    --- stdout
    {
      "error": {
        "message": "backup \"a\" does not exist in file:///HOME/location",
        "causes": [],
        "hint": "bowline backup get lists what there is",
        "exitCode": 4
      }
    }
    "#);
}

#[tokio::test]
async fn a_backup_is_the_same_as_itself() {
    let site = velero();
    assert_snapshot!(site.run("backup diff shop-full shop-full --exit-code -q").await, @r"
    exit code: 0
    --- stdout
    29 same
    ");
    assert_snapshot!(site.run("backup diff shop-full shop-full -o json -q").await, @r#"
    exit code: 0
    --- stdout
    {
      "from": "shop-full",
      "to": "shop-full",
      "items": [],
      "counts": {
        "same": 29
      },
      "notCompared": []
    }
    "#);
}

#[tokio::test]
async fn two_backups_are_told_apart_by_resource() {
    let site = velero();
    assert_snapshot!(site.run("backup diff shop-full part-failed -q").await, @r"
    exit code: 0
    --- stdout
    CHANGE    NAMESPACE   NAME
    configmaps:
    added     broken      big
    removed   shop        web-config
    removed   shop        widget-child
    namespaces:
    added     <none>      broken
    removed   <none>      shop
    persistentvolumeclaims:
    removed   shop        data-nginx-ss-0
    removed   shop        data-nginx-ss-1
    removed   shop        data-nginx-ss-2
    persistentvolumes:
    removed   <none>      pvc-0000
    removed   <none>      pvc-0001
    removed   <none>      pvc-0002
    secrets:
    removed   shop        web-secret
    serviceaccounts:
    added     broken      default
    removed   shop        default
    removed   shop        web
    services:
    removed   shop        my-headless-svc
    removed   shop        web
    removed   shop        web-auto
    customresourcedefinitions.apiextensions.k8s.io:
    removed   <none>      widgets.example.com
    daemonsets.apps:
    removed   shop        agent
    deployments.apps:
    removed   shop        web
    statefulsets.apps:
    removed   shop        nginx-ss
    horizontalpodautoscalers.autoscaling:
    removed   shop        web
    cronjobs.batch:
    removed   shop        nightly
    widgets.example.com:
    removed   shop        main
    ingresses.networking.k8s.io:
    removed   shop        web
    poddisruptionbudgets.policy:
    removed   shop        web
    clusterrolebindings.rbac.authorization.k8s.io:
    removed   <none>      shop-reader
    clusterroles.rbac.authorization.k8s.io:
    removed   <none>      shop-reader
    rolebindings.rbac.authorization.k8s.io:
    removed   shop        web
    roles.rbac.authorization.k8s.io:
    removed   shop        web
    priorityclasses.scheduling.k8s.io:
    removed   <none>      shop-high

    3 added, 29 removed
    ");
    let configuration =
        "backup diff part-failed shop-full --include-resources configmaps --exit-code -q -o yaml";
    assert_snapshot!(site.run(configuration).await, @r"
    exit code: 3
    --- stdout
    from: part-failed
    to: shop-full
    items:
    - change: removed
      resource: configmaps
      namespace: broken
      name: big
      fields: []
    - change: added
      resource: configmaps
      namespace: shop
      name: web-config
      fields: []
    - change: added
      resource: configmaps
      namespace: shop
      name: widget-child
      fields: []
    counts:
      added: 2
      removed: 1
    notCompared: []
    ");
}

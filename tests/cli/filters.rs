//! The filters of backups and restores: what each takes, and what of them is refused.

use insta::assert_snapshot;

use crate::api_server::site_with_cluster;
use crate::site::Site;

#[tokio::test]
async fn lists_of_both_sets_are_refused_by_name() {
    let site = Site::new();
    let mixed = "backup create x --include-resources pods --exclude-cluster-scoped-resources nodes";
    assert_snapshot!(site.run(mixed).await, @r"
    exit code: 2
    --- stderr
    error: a filter is not valid
      cause: --include-resources cannot be used with --exclude-cluster-scoped-resources
    hint: give either the lists for all resources, or those for cluster-scoped and namespace-scoped ones
    ");
    let mixed = "backup create x --include-cluster-resources=false \
                 --include-namespace-scoped-resources pods -o json";
    assert_snapshot!(site.run(mixed).await, @r#"
    exit code: 2
    --- stdout
    {
      "error": {
        "message": "a filter is not valid",
        "causes": [
          "--include-cluster-resources cannot be used with --include-namespace-scoped-resources"
        ],
        "hint": "give either the lists for all resources, or those for cluster-scoped and namespace-scoped ones",
        "exitCode": 2
      }
    }
    "#);
    assert!(site.is_untouched());
}

#[tokio::test]
async fn selectors_that_are_joined_by_or_exclude_the_one_that_stands_alone() {
    let site = Site::new();
    let both = ["backup", "create", "x", "-l", "a=b", "--or-selector", "c=d or e=f"];
    assert_snapshot!(site.run_words(&both).await, @r"
    exit code: 2
    --- stderr
    error: the argument '--selector <SELECTOR>' cannot be used with '--or-selector <SELECTORS>'
    hint: see bowline backup create --help
    ");
    let both = ["restore", "create", "--from-backup", "b", "--or-selector", "c", "-l", "a"];
    assert_snapshot!(site.run_words(&both).await, @r"
    exit code: 2
    --- stderr
    error: the argument '--or-selector <SELECTORS>' cannot be used with '--selector <SELECTOR>'
    hint: see bowline restore create --help
    ");
}

#[tokio::test]
async fn each_alternative_must_be_a_selector_that_can_be_recorded() {
    let site = Site::new();
    let or = |text| ["backup", "create", "x", "--or-selector", text];
    assert_snapshot!(site.run_words(&or("app=web or tier in")).await, @r#"
    exit code: 2
    --- stderr
    error: --or-selector <SELECTORS> is not valid
      cause: "app=web or tier in" is not a label selector: at position 19, expected "(", found the end
    hint: write for example app=web, tier!=cache, env in (prod,test), env notin (dev), owner, !owner, joined by commas
    "#);
    assert_snapshot!(site.run_words(&or("app=web or ")).await, @r#"
    exit code: 2
    --- stderr
    error: --or-selector <SELECTORS> is not valid
      cause: "app=web or " is not a label selector: at position 12, expected a label key before and after "or"
    hint: write for example app=web, tier!=cache, env in (prod,test), env notin (dev), owner, !owner, joined by commas
    "#);
    assert_snapshot!(site.run_words(&or("app=web or n>3")).await, @r#"
    exit code: 2
    --- stderr
    error: --or-selector <SELECTORS> is not valid
      cause: "n>3" can't be recorded in a backup: its format has no < and >
    hint: name the values: key in (1,2,3)
    "#);
}

#[tokio::test]
async fn an_order_names_kinds_and_their_objects() {
    let site = Site::new();
    let ordered = |order| ["backup", "create", "x", "--ordered-resources", order];
    assert_snapshot!(site.run_words(&ordered("pods")).await, @r#"
    exit code: 2
    --- stderr
    error: --ordered-resources <KIND=NAMES;...> is not valid
      cause: "pods" does not say which objects are first: it is not of the form KIND=NAME,...
    hint: write for example pods=shop/db-0,shop/db-1;persistentvolumes=pv-1
    "#);
    assert_snapshot!(site.run_words(&ordered("pods=a/b;pods=a/c")).await, @r#"
    exit code: 2
    --- stderr
    error: --ordered-resources <KIND=NAMES;...> is not valid
      cause: "pods" does not say which objects are first: the kind is listed twice
    hint: write for example pods=shop/db-0,shop/db-1;persistentvolumes=pv-1
    "#);
    let (site, _server) = site_with_cluster().await;
    assert_snapshot!(site.run_words(&ordered("po=db-0")).await, @r#"
    exit code: 2
    --- stderr
    checking
    error: a filter is not valid
      cause: "db-0" does not say which objects are first: its kind has namespaces: write namespace/name
    hint: write for example pods=shop/db-0,shop/db-1;persistentvolumes=pv-1
    "#);
    assert_snapshot!(site.run_words(&ordered("pv=shop/pv-1")).await, @r#"
    exit code: 2
    --- stderr
    checking
    error: a filter is not valid
      cause: "shop/pv-1" does not say which objects are first: its kind has no namespaces: write the name alone
    hint: write for example pods=shop/db-0,shop/db-1;persistentvolumes=pv-1
    "#);
    assert_snapshot!(site.run_words(&ordered("pdos=shop/db-0")).await, @r#"
    exit code: 2
    --- stderr
    checking
    error: a filter is not valid
      cause: there is no kind named "pdos"
    hint: "kubectl api-resources" lists all kinds
    "#);
    assert!(site.is_untouched());
}

#[tokio::test]
async fn a_dry_run_shows_what_the_newer_lists_and_the_order_leave_to_list() {
    let (site, _server) = site_with_cluster().await;
    let command = "backup create x --dry-run --quiet --include-cluster-scoped-resources sc \
                   --exclude-namespace-scoped-resources ConfigMap,*.apps \
                   --ordered-resources po=shop/db-1,shop/db-0";
    assert_snapshot!(site.run(command).await, @r"
    exit code: 0
    --- stdout
    FIRST
    pods/shop/db-1
    pods/shop/db-0

    RESOURCE                        NAMESPACE
    pods                            *
    persistentvolumeclaims          *
    storageclasses.storage.k8s.io   <none>

    all 6 rights that it needs are granted
    ");
    let command = "backup create x --dry-run --quiet --include-namespaces shop \
                   --exclude-cluster-scoped-resources * --include-namespace-scoped-resources cm";
    assert_snapshot!(site.run(command).await, @r"
    exit code: 0
    --- stdout
    RESOURCE     NAMESPACE
    configmaps   shop

    all 3 rights that it needs are granted
    ");
}

#[tokio::test]
async fn a_kind_in_the_list_of_the_wrong_scope_is_told_where_it_belongs() {
    let (site, _server) = site_with_cluster().await;
    let command = "backup create x --quiet --include-cluster-scoped-resources po";
    assert_snapshot!(site.run(command).await, @r#"
    exit code: 2
    --- stderr
    error: a filter is not valid
      cause: "po" is not cluster-scoped, its objects live in namespaces
    hint: name it with --include-namespace-scoped-resources or --exclude-namespace-scoped-resources
    "#);
    let command = "backup create x --quiet --exclude-namespace-scoped-resources StorageClass";
    assert_snapshot!(site.run(command).await, @r#"
    exit code: 2
    --- stderr
    error: a filter is not valid
      cause: "StorageClass" is cluster-scoped, its objects live in no namespace
    hint: name it with --include-cluster-scoped-resources or --exclude-cluster-scoped-resources
    "#);
    assert!(site.is_untouched());
}

#[tokio::test]
async fn a_kind_that_is_not_there_is_answered_with_the_nearest() {
    let (site, _server) = site_with_cluster().await;
    let command = "backup create x --quiet --include-namespace-scoped-resources deploymnets.apps";
    assert_snapshot!(site.run(command).await, @r#"
    exit code: 2
    --- stderr
    error: a filter is not valid
      cause: there is no kind named "deploymnets.apps"
    hint: did you mean "deployments.apps"? "kubectl api-resources" lists all kinds
    "#);
    let command = "backup create x --quiet --exclude-resources gizmos";
    assert_snapshot!(site.run(command).await, @r#"
    exit code: 2
    --- stderr
    error: a filter is not valid
      cause: there is no kind named "gizmos"
    hint: "kubectl api-resources" lists all kinds
    "#);
    site.add_velero_backup("shop-full");
    let command = "restore create r --quiet --from-backup shop-full --include-resources confgmaps";
    assert_snapshot!(site.run(command).await, @r#"
    exit code: 2
    --- stderr
    error: a filter is not valid
      cause: there is no kind named "confgmaps"
    hint: did you mean "configmaps"? "kubectl api-resources" lists all kinds
    "#);
}

#[tokio::test]
async fn a_restore_refuses_what_its_backup_does_not_hold_and_what_never_comes_back() {
    let (site, _server) = site_with_cluster().await;
    site.add_velero_backup("shop-full");
    let create = |flags| format!("restore create r --quiet --from-backup shop-full {flags}");
    assert_snapshot!(site.run(&create("--include-namespaces shpo")).await, @r#"
    exit code: 2
    --- stderr
    error: namespace "shpo" is not in the backup
    hint: bowline backup describe shows what the backup holds
    "#);
    assert_snapshot!(site.run(&create("--include-namespaces shops")).await, @r#"
    exit code: 2
    --- stderr
    error: namespace "shops" is not in the backup
    hint: did you mean "shop"?
    "#);
    assert_snapshot!(site.run(&create("--include-namespaces team-*")).await, @r#"
    exit code: 2
    --- stderr
    error: no namespace in the backup matches "team-*"
    hint: bowline backup describe shows what the backup holds
    "#);
    assert_snapshot!(site.run(&create("--include-resources no")).await, @r#"
    exit code: 2
    --- stderr
    error: a filter is not valid
      cause: "no" is never restored: it describes the nodes of the cluster it came from
    hint: leave it out of --include-resources
    "#);
    assert_snapshot!(site.run(&create("--status-include-resources pvc")).await, @r#"
    exit code: 2
    --- stderr
    error: a filter is not valid
      cause: the status of "pvc" is never restored: it tells whether a claim is bound, which is what the restore waits for
    hint: leave it out of --status-include-resources
    "#);
    assert_snapshot!(site.run(&create("--status-include-resources nodes")).await, @r#"
    exit code: 2
    --- stderr
    error: a filter is not valid
      cause: the status of "nodes" is never restored: it describes the nodes of the cluster it came from
    hint: leave it out of --status-include-resources
    "#);
    assert_snapshot!(site.run(&create("--status-include-resources wdigets")).await, @r#"
    exit code: 2
    --- stderr
    error: a filter is not valid
      cause: there is no kind named "wdigets"
    hint: did you mean "widgets"? "kubectl api-resources" lists all kinds
    "#);
    assert!(!site.path("restores").exists());
}

#[tokio::test]
async fn node_ports_are_preserved_by_a_switch() {
    let site = Site::new();
    let create = "restore create r --from-backup b --preserve-nodeports";
    assert_snapshot!(site.run(&format!("{create}=maybe")).await, @r"
    exit code: 2
    --- stderr
    error: invalid value 'maybe' for '--preserve-nodeports[=<BOOL>]' [possible values: true, false]
    hint: see bowline restore create --help
    ");
    for flag in ["", "=true", "=false"] {
        // It gets as far as to look for a cluster.
        let shown = site.run(&format!("{create}{flag}")).await;
        assert!(shown.contains("kubeconfig"), "{shown}");
    }
}

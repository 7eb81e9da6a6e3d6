//! `bowline restore create`: what is refused before anything is contacted.

use insta::assert_snapshot;

use crate::site::Site;

#[tokio::test]
async fn a_backup_must_be_named() {
    assert_snapshot!(Site::new().run("restore create").await, @r"
    exit code: 2
    --- stderr
    error: the following required arguments were not provided: --from-backup <BACKUP>
    hint: see bowline restore create --help
    ");
}

#[tokio::test]
async fn names_that_cannot_be_any_are_refused() {
    let site = Site::new();
    assert_snapshot!(site.run("restore create My_Restore --from-backup b").await, @r#"
    exit code: 2
    --- stderr
    error: the restore's name is not valid
      cause: "My_Restore" is not a valid name: it must hold only lower-case letters, digits and '-', not 'M'
    hint: use lower-case letters, digits, "-" and "."
    "#);
    assert_snapshot!(site.run("restore create r --from-backup ../b").await, @r#"
    exit code: 2
    --- stderr
    error: the backup's name is not valid
      cause: "../b" is not a valid name: it must not be empty, nor have an empty part between dots
    hint: use lower-case letters, digits, "-" and "."
    "#);
    assert!(site.is_untouched());
}

#[tokio::test]
async fn a_mapping_has_two_sides_and_a_target_that_can_be_a_namespace() {
    let site = Site::new();
    let mapped =
        |mapping| format!("restore create r --from-backup b --namespace-mappings {mapping}");
    assert_snapshot!(site.run(&mapped("shop")).await, @r#"
    exit code: 2
    --- stderr
    error: --namespace-mappings <FROM:TO> is not valid
      cause: "shop" is not of the form FROM:TO
    hint: see bowline restore create --help
    "#);
    assert_snapshot!(site.run(&mapped("shop:")).await, @r#"
    exit code: 2
    --- stderr
    error: a namespace mapping is not valid
      cause: "" is not a valid name: it must not be empty, nor have an empty part between dots
    hint: use lower-case letters, digits and "-"
    "#);
    assert_snapshot!(site.run(&mapped("shop:Shop")).await, @r#"
    exit code: 2
    --- stderr
    error: a namespace mapping is not valid
      cause: "Shop" is not a valid name: it must hold only lower-case letters, digits and '-', not 'S'
    hint: use lower-case letters, digits and "-"
    "#);
}

#[tokio::test]
async fn no_namespace_is_mapped_twice_and_no_two_to_one() {
    let site = Site::new();
    let mapped =
        |mapping| format!("restore create r --from-backup b --namespace-mappings {mapping}");
    assert_snapshot!(site.run(&mapped("a:c,b:d,a:e")).await, @r#"
    exit code: 2
    --- stderr
    error: --namespace-mappings maps "a" more than once
    hint: give each namespace a name of its own; several restores can make several copies
    "#);
    let twice = mapped("a:c") + " --namespace-mappings b:c -o json";
    assert_snapshot!(site.run(&twice).await, @r#"
    exit code: 2
    --- stdout
    {
      "error": {
        "message": "--namespace-mappings maps both \"a\" and \"b\" to \"c\"",
        "causes": [],
        "hint": "give each namespace a name of its own; several restores can make several copies",
        "exitCode": 2
      }
    }
    "#);
}

#[tokio::test]
async fn readiness_may_be_awaited_for_no_time_but_not_for_less() {
    let site = Site::new();
    let create = "restore create r --from-backup b --ready-timeout";
    assert_snapshot!(site.run(&format!("{create}=-1s")).await, @r"
    exit code: 2
    --- stderr
    error: --ready-timeout <DURATION> is not valid
      cause: -1s must not be less than nothing
    hint: see bowline restore create --help
    ");
    // It gets as far as to look for a cluster.
    let shown = site.run(&format!("{create}=0")).await;
    assert!(shown.contains("kubeconfig"), "{shown}");
}

#[tokio::test]
async fn a_zone_goes_to_one_other_zone() {
    let site = Site::new();
    let mapped = |zones| format!("restore create r --from-backup b --zone-mappings {zones}");
    assert_snapshot!(site.run(&mapped("us-east-1a")).await, @r#"
    exit code: 2
    --- stderr
    error: --zone-mappings <OLD:NEW> is not valid
      cause: "us-east-1a" is not of the form OLD:NEW
    hint: see bowline restore create --help
    "#);
    assert_snapshot!(site.run(&mapped("us-east-1a:")).await, @r#"
    exit code: 2
    --- stderr
    error: --zone-mappings <OLD:NEW> is not valid
      cause: "us-east-1a:" names no new zone
    hint: see bowline restore create --help
    "#);
    assert_snapshot!(site.run(&mapped("a:c,b:c,a:d")).await, @r#"
    exit code: 2
    --- stderr
    error: --zone-mappings maps "a" more than once
    hint: say once where the volumes of a zone shall go
    "#);
}

#[tokio::test]
async fn an_account_that_is_trusted_is_named_by_its_number() {
    let site = Site::new();
    let create = "restore create r --from-backup b --trusted-accounts";
    assert_snapshot!(site.run(&format!("{create} 123456789012,shop")).await, @r#"
    exit code: 2
    --- stderr
    error: --trusted-accounts <ID> is not valid
      cause: "shop" is not the number of an account: that has 12 digits
    hint: see bowline restore create --help
    "#);
    // It gets as far as to look for a cluster.
    let shown = site.run(&format!("{create} 123456789012 --cluster-name east")).await;
    assert!(shown.contains("kubeconfig"), "{shown}");
}

//! What hands that know Velero type: it is done, or answered with what to use instead.

use insta::assert_snapshot;

use crate::site::Site;

#[tokio::test]
async fn what_happens_anyway_may_be_asked_for() {
    let site = Site::new();
    for line in [
        "backup create No_Name --wait",
        "backup create No_Name -w --snapshot-move-data=false --default-volumes-to-fs-backup=false",
        "restore create No_Name --from-backup x -w --existing-resource-policy none",
        "restore create No_Name --from-backup x --wait=true --existing-resource-policy=none",
    ] {
        let shown = site.run(line).await;
        assert!(shown.contains("\"No_Name\" is not a valid name"), "{line}: {shown}");
    }
}

#[tokio::test]
async fn what_does_not_happen_is_refused_with_the_reason() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create x --wait=false").await, @r#"
    exit code: 2
    --- stderr
    error: --wait[=<BOOL>] is not valid
      cause: "false" is not supported, only true
    hint: bowline does the work itself and always waits; to go on meanwhile, let the shell run it in the background
    "#);
    assert_snapshot!(site.run("backup create x --snapshot-move-data").await, @r#"
    exit code: 2
    --- stderr
    error: --snapshot-move-data[=<BOOL>] is not valid
      cause: "true" is not supported, only false
    hint: data stays in the volumes' snapshots, and no data mover is needed; leave it out
    "#);
    assert!(site.is_untouched());
}

#[tokio::test]
async fn a_flag_of_velero_is_answered_with_what_to_use_instead() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create x --data-mover velero").await, @r"
    exit code: 2
    --- stderr
    error: there is no --data-mover here
    hint: bowline copies no files of volumes, it takes snapshots; leave it out
    ");
    assert_snapshot!(site.run("backup create x --schedule @daily").await, @r"
    exit code: 2
    --- stderr
    error: there is no --schedule here
    hint: make a schedule: bowline schedule create NAME --schedule '0 2 * * *' ...
    ");
    assert_snapshot!(site.run("backup create x --csi-snapshot-timeout=20m -o json").await, @r#"
    exit code: 2
    --- stdout
    {
      "error": {
        "message": "there is no --csi-snapshot-timeout here",
        "causes": [],
        "hint": "snapshots are awaited until they end; leave it out, and should the wait be interrupted, bowline backup finish NAME goes on",
        "exitCode": 2
      }
    }
    "#);
    assert_snapshot!(site.run("-n velero backup get").await, @r"
    exit code: 2
    --- stderr
    error: there is no -n here
    hint: bowline keeps nothing in the cluster; to choose what is taken, use --include-namespaces
    ");
    assert_snapshot!(site.run("restore create --from-backup x --item-operation-timeout 1h").await, @r"
    exit code: 2
    --- stderr
    error: there is no --item-operation-timeout here
    hint: nothing goes on in the background; leave it out
    ");
    assert_snapshot!(site.run("create backup-location x --bucket b --access-mode ReadOnly").await, @r"
    exit code: 2
    --- stderr
    error: there is no --access-mode here
    hint: give read-only credentials instead; restores need no more
    ");
    assert_snapshot!(site.run("get backups --all-namespaces").await, @r"
    exit code: 2
    --- stderr
    error: there is no --all-namespaces here
    hint: backups are in no namespace: all of the location are listed
    ");
}

#[tokio::test]
async fn a_command_of_velero_is_answered_with_what_to_use_instead() {
    let site = Site::new();
    assert_snapshot!(site.run("install --provider aws").await, @r"
    exit code: 2
    --- stderr
    error: unrecognized subcommand 'install'
    hint: there is nothing to install: bowline runs from a kubeconfig, with --storage-location
    ");
    assert_snapshot!(site.run("get snapshot-locations").await, @r"
    exit code: 2
    --- stderr
    error: unrecognized subcommand 'snapshot-locations'
    hint: who makes a volume's snapshot follows from the volume; there is nothing to set up
    ");
    assert_snapshot!(site.run("backup-location set x").await, @r"
    exit code: 2
    --- stderr
    error: unrecognized subcommand 'set'
    hint: delete the location and create it anew; what is kept there stays
    ");
    assert_snapshot!(site.run("plugin add x").await, @r"
    exit code: 2
    --- stderr
    error: unrecognized subcommand 'plugin'
    hint: all providers are built in; there is nothing to add
    ");
}

#[tokio::test]
async fn another_word_for_a_command_is_answered_with_it() {
    let site = Site::new();
    assert_snapshot!(site.run("backup show nightly").await, @r#"
    exit code: 2
    --- stderr
    error: unrecognized subcommand 'show'
    hint: did you mean "describe"?
    "#);
    assert_snapshot!(site.run("restores rm x").await, @r#"
    exit code: 2
    --- stderr
    error: unrecognized subcommand 'rm'
    hint: did you mean "delete"?
    "#);
    assert_snapshot!(site.run("location ls").await, @r#"
    exit code: 2
    --- stderr
    error: unrecognized subcommand 'ls'
    hint: did you mean "get"?
    "#);
}

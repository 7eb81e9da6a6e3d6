//! Volume policies of `bowline backup create`: what is refused, and what a dry run tells.

use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::api_server::ApiServer;
use crate::site::Site;

/// What a backup says that follows these policies in a file.
async fn refused(policies: &str) -> String {
    let site = Site::new();
    std::fs::write(site.bowline.home().join("p.yaml"), policies).unwrap();
    let told = site.run("backup create x --resource-policies-file p.yaml").await;
    assert!(site.is_untouched());
    told
}

/// What a command says while this server answers.
async fn with_server(server: ApiServer, command: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let site = Site::new().with_server(&url);
    let write = |name: &str, text: &str| std::fs::write(site.bowline.home().join(name), text);
    write("p.yaml", POLICIES).unwrap();
    tokio::select! {
        told = site.run(command) => {
            assert!(site.is_untouched());
            told
        }
        () = server.serve(listener) => String::new(),
    }
}

const POLICIES: &str = "\
version: v1
volumePolicies:
- conditions:
    pvcLabels: {tier: cache}
  action: {type: skip}
- conditions:
    csi: {driver: disk.csi.example.com}
    capacity: \"10Gi,\"
  action: {type: snapshot}
";

fn one(conditions: &str, action: &str) -> String {
    format!("version: v1\nvolumePolicies:\n- conditions: {conditions}\n  action: {action}\n")
}

#[tokio::test]
async fn what_the_document_as_a_whole_lacks_is_told() {
    assert_snapshot!(refused("version: [").await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: unclosed bracket '[' at line 1, column 10
    hint: it must be one YAML document
    ");
    assert_snapshot!(refused("volumePolicies: []").await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: it has no version
    hint: write version: v1
    ");
    assert_snapshot!(refused("version: v2").await, @r#"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: version: "v2" is not a version known here
    hint: write version: v1
    "#);
    assert_snapshot!(refused("version: v1").await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: it holds no volumePolicies
    hint: leave the flag out if there are no policies
    ");
    assert_snapshot!(refused("version: v1\nvolumePolicy: []").await, @r#"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicy: there is no such field
    hint: did you mean "volumePolicies"?
    "#);
    assert_snapshot!(refused("version: v1\nincludeExcludePolicy: {}").await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: includeExcludePolicy: bowline takes filters from its flags only
    hint: leave it out and say --include-resources, --exclude-resources, --include-namespaces, --exclude-namespaces or --include-cluster-resources
    ");
}

#[tokio::test]
async fn an_action_that_bowline_does_not_do_is_told_with_what_to_use_instead() {
    assert_snapshot!(refused(&one("{}", "{type: fs-backup}")).await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].action.type: bowline copies no files out of volumes
    hint: use snapshot for volumes that have snapshots, reattach for shared file systems, or skip
    ");
    assert_snapshot!(refused(&one("{}", "{type: custom}")).await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].action.type: bowline has no plugins that would take care of the volume
    hint: use snapshot, reattach or skip
    ");
    assert_snapshot!(refused(&one("{}", "{type: skp}")).await, @r#"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].action.type: there is no action "skp"
    hint: did you mean "skip"?
    "#);
    assert_snapshot!(refused(&one("{}", "{type: skip, parameters: {a: b}}")).await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].action.parameters: action skip takes no parameters
    hint: leave the parameters out
    ");
    assert_snapshot!(refused("version: v1\nvolumePolicies: [{conditions: {}}]").await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0]: it has no action
    hint: write action: {type: skip}, or snapshot
    ");
}

#[tokio::test]
async fn a_condition_that_would_never_hold_or_always_is_told() {
    let skip = "{type: skip}";
    assert_snapshot!(refused(&one("{capacity: 10Gi}", skip)).await, @r#"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].conditions.capacity: "10Gi" is not of the form "lower,upper"
    hint: write "10Gi,100Gi", "10Gi," (or more) or ",100Gi" (or less)
    "#);
    assert_snapshot!(refused(&one("{capacity: \"1GB,\"}", skip)).await, @r#"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].conditions.capacity: "1GB" is not a quantity such as 10Gi
    hint: write "10Gi,100Gi", "10Gi," (or more) or ",100Gi" (or less)
    "#);
    assert_snapshot!(refused(&one("{capacity: \"2Gi,1Gi\"}", skip)).await, @r#"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].conditions.capacity: the lower bound 2Gi is above the upper one, 1Gi
    hint: write "10Gi,100Gi", "10Gi," (or more) or ",100Gi" (or less)
    "#);
    assert_snapshot!(refused(&one("{volumeTypes: [csi, configmap]}", skip)).await, @r#"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].conditions.volumeTypes[1]: there is no type of volume "configmap"
    hint: did you mean "configMap"? Velero would never match it
    "#);
    assert_snapshot!(refused(&one("{pvcPhase: [bound]}", skip)).await, @r#"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].conditions.pvcPhase[0]: there is no phase "bound" of a claim
    hint: did you mean "Bound"?
    "#);
    assert_snapshot!(refused(&one("{pvcLabels: {tier: 1.10}}", skip)).await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].conditions.pvcLabels.tier: it must be text
    hint: put it in quotes
    ");
    assert_snapshot!(refused(&one("{csi: {volumeAttributes: {a: b}}}", skip)).await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].conditions.csi: it has volumeAttributes and no driver
    hint: name the driver: attributes of one driver mean nothing to another
    ");
    assert_snapshot!(refused(&one("{storageClass: []}", skip)).await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].conditions.storageClass: it is empty
    hint: leave it out if it shall ask for nothing
    ");
    assert_snapshot!(refused(&one("{storageclass: [gp2]}", skip)).await, @r#"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: file p.yaml: volumePolicies[0].conditions.storageclass: there is no such field
    hint: did you mean "storageClass"?
    "#);
}

#[tokio::test]
async fn where_the_policies_are_must_be_said_once_and_rightly() {
    let site = Site::new();
    let create = "backup create x";
    let missing = site.run(&format!("{create} --resource-policies-file nowhere.yaml")).await;
    assert_snapshot!(missing, @r#"
    exit code: 2
    --- stderr
    error: failed to read "nowhere.yaml" (--resource-policies-file)
      cause: No such file or directory (os error 2)
    hint: name a file with Velero's resource policies in YAML
    "#);
    let both = "--resource-policies-file p.yaml --resource-policies-configmap p";
    assert_snapshot!(site.run(&format!("{create} {both}")).await, @r"
    exit code: 2
    --- stderr
    error: the argument '--resource-policies-file <FILE>' cannot be used with '--resource-policies-configmap <[NAMESPACE/]NAME>'
    hint: see bowline backup create --help
    ");
    let bad = site.run(&format!("{create} --resource-policies-configmap Velero/p")).await;
    assert_snapshot!(bad, @r#"
    exit code: 2
    --- stderr
    error: --resource-policies-configmap <[NAMESPACE/]NAME> is not valid
      cause: "Velero" is not a valid name: it must hold only lower-case letters, digits and '-', not 'V'
    hint: use lower-case letters, digits, '-' and '.', such as nightly-7
    "#);
    assert!(site.is_untouched());
}

fn config_map(data: &Value) -> Value {
    json!({"kind": "ConfigMap", "metadata": {"namespace": "velero", "name": "volumes"}, "data": data})
}

#[tokio::test]
async fn a_config_map_must_be_there_and_hold_one_document() {
    let create = "backup create x --quiet --resource-policies-configmap volumes";
    assert_snapshot!(with_server(ApiServer::new(), create).await, @r#"
    exit code: 2
    --- stderr
    error: ConfigMap "volumes" with the volume policies does not exist in namespace "velero"
    hint: name another namespace as NAMESPACE/NAME; kubectl get configmaps -A lists them all
    "#);
    let two = ApiServer::new().with(config_map(&json!({"a": POLICIES, "b": POLICIES})));
    assert_snapshot!(with_server(two, create).await, @r"
    exit code: 2
    --- stderr
    error: the volume policies cannot be used
      cause: ConfigMap velero/volumes: data: it has 2 keys, and must have one
    hint: put the document under one key, of any name
    ");
    let wrong = json!({"a": one("{nfs: {host: a}}", "{type: skip}")});
    let wrong = ApiServer::new().with(config_map(&wrong));
    assert_snapshot!(with_server(wrong, &format!("{create} -o json")).await, @r#"
    exit code: 2
    --- stdout
    {
      "error": {
        "message": "the volume policies cannot be used",
        "causes": [
          "ConfigMap velero/volumes: volumePolicies[0].conditions.nfs.host: there is no such field"
        ],
        "hint": "there is: server, path",
        "exitCode": 2
      }
    }
    "#);
}

/// A claim of `shop`, and the volume behind it.
fn add(server: ApiServer, name: &str, labels: &Value, mut spec: Value) -> ApiServer {
    let volume = format!("pv-{name}");
    spec["storageClassName"] = json!("standard");
    server
        .with(json!({"kind": "PersistentVolumeClaim", "spec": {"volumeName": volume},
            "metadata": {"namespace": "shop", "name": name, "labels": labels},
            "status": {"phase": "Bound"}}))
        .with(json!({"kind": "PersistentVolume", "metadata": {"name": volume}, "spec": spec}))
}

#[tokio::test]
async fn a_dry_run_tells_what_becomes_of_each_volume_and_why() {
    let none = json!({});
    let disk = |size: &str| {
        json!({"capacity": {"storage": size},
            "csi": {"driver": "disk.csi.example.com", "volumeHandle": "d-1"}})
    };
    let efs = json!({"capacity": {"storage": "1Gi"},
        "csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1::fsap-2"}});
    let nfs = json!({"capacity": {"storage": "1Ti"},
        "nfs": {"server": "10.0.0.1", "path": "/exports"}});
    let mut server = ApiServer::new()
        .with(json!({"kind": "Namespace", "metadata": {"name": "shop"}}))
        .with(config_map(&json!({"policies.yaml": POLICIES})));
    for (name, labels, spec) in [
        ("cache", json!({"tier": "cache"}), disk("20Gi")),
        ("large", none.clone(), disk("20Gi")),
        ("media", none.clone(), efs),
        ("share", none.clone(), nfs),
        ("small", none.clone(), disk("1Gi")),
    ] {
        server = add(server, name, &labels, spec);
    }
    let dry_run = "backup create x --quiet --dry-run --snapshot-volumes=false \
                   --include-namespaces shop";
    let file = format!("{dry_run} --resource-policies-file p.yaml");
    assert_snapshot!(with_server(server.clone(), &file).await, @r"
    exit code: 0
    --- stdout
    RESOURCE                 NAMESPACE
    pods                     shop
    persistentvolumeclaims   shop
    configmaps               shop
    deployments.apps         shop

    NAMESPACE   CLAIM   VOLUME     VERDICT    NOTES
    shop        cache   pv-cache   skipped    matched action is 'skip' in chosen resource policies: volumePolicies[0] of file p.yaml (pvcLabels tier=cache)
    shop        large   pv-large   refuse     no snapshotter knows the kind of volume of pv-large (there are: local)
    shop        media   pv-media   reattach   not copied: fs-1::fsap-2 is in Amazon EFS, a shared file system; it has no snapshots
    shop        share   pv-share   reattach   not copied: 10.0.0.1:/exports is in NFS, a shared file system; its protocol knows no snapshots
    shop        small   pv-small   skipped    snapshots of volumes were turned off

    all 7 rights that it needs are granted
    ");
    let config_map = format!("{dry_run} --resource-policies-configmap velero/volumes");
    assert_snapshot!(with_server(server, &config_map).await, @r"
    exit code: 0
    --- stdout
    RESOURCE                 NAMESPACE
    pods                     shop
    persistentvolumeclaims   shop
    configmaps               shop
    deployments.apps         shop

    NAMESPACE   CLAIM   VOLUME     VERDICT    NOTES
    shop        cache   pv-cache   skipped    matched action is 'skip' in chosen resource policies: volumePolicies[0] of ConfigMap velero/volumes (pvcLabels tier=cache)
    shop        large   pv-large   refuse     no snapshotter knows the kind of volume of pv-large (there are: local)
    shop        media   pv-media   reattach   not copied: fs-1::fsap-2 is in Amazon EFS, a shared file system; it has no snapshots
    shop        share   pv-share   reattach   not copied: 10.0.0.1:/exports is in NFS, a shared file system; its protocol knows no snapshots
    shop        small   pv-small   skipped    snapshots of volumes were turned off

    all 7 rights that it needs are granted
    ");
}

#[tokio::test]
async fn a_backup_tells_which_policies_it_followed() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    let below = "backups/shop-full/velero-backup.json";
    let document = std::fs::read(site.path(below)).unwrap();
    let mut document: Value = serde_json::from_slice(&document).unwrap();
    document["metadata"]["annotations"]["bowline.io/volume-policies"] = json!("file p.yaml");
    site.write(below, document.to_string());
    let shown = site.run("backup describe shop-full").await;
    let told = |line: &str| line.starts_with("Policies: ") && line.ends_with(" file p.yaml");
    assert!(shown.lines().any(told), "{shown}");
}

//! `bowline backup get`.

use std::fs;

use insta::assert_snapshot;

use crate::site::{Site, from_now};

#[tokio::test]
async fn an_empty_location_is_named_and_leaves_no_table() {
    let site = Site::new();
    assert_snapshot!(site.run("backup get").await, @r"
    exit code: 0
    --- stderr
    there are no backups in file:///HOME/location
    ");
    assert_snapshot!(site.run("backup get --quiet").await, @"exit code: 0");
    assert_snapshot!(site.run("backup get -o json").await, @r#"
    exit code: 0
    --- stdout
    {
      "items": []
    }
    "#);
}

#[tokio::test]
async fn every_directory_is_listed_by_name_whatever_it_holds() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    fs::rename(site.path("backups/shop-full"), site.path("backups/renamed")).unwrap();
    for name in ["shop-full", "part-failed"] {
        site.add_velero_backup(name);
        site.make_recent(name);
    }
    site.add_attempt("crashed", &from_now(-9));
    site.write("backups/crashed-at-once/bowline-attempt.json", "{");
    site.write("backups/only-an-archive/only-an-archive.tar.gz", "");
    site.write("backups/damaged/velero-backup.json", "{\"kind\": \"Back");
    site.write("backups/no-backup/velero-backup.json", NO_BACKUP);
    site.write("backups/No_Name/velero-backup.json", NO_BACKUP);
    site.add_attempt("leaving", &from_now(-9));
    site.write("metadata/bowline/deleting/leaving.json", "{}");
    assert_snapshot!(site.run("backup get").await, @r"
    exit code: 0
    --- stdout
    NAME              STATUS            ERRORS   WARNINGS   ITEMS    CREATED   EXPIRES   SELECTOR
    No_Name           Failed            <none>   <none>     <none>   <none>    <none>    <none>
    crashed           Incomplete        <none>   <none>     <none>   9h        <none>    <none>
    crashed-at-once   Incomplete        <none>   <none>     <none>   <none>    <none>    <none>
    damaged           Failed            <none>   <none>     <none>   <none>    <none>    <none>
    leaving           Deleting          <none>   <none>     <none>   <none>    <none>    <none>
    no-backup         Failed            <none>   <none>     <none>   <none>    <none>    <none>
    only-an-archive   Incomplete        <none>   <none>     <none>   <none>    <none>    <none>
    part-failed       PartiallyFailed   1        0          9        3d4h      30d       <none>
    renamed           Failed            <none>   <none>     <none>   <none>    <none>    <none>
    shop-full         Completed         0        0          72       3d4h      30d       <none>
    ");
}

const NO_BACKUP: &str =
    "{\"apiVersion\": \"velero.io/v1\", \"kind\": \"Restore\", \"metadata\": {\"name\": \"x\"}}";

#[tokio::test]
async fn for_programs_one_that_is_named_is_an_object_and_all_else_is_a_list() {
    let site = Site::new();
    site.add_velero_backup("part-failed");
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    site.write("backups/damaged/velero-backup.json", "[]");
    assert_snapshot!(site.run("backup get crashed -o json").await, @r#"
    exit code: 0
    --- stdout
    {
      "metadata": {
        "name": "crashed",
        "uid": "3c1b6f0e-0000-4000-8000-000000000001"
      },
      "status": {
        "phase": "Incomplete",
        "startTimestamp": "2026-03-01T02:00:00Z"
      }
    }
    "#);
    assert_snapshot!(site.run("backups list damaged part-failed part-failed -o yaml").await, @r#"
    exit code: 0
    --- stdout
    items:
    - metadata:
        name: damaged
      status:
        failureReason: "invalid type: sequence, expected an object at line 1 column 0"
        phase: Failed
    - apiVersion: velero.io/v1
      kind: Backup
      metadata:
        annotations:
          velero.io/resource-timeout: 10m0s
          velero.io/source-cluster-k8s-gitversion: v0.0.0-master+$Format:%H$
          velero.io/source-cluster-k8s-major-version: "1"
          velero.io/source-cluster-k8s-minor-version: "35"
        creationTimestamp: "2026-11-21T11:11:37Z"
        generation: 7
        labels:
          velero.io/storage-location: default
        managedFields:
        - apiVersion: velero.io/v1
          fieldsType: FieldsV1
          fieldsV1:
            "f:spec":
              ".": {}
              "f:hooks": {}
              "f:includedNamespaces": {}
              "f:metadata": {}
            "f:status": {}
          manager: velero
          operation: Update
          time: "2026-11-21T11:11:37Z"
        - apiVersion: velero.io/v1
          fieldsType: FieldsV1
          fieldsV1:
            "f:metadata":
              "f:annotations":
                ".": {}
                "f:velero.io/resource-timeout": {}
                "f:velero.io/source-cluster-k8s-gitversion": {}
                "f:velero.io/source-cluster-k8s-major-version": {}
                "f:velero.io/source-cluster-k8s-minor-version": {}
              "f:labels":
                ".": {}
                "f:velero.io/storage-location": {}
            "f:spec":
              "f:csiSnapshotTimeout": {}
              "f:defaultVolumesToFsBackup": {}
              "f:excludedClusterScopedResources": {}
              "f:excludedNamespaceScopedResources": {}
              "f:itemOperationTimeout": {}
              "f:snapshotMoveData": {}
              "f:storageLocation": {}
              "f:ttl": {}
              "f:volumeGroupSnapshotLabelKey": {}
              "f:volumeSnapshotLocations": {}
            "f:status":
              "f:errors": {}
              "f:expiration": {}
              "f:formatVersion": {}
              "f:hookStatus": {}
              "f:phase": {}
              "f:progress":
                ".": {}
                "f:itemsBackedUp": {}
                "f:totalItems": {}
              "f:startTimestamp": {}
              "f:version": {}
          manager: velero-server
          operation: Update
          time: "2026-11-21T11:11:38Z"
        name: part-failed
        namespace: velero
        resourceVersion: "612"
        uid: 91fca960-a84e-4ce7-8d69-167f03a19a59
      spec:
        csiSnapshotTimeout: 10m0s
        defaultVolumesToFsBackup: false
        excludedClusterScopedResources:
        - volumesnapshotcontents.snapshot.storage.k8s.io
        excludedNamespaceScopedResources:
        - volumesnapshots.snapshot.storage.k8s.io
        hooks: {}
        includedNamespaces:
        - broken
        itemOperationTimeout: 4h0m0s
        metadata: {}
        snapshotMoveData: false
        storageLocation: default
        ttl: 720h0m0s
        volumeGroupSnapshotLabelKey: velero.io/volume-group
        volumeSnapshotLocations:
        - default
      status:
        completionTimestamp: "2026-11-21T11:11:38Z"
        errors: 1
        expiration: "2026-12-21T11:11:37Z"
        formatVersion: "1.1.0"
        hookStatus: {}
        phase: PartiallyFailed
        progress:
          itemsBackedUp: 9
          totalItems: 9
        startTimestamp: "2026-11-21T11:11:37Z"
        version: 1
    "#);
}

#[tokio::test]
async fn one_that_has_expired_says_so() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    site.make_recent("shop-full");
    let path = site.path("backups/shop-full/velero-backup.json");
    let document = fs::read_to_string(&path).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&document).unwrap();
    document["status"]["expiration"] = "2026-03-01T02:00:00Z".into();
    fs::write(&path, document.to_string()).unwrap();
    assert_snapshot!(site.run("backup get shop-full").await, @r"
    exit code: 0
    --- stdout
    NAME        STATUS      ERRORS   WARNINGS   ITEMS   CREATED   EXPIRES   SELECTOR
    shop-full   Completed   0        0          72      3d4h      expired   <none>
    ");
}

#[tokio::test]
async fn a_name_that_is_not_there_is_answered_with_the_nearest() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    assert_snapshot!(site.run("backup get shop-full Shop-Full").await, @r#"
    exit code: 4
    --- stderr
    error: backup "Shop-Full" does not exist in file:///HOME/location
    hint: did you mean "shop-full"?
    "#);
    assert_snapshot!(site.run("backup get shop-ful -o json").await, @r#"
    exit code: 4
    --- stdout
    {
      "error": {
        "message": "backup \"shop-ful\" does not exist in file:///HOME/location",
        "causes": [],
        "hint": "did you mean \"shop-full\"?",
        "exitCode": 4
      }
    }
    "#);
    assert_snapshot!(site.run("backup get ../shop-full").await, @r#"
    exit code: 4
    --- stderr
    error: backup "../shop-full" does not exist in file:///HOME/location
    hint: did you mean "shop-full"?
    "#);
    assert_snapshot!(site.run("backup get other").await, @r#"
    exit code: 4
    --- stderr
    error: backup "other" does not exist in file:///HOME/location
    hint: bowline backup get lists what there is
    "#);
}

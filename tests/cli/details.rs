//! `describe --details`.

use insta::assert_snapshot;
use serde_json::json;

use crate::site::{Site, packed, partly_failed};

#[tokio::test]
async fn of_a_backup_of_velero_all_is_told_that_it_recorded() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    let shown = site.run("backup describe shop-full --details").await;
    // Events have names that are long and many.
    let lines = shown.lines().filter(|line| !line.contains(".18ea0ac"));
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    exit code: 0
    --- stdout
    Name:         shop-full
    Location:     file:///HOME/location
    Phase:        Completed
    Labels:       team=web,velero.io/storage-location=default
    Started:      2026-11-21T11:08:06Z
    Completed:    2026-11-21T11:08:06Z
    Expires:      2026-12-21T11:08:06Z
    Objects:      72
    Snapshots:    3 of 3 completed
    Kubernetes:   v0.0.0-master+$Format:%H$
    Format:       1.1.0

    Filters:
      Namespaces:                 shop
      Resources:                  *
      Cluster-scoped left out:    volumesnapshotcontents.snapshot.storage.k8s.io
      Namespace-scoped left out:  volumesnapshots.snapshot.storage.k8s.io

    Settings:
      Storage location:        default
      Snapshot locations:      default
      Snapshot move data:      false
      File-system backups:     false
      Volume group label:      velero.io/volume-group
      TTL:                     720h0m0s
      CSI snapshot timeout:    10m0s
      Item operation timeout:  4h0m0s

    Identity:
      UID:  1077ae29-b1c2-4da8-9cf6-979657cfc967

    Annotations:
      velero.io/resource-timeout=10m0s
      velero.io/source-cluster-k8s-gitversion=v0.0.0-master+$Format:%H$
      velero.io/source-cluster-k8s-major-version=1
      velero.io/source-cluster-k8s-minor-version=35

    Volumes:
      shop/data-nginx-ss-0:
        Volume:             pvc-0000
        Result:             succeeded
        Method:             NativeSnapshot
        Volume ID:          vol-13bd85348078b49da
        Snapshot ID:        snap-7914a7ec6fc3a5c23
        Snapshot phase:     Completed
        Type:               gp3
        Availability zone:  us-east-1a
        Reclaim policy:     Delete
      shop/data-nginx-ss-1:
        Volume:             pvc-0001
        Result:             succeeded
        Method:             NativeSnapshot
        Volume ID:          vol-a559c207e6aaeb720
        Snapshot ID:        snap-bec34fc1c830112a3
        Snapshot phase:     Completed
        Type:               gp3
        Availability zone:  us-east-1a
        Reclaim policy:     Delete
      shop/data-nginx-ss-2:
        Volume:             pvc-0002
        Result:             succeeded
        Method:             NativeSnapshot
        Volume ID:          vol-f630add8e98ff0a22
        Snapshot ID:        snap-a2cbca521ca7de335
        Snapshot phase:     Completed
        Type:               gp3
        Availability zone:  us-east-1a
        Reclaim policy:     Delete

    Resource list:
      apiextensions.k8s.io/v1/CustomResourceDefinition:
        - widgets.example.com
      apps/v1/ControllerRevision:
        - shop/agent-d6c8c4cc6
        - shop/nginx-ss-5f78ddf54d
      apps/v1/DaemonSet:
        - shop/agent
      apps/v1/Deployment:
        - shop/web
      apps/v1/ReplicaSet:
        - shop/web-594684cbbc
      apps/v1/StatefulSet:
        - shop/nginx-ss
      autoscaling/v2/HorizontalPodAutoscaler:
        - shop/web
      batch/v1/CronJob:
        - shop/nightly
      batch/v1/Job:
        - shop/migrate
      discovery.k8s.io/v1/EndpointSlice:
        - shop/my-headless-svc-p4spl
        - shop/web-52trs
        - shop/web-auto-dz7l8
      example.com/v1/Widget:
        - shop/main
      networking.k8s.io/v1/Ingress:
        - shop/web
      policy/v1/PodDisruptionBudget:
        - shop/web
      rbac.authorization.k8s.io/v1/ClusterRole:
        - shop-reader
      rbac.authorization.k8s.io/v1/ClusterRoleBinding:
        - shop-reader
      rbac.authorization.k8s.io/v1/Role:
        - shop/web
      rbac.authorization.k8s.io/v1/RoleBinding:
        - shop/web
      scheduling.k8s.io/v1/PriorityClass:
        - shop-high
      v1/ConfigMap:
        - shop/kube-root-ca.crt
        - shop/web-config
        - shop/widget-child
      v1/Endpoints:
        - shop/my-headless-svc
        - shop/web
        - shop/web-auto
      v1/Event:
      v1/Namespace:
        - shop
      v1/PersistentVolume:
        - pvc-0000
        - pvc-0001
        - pvc-0002
      v1/PersistentVolumeClaim:
        - shop/data-nginx-ss-0
        - shop/data-nginx-ss-1
        - shop/data-nginx-ss-2
      v1/Pod:
        - shop/agent-z8dxq
        - shop/migrate-fszvg
        - shop/nginx-ss-0
        - shop/nginx-ss-1
        - shop/nginx-ss-2
        - shop/web-594684cbbc-5dlvv
        - shop/web-594684cbbc-79nzr
      v1/Secret:
        - shop/web-secret
      v1/Service:
        - shop/my-headless-svc
        - shop/web
        - shop/web-auto
      v1/ServiceAccount:
        - shop/default
        - shop/web
    ");
}

#[tokio::test]
async fn of_one_that_failed_in_part_the_errors_say_what_they_are_about() {
    let site = Site::new();
    site.add_velero_backup("part-failed");
    assert_snapshot!(site.run("backup describe part-failed --details").await, @r"
    exit code: 0
    --- stdout
    Name:         part-failed
    Location:     file:///HOME/location
    Phase:        PartiallyFailed
    Labels:       velero.io/storage-location=default
    Started:      2026-11-21T11:11:37Z
    Completed:    2026-11-21T11:11:38Z
    Expires:      2026-12-21T11:11:37Z
    Objects:      9
    Snapshots:    0 of 0 completed
    Kubernetes:   v0.0.0-master+$Format:%H$
    Format:       1.1.0

    Filters:
      Namespaces:                 broken
      Resources:                  *
      Cluster-scoped left out:    volumesnapshotcontents.snapshot.storage.k8s.io
      Namespace-scoped left out:  volumesnapshots.snapshot.storage.k8s.io

    Settings:
      Storage location:        default
      Snapshot locations:      default
      Snapshot move data:      false
      File-system backups:     false
      Volume group label:      velero.io/volume-group
      TTL:                     720h0m0s
      CSI snapshot timeout:    10m0s
      Item operation timeout:  4h0m0s

    Errors:
      Velero:
        name: /user message: /Error backing up item error: /error getting volume info: rpc error: code = Unknown desc = operation error EC2: DescribeVolumes, https response error StatusCode: 400, RequestID: 8ojesoO3DlSIUB7Dh5IDJ0RA3Uf6EVvEdH5ETFiVNqiRDxWPPs4p, api error InvalidVolume.NotFound: The volume '{'vol-00000000000000bad'}' does not exist.

    Identity:
      UID:  91fca960-a84e-4ce7-8d69-167f03a19a59

    Annotations:
      velero.io/resource-timeout=10m0s
      velero.io/source-cluster-k8s-gitversion=v0.0.0-master+$Format:%H$
      velero.io/source-cluster-k8s-major-version=1
      velero.io/source-cluster-k8s-minor-version=35

    Volumes:
      broken/gone:
        Volume:          pv-gone
        Result:          podvolume: opted out due to annotation in pod user;
        Reclaim policy:  Retain

    Resource list:
      v1/ConfigMap:
        - broken/big
        - broken/kube-root-ca.crt
      v1/Event:
        - broken/user.18ea0afe749c8a50
        - broken/user.18ea0afffd224e0f
      v1/Namespace:
        - broken
      v1/PersistentVolume:
        - pv-gone
      v1/PersistentVolumeClaim:
        - broken/gone
      v1/Pod:
        - broken/user
      v1/ServiceAccount:
        - broken/default
    ");
}

/// A backup of ours, with one file of each sort.
fn add_ours(site: &Site) {
    site.add_attempt("ours", "2026-03-01T02:00:00Z");
    let file = |name: &str| format!("backups/ours/{name}");
    let document = json!({
        "apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": {"name": "ours", "uid": "3c1b6f0e-0000-4000-8000-000000000001",
            "annotations": {"bowline.io/version": "0.1.0"}},
        "spec": {"includedNamespaces": ["shop"], "orderedResources": {"pods": "shop/a,shop/b"},
            "orLabelSelectors": [{"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "b"}}]},
        "status": {"phase": "PartiallyFailed", "errors": 1, "formatVersion": "1.1.0"},
    });
    site.write(&file("velero-backup.json"), document.to_string());
    site.write(
        &file("bowline-provider-aws.json"),
        json!({"provider": "aws", "place": "eu-west-1"}).to_string(),
    );
    let digests = json!({"files": {"ours.tar.gz": {"size": 4096, "sha256": "ab12"}}});
    site.write(&file("bowline-digests.json"), digests.to_string());
    let report = json!({"volumes": [
        {"namespace": "shop", "claim": "data", "persistentVolume": "pv-1", "state": "failed"},
        {"namespace": "shop", "claim": "later", "persistentVolume": null, "state": "unbound"},
    ]});
    site.write(&file("bowline-report.json"), report.to_string());
    let volume = json!([{"pvcName": "data", "pvcNamespace": "shop", "pvName": "pv-1",
        "backupMethod": "NativeSnapshot", "result": "failed", "pvInfo": {"reclaimPolicy": "Delete"},
        "nativeSnapshotInfo": {"snapshotHandle": "", "volumeType": "gp3", "volumeAZ": "eu-west-1a",
            "iops": "3000", "Phase": "Failed"}}]);
    site.write(&file("ours-volumeinfo.json.gz"), packed(&volume));
    let snapshot = json!([{"spec": {"persistentVolumeName": "pv-1", "bowlineProvider": "aws",
        "providerVolumeID": "vol-1", "volumeSizeGiB": 20, "volumeEncrypted": true}}]);
    site.write(&file("ours-volumesnapshots.json.gz"), packed(&snapshot));
    let results =
        json!({"errors": {"namespaces": {"shop": ["data: gone"]}, "cluster": ["pv-1: gone"]}});
    site.write(&file("ours-results.gz"), packed(&results));
    let resources = json!({"v1/Pod": ["shop/a", "shop/b"], "v1/Namespace": ["shop"]});
    site.write(&file("ours-resource-list.json.gz"), packed(&resources));
}

#[tokio::test]
async fn of_one_of_ours_the_digests_and_providers_are_told_too() {
    let site = Site::new();
    add_ours(&site);
    assert_snapshot!(site.run("backup describe ours --details").await, @r"
    exit code: 0
    --- stdout
    Name:         ours
    Location:     file:///HOME/location
    Phase:        PartiallyFailed
    Snapshots:    0 of 0 completed
    Format:       1.1.0

    Filters:
      Namespaces:  shop
      Resources:   *
      Selectors:   app=a or app=b

    Settings:
      Ordered resources:  pods=shop/a,shop/b

    Errors:
      Cluster:
        pv-1: gone
      Namespace shop:
        data: gone

    Identity:
      UID:          3c1b6f0e-0000-4000-8000-000000000001
      Attempt UID:  3c1b6f0e-0000-4000-8000-000000000001
      Cluster UID:  7a0f6a52-0000-4000-8000-000000000002
      Written by:   bowline 0.1.0

    Annotations:
      bowline.io/version=0.1.0

    Providers:
      aws:  eu-west-1

    Volumes:
      shop/data:
        Volume:             pv-1
        State:              failed
        Result:             failed
        Method:             NativeSnapshot
        Provider:           aws
        Volume ID:          vol-1
        Snapshot phase:     Failed
        Type:               gp3
        Availability zone:  eu-west-1a
        IOPS:               3000
        Size:               20 GiB
        Encrypted:          true
        Reclaim policy:     Delete
      shop/later:
        State:  unbound

    Files:
    FILE          BYTES   SHA-256
    ours.tar.gz   4096    ab12

    Resource list:
      v1/Namespace:
        - shop
      v1/Pod:
        - shop/a
        - shop/b
    ");
    let output = site.bowline.run(&["backup", "describe", "ours", "--details", "-ojson"]).await;
    let details = output.unwrap().json()["details"].clone();
    assert_eq!(details["digests"]["files"]["ours.tar.gz"]["sha256"], "ab12");
    assert_eq!(details["providers"], json!([{"provider": "aws", "place": "eu-west-1"}]));
    assert_eq!(details["attempt"]["clusterUID"], "7a0f6a52-0000-4000-8000-000000000002");
    assert_eq!(details["resourceList"]["v1/Pod"], json!(["shop/a", "shop/b"]));
    assert_eq!(details["snapshots"][0]["spec"]["providerVolumeID"], "vol-1");
}

#[tokio::test]
async fn what_velero_went_on_with_is_told() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    let operations = json!([{"spec": {"backupItemAction": "velero.io/csi-volumesnapshot-backupper",
        "resourceIdentifier": {"Group": "snapshot.storage.k8s.io", "Resource": "volumesnapshots",
            "Namespace": "shop", "Name": "velero-data"}}, "status": {"phase": "Completed"}}]);
    site.write("backups/shop-full/shop-full-itemoperations.json.gz", packed(&operations));
    let files = json!([{"spec": {"pod": {"namespace": "shop", "name": "db-0"}, "volume": "data",
        "uploaderType": "kopia"}, "status": {"phase": "Completed", "snapshotID": "k1"}}]);
    site.write("backups/shop-full/shop-full-podvolumebackups.json.gz", packed(&files));
    let shown = site.run("backup describe shop-full --details").await;
    let from = shown.find("\nPod volume backups:").unwrap();
    let to = shown.find("\nResource list:").unwrap();
    assert_snapshot!(&shown[from..to], @r"
    Pod volume backups:
    NAMESPACE   POD    VOLUME   UPLOADER   PHASE       SNAPSHOT
    shop        db-0   data     kopia      Completed   k1

    Item operations:
    ACTION                                   RESOURCE          NAMESPACE   NAME          PHASE       ERROR
    velero.io/csi-volumesnapshot-backupper   volumesnapshots   shop        velero-data   Completed   <none>
    ");
}

#[tokio::test]
async fn damaged_records_are_named_and_the_rest_is_told() {
    let site = Site::new();
    add_ours(&site);
    site.write("backups/ours/bowline-digests.json", "{");
    site.write("backups/ours/bowline-provider-aws.json", "{}");
    let shown = site.run("backup describe ours --details").await;
    assert!(shown.starts_with("exit code: 6\n"), "{shown}");
    assert!(shown.contains("\"backups/ours/bowline-digests.json\" cannot be read"), "{shown}");
    assert!(shown.contains("\"backups/ours/bowline-provider-aws.json\" cannot be read"), "{shown}");
    assert!(shown.contains("Attempt UID:"), "{shown}");
}

#[tokio::test]
async fn of_a_restore_the_outcome_of_every_object_is_told() {
    let site = Site::new();
    site.add_restore("copy", Some(&partly_failed("copy")));
    let outcomes = json!({"v1/Service": ["shop/web(created)"], "v1/Namespace": ["shop(skipped)"]});
    site.write("restores/copy/restore-copy-resource-list.json.gz", packed(&outcomes));
    let shown = site.run("restore describe copy --details").await;
    let from = shown.find("\nResource list:").unwrap();
    assert_snapshot!(&shown[from..], @r"
    Resource list:
      v1/Namespace:
        - shop(skipped)
      v1/Service:
        - shop/web(created)
    ");
    site.write("restores/copy/restore-copy-resource-list.json.gz", "no gzip");
    let shown = site.run("restore describe copy --details").await;
    assert!(shown.starts_with("exit code: 6\n"), "{shown}");
}

#[tokio::test]
async fn of_a_restore_that_velero_made_its_results_are_told() {
    let site = Site::new();
    let results =
        json!({"errors": {"namespaces": {"shop": ["no"]}}, "warnings": {"velero": ["odd"]}});
    site.write("restores/theirs/restore-theirs-results.gz", packed(&results));
    let outcomes = json!({"v1/Service": ["shop/web(created)"]});
    site.write("restores/theirs/restore-theirs-resource-list.json.gz", packed(&outcomes));
    let volumes = json!([{"pvcName": "data", "pvcNamespace": "shop", "pvName": "pv-1",
        "restoreMethod": "NativeSnapshot", "nativeSnapshotInfo": {"snapshotHandle": "snap-1"}}]);
    site.write("restores/theirs/theirs-volumeinfo.json.gz", packed(&volumes));
    assert_snapshot!(site.run("restore get").await, @r"
    exit code: 0
    --- stdout
    NAME     BACKUP   STATUS   ERRORS   WARNINGS   STARTED   COMPLETED   SELECTOR   RECORDS
    theirs   <none>   <none>   1        1          <none>    <none>      <none>     velero
    ");
    assert_snapshot!(site.run("restore get theirs -o json").await, @r#"
    exit code: 0
    --- stdout
    {
      "name": "theirs",
      "record": null,
      "result": null,
      "velero": {
        "errors": {
          "namespaces": {
            "shop": [
              "no"
            ]
          }
        },
        "warnings": {
          "velero": [
            "odd"
          ]
        }
      },
      "runs": 0,
      "local": false
    }
    "#);
    assert_snapshot!(site.run("restore describe theirs --details").await, @r"
    exit code: 0
    --- stdout
    Name:         theirs
    Records:      of Velero, which keeps in its cluster what was asked

    Errors:
      Namespace shop:
        no

    Warnings:
      Velero:
        odd

    Volumes:
    NAMESPACE   CLAIM   VOLUME   SNAPSHOT   RESULT
    shop        data    pv-1     snap-1     <none>

    Resource list:
      v1/Service:
        - shop/web(created)
    ");
    assert_snapshot!(site.run("restore get -l a!=b").await, @r"
    exit code: 0
    --- stderr
    there are no restores with a!=b in file:///HOME/location
    ");
    site.write("restores/theirs/restore-theirs-results.gz", "no gzip");
    assert_snapshot!(site.run("restore describe theirs").await, @r#"
    exit code: 6
    --- stdout
    Name:         theirs
    Records:      of Velero, which keeps in its cluster what was asked

    Damaged:
      "restores/theirs/restore-theirs-results.gz" cannot be read: unexpected end of file
    "#);
    assert_snapshot!(site.run("restore get").await, @r"
    exit code: 0
    --- stdout
    NAME     BACKUP   STATUS   ERRORS   WARNINGS   STARTED   COMPLETED   SELECTOR   RECORDS
    theirs   <none>   <none>   <none>   <none>     <none>    <none>      <none>     velero
    ");
}

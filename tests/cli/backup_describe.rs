//! `bowline backup describe`.

use insta::assert_snapshot;

use crate::site::Site;

#[tokio::test]
async fn a_backup_of_velero_is_described_with_its_volumes() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    assert_snapshot!(site.run("backup describe shop-full").await, @r"
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

    Volumes:
    NAMESPACE   CLAIM             VOLUME     SNAPSHOT                 RESULT
    shop        data-nginx-ss-0   pvc-0000   snap-7914a7ec6fc3a5c23   succeeded
    shop        data-nginx-ss-1   pvc-0001   snap-bec34fc1c830112a3   succeeded
    shop        data-nginx-ss-2   pvc-0002   snap-a2cbca521ca7de335   succeeded
    ");
}

#[tokio::test]
async fn errors_and_what_was_left_out_are_shown() {
    let site = Site::new();
    site.add_velero_backup("part-failed");
    assert_snapshot!(site.run("backup describe part-failed").await, @r"
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

    Volumes:
    NAMESPACE   CLAIM   VOLUME    SNAPSHOT   RESULT
    broken      gone    pv-gone   <none>     podvolume: opted out due to annotation in pod user;
    ");
    assert_snapshot!(site.run("backup describe part-failed -o json").await, @r#"
    exit code: 0
    --- stdout
    {
      "location": "file:///HOME/location",
      "backup": {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {
          "annotations": {
            "velero.io/resource-timeout": "10m0s",
            "velero.io/source-cluster-k8s-gitversion": "v0.0.0-master+$Format:%H$",
            "velero.io/source-cluster-k8s-major-version": "1",
            "velero.io/source-cluster-k8s-minor-version": "35"
          },
          "creationTimestamp": "2026-11-21T11:11:37Z",
          "generation": 7,
          "labels": {
            "velero.io/storage-location": "default"
          },
          "name": "part-failed",
          "namespace": "velero",
          "resourceVersion": "612",
          "uid": "91fca960-a84e-4ce7-8d69-167f03a19a59"
        },
        "spec": {
          "csiSnapshotTimeout": "10m0s",
          "defaultVolumesToFsBackup": false,
          "excludedClusterScopedResources": [
            "volumesnapshotcontents.snapshot.storage.k8s.io"
          ],
          "excludedNamespaceScopedResources": [
            "volumesnapshots.snapshot.storage.k8s.io"
          ],
          "hooks": {},
          "includedNamespaces": [
            "broken"
          ],
          "itemOperationTimeout": "4h0m0s",
          "metadata": {},
          "snapshotMoveData": false,
          "storageLocation": "default",
          "ttl": "720h0m0s",
          "volumeGroupSnapshotLabelKey": "velero.io/volume-group",
          "volumeSnapshotLocations": [
            "default"
          ]
        },
        "status": {
          "completionTimestamp": "2026-11-21T11:11:38Z",
          "errors": 1,
          "expiration": "2026-12-21T11:11:37Z",
          "formatVersion": "1.1.0",
          "hookStatus": {},
          "phase": "PartiallyFailed",
          "progress": {
            "itemsBackedUp": 9,
            "totalItems": 9
          },
          "startTimestamp": "2026-11-21T11:11:37Z",
          "version": 1
        }
      },
      "volumes": [
        {
          "preserveLocalSnapshot": false,
          "pvInfo": {
            "labels": {
              "topology.kubernetes.io/zone": "us-east-1a"
            },
            "reclaimPolicy": "Retain"
          },
          "pvName": "pv-gone",
          "pvcName": "gone",
          "pvcNamespace": "broken",
          "skipped": true,
          "skippedReason": "podvolume: opted out due to annotation in pod user;",
          "snapshotDataMoved": false
        }
      ],
      "results": {
        "errors": {
          "velero": [
            " name: /user message: /Error backing up item error: /error getting volume info: rpc error: code = Unknown desc = operation error EC2: DescribeVolumes, https response error StatusCode: 400, RequestID: 8ojesoO3DlSIUB7Dh5IDJ0RA3Uf6EVvEdH5ETFiVNqiRDxWPPs4p, api error InvalidVolume.NotFound: The volume '{'vol-00000000000000bad'}' does not exist."
          ]
        },
        "warnings": {}
      },
      "damaged": []
    }
    "#);
}

#[tokio::test]
async fn an_incomplete_one_says_since_when() {
    let site = Site::new();
    site.add_attempt("crashed", "2026-03-01T02:00:00Z");
    assert_snapshot!(site.run("backup describe crashed").await, @r"
    exit code: 0
    --- stdout
    Name:         crashed
    Location:     file:///HOME/location
    Phase:        Incomplete
    Started:      2026-03-01T02:00:00Z
    Written by:   bowline 0.1.0
    Reason:       it runs still, or was interrupted
    ");
    site.write("backups/crashed/bowline-pending.json", "{}");
    assert_snapshot!(site.run("backup describe crashed").await, @r"
    exit code: 0
    --- stdout
    Name:         crashed
    Location:     file:///HOME/location
    Phase:        Incomplete
    Started:      2026-03-01T02:00:00Z
    Written by:   bowline 0.1.0
    Reason:       it runs still, or was interrupted
    To finish:    bowline backup finish crashed
    ");
    assert_snapshot!(site.run("backup describe crashed -o yaml").await, @r#"
    exit code: 0
    --- stdout
    location: file:///HOME/location
    backup:
      metadata:
        name: crashed
        uid: 3c1b6f0e-0000-4000-8000-000000000001
      status:
        phase: Incomplete
        startTimestamp: "2026-03-01T02:00:00Z"
    volumes: []
    results:
      errors: {}
      warnings: {}
    damaged: []
    "#);
}

#[tokio::test]
async fn one_that_cannot_be_used_says_why() {
    let site = Site::new();
    site.write("backups/damaged/velero-backup.json", "{\"kind\": ");
    assert_snapshot!(site.run("backup describe damaged").await, @r"
    exit code: 6
    --- stdout
    Name:         damaged
    Location:     file:///HOME/location
    Phase:        Failed
    Reason:       EOF while parsing a value at line 1 column 9
    ");
}

#[tokio::test]
async fn a_damaged_file_is_named_and_the_rest_is_still_told() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    site.write("backups/shop-full/shop-full-volumeinfo.json.gz", "no gzip");
    assert_snapshot!(site.run("backup describe shop-full").await, @r#"
    exit code: 6
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

    Damaged:
      "backups/shop-full/shop-full-volumeinfo.json.gz" cannot be read: unexpected end of file
    "#);
}

#[tokio::test]
async fn what_would_act_on_the_terminal_is_written_out() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    let below = "backups/shop-full/velero-backup.json";
    let text = std::fs::read_to_string(site.path(below)).unwrap();
    site.write(below, text.replace("\"web\"", "\"\\u001b[2Jgone\""));
    let shown = site.run("backup describe shop-full").await;
    assert!(shown.contains("team=\\u{1b}[2Jgone"), "{shown}");
    assert!(!shown.contains('\x1b'), "{shown}");
}

#[tokio::test]
async fn a_name_that_is_not_there_is_answered_with_the_nearest() {
    let site = Site::new();
    site.add_velero_backup("shop-full");
    assert_snapshot!(site.run("backup describe shopfull").await, @r#"
    exit code: 4
    --- stderr
    error: backup "shopfull" does not exist in file:///HOME/location
    hint: did you mean "shop-full"?
    "#);
    assert_snapshot!(site.run("backup describe .. -o json").await, @r#"
    exit code: 4
    --- stdout
    {
      "error": {
        "message": "backup \"..\" does not exist in file:///HOME/location",
        "causes": [],
        "hint": "bowline backup get lists what there is",
        "exitCode": 4
      }
    }
    "#);
}

//! Backups that a real Velero made.

use std::path::PathBuf;

use bowline_testkit::{Cloud, VeleroBackup};
use http::Method;

fn fixture(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("../format/fixtures/velero").join(name)
}

#[tokio::test]
async fn a_backup_of_velero_is_installed_with_its_snapshots_under_their_new_ids() {
    let cloud = Cloud::start().await.unwrap();
    let backup = VeleroBackup::install(&cloud, &fixture("shop-full")).await.unwrap();
    let records = backup.document("NAME-volumesnapshots.json.gz").unwrap();
    let records = records.as_array().unwrap();
    assert_eq!((records.len(), backup.snapshots.len()), (3, 3));
    let infos = backup.document("NAME-volumeinfo.json.gz").unwrap();
    let archive = String::from_utf8_lossy(&backup.files["shop-full.tar.gz"]).into_owned();
    for (record, info) in records.iter().zip(infos.as_array().unwrap()) {
        let name = record["spec"]["persistentVolumeName"].as_str().unwrap();
        let snapshot = &backup.snapshots[name];
        assert_eq!(record["status"]["providerSnapshotID"], snapshot.id);
        assert_eq!(record["spec"]["providerVolumeID"], snapshot.volume);
        assert_eq!(info["nativeSnapshotInfo"]["snapshotHandle"], snapshot.id);
        assert!(archive.contains(&snapshot.volume), "the archive names {}", snapshot.volume);
        let tags = [("velero.io/backup", "shop-full"), ("velero.io/pv", name), ("team", "web")];
        assert!(tags.iter().all(|(key, value)| snapshot.tags[*key] == *value), "{snapshot:?}");
    }
    assert_eq!(cloud.ec2().snapshots().await.unwrap().len(), 3);

    let keys = cloud.s3().keys(cloud.bucket()).await.unwrap();
    assert_eq!(keys.len(), backup.files.len());
    assert!(keys.contains(&"lab/backups/shop-full/velero-backup.json".to_owned()), "{keys:?}");
    let path = "/backups/lab/backups/shop-full/velero-backup.json";
    let document = cloud.s3().request(&Method::GET, path, &[], "").await.unwrap();
    assert_eq!(document.into_body(), backup.files["velero-backup.json"]);
}

#[tokio::test]
async fn a_backup_of_velero_without_snapshots_is_installed_as_it_is() {
    let cloud = Cloud::start().await.unwrap();
    let backup = VeleroBackup::install(&cloud, &fixture("part-failed")).await.unwrap();
    assert!(backup.snapshots.is_empty());
    assert_eq!(cloud.ec2().volumes().await.unwrap(), []);
    assert_eq!(cloud.s3().keys(cloud.bucket()).await.unwrap().len(), backup.files.len());
}

//! An EC2 server of a test's own, and volumes in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bowline_api::VolumeSnapshotter;
use bowline_api::contract::{Files, SnapshotterFixture};
use bowline_aws::{Connection, EbsOptions, EbsSnapshotter};
use bowline_testkit::Ec2Server;
use bowline_testkit::cloud::{Ec2, NewVolume, Volume};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An EC2 server, and a snapshotter that is connected to it.
pub(crate) struct EbsFixture {
    server: Ec2Server,
    directory: TempDir,
    snapshotter: EbsSnapshotter,
}

impl EbsFixture {
    pub(crate) async fn start() -> Self {
        let server = Ec2Server::start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path(), &server.endpoint());
        Self { server, directory, snapshotter: EbsSnapshotter::new(options) }
    }

    /// What another process would connect by.
    pub(crate) fn options(&self) -> EbsOptions {
        options(self.directory.path(), &self.server.endpoint())
    }

    pub(crate) fn ec2(&self) -> Ec2 {
        self.server.client()
    }

    pub(crate) async fn add_volume(&self, volume: &NewVolume) -> Volume {
        self.ec2().create_volume(volume).await.unwrap()
    }
}

fn options(directory: &Path, endpoint: &str) -> EbsOptions {
    let connection = Connection {
        region: Some("us-east-1".to_owned()),
        credentials_file: Some(credentials(directory)),
        endpoint: Some(endpoint.to_owned()),
        ..Connection::default()
    };
    EbsOptions { connection, ..EbsOptions::default() }
}

fn credentials(directory: &Path) -> PathBuf {
    let path = directory.join("credentials");
    let text = "[default]\naws_access_key_id = AKIDTEST\naws_secret_access_key = secret\n";
    fs::write(&path, text).unwrap();
    path
}

/// A persistent volume of the CSI driver's.
fn persistent_volume(volume: &Volume) -> Value {
    let zone = json!({
        "key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": [volume.zone],
    });
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": format!("pvc-{}", volume.id)},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "csi": {"driver": "ebs.csi.aws.com", "fsType": "ext4", "volumeHandle": volume.id},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}},
        },
    })
}

#[async_trait]
impl SnapshotterFixture for EbsFixture {
    fn snapshotter(&self) -> &dyn VolumeSnapshotter {
        &self.snapshotter
    }

    async fn make_volume(&self) -> Value {
        let tags = [("Name".to_owned(), "data".to_owned())].into();
        persistent_volume(&self.add_volume(&NewVolume { tags, ..NewVolume::default() }).await)
    }

    /// The server keeps no contents.
    async fn fill_volume(&self, _: &str, _: &Files) {}

    async fn read_volume(&self, _: &str) -> Option<Files> {
        None
    }

    fn nodes(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    async fn pause(&self) {
        tokio::task::yield_now().await;
    }
}

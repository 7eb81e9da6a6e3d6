//! [`EbsSnapshotter`], the snapshotter.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bowline_api::{
    Operation, Right, Snapshot, SnapshotRequest, SnapshotterError, Volume, VolumeOrigin,
    VolumeRequest, VolumeSnapshotter,
};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::client::Ec2;
use super::options::EbsOptions;
use super::{ids, persistent_volume};

/// Snapshots EBS volumes of one region, and makes volumes from snapshots.
///
/// Clones of nothing: all who use EC2 share one, so that calls are paced and gathered together.
#[derive(Debug)]
pub struct EbsSnapshotter {
    options: EbsOptions,
    ec2: OnceCell<Ec2>,
}

impl EbsSnapshotter {
    /// A snapshotter that connects when it is first asked.
    pub fn new(options: EbsOptions) -> Self {
        Self { options, ec2: OnceCell::new() }
    }

    #[cfg(test)]
    pub(super) fn connected(options: EbsOptions, ec2: Ec2) -> Self {
        Self { options, ec2: OnceCell::new_with(Some(ec2)) }
    }

    async fn ec2(&self) -> Result<&Ec2, SnapshotterError> {
        self.ec2.get_or_try_init(|| Ec2::connect(&self.options)).await
    }
}

#[async_trait]
impl VolumeSnapshotter for EbsSnapshotter {
    fn provider(&self) -> &'static str {
        "aws"
    }

    fn handles(&self, persistent_volume: &Value) -> bool {
        persistent_volume::is_ebs(persistent_volume)
    }

    fn volume_id(
        &self,
        persistent_volume: &Value,
        _nodes: &BTreeSet<String>,
    ) -> Result<String, SnapshotterError> {
        persistent_volume::volume_id(persistent_volume)
    }

    fn set_volume(
        &self,
        persistent_volume: &mut Value,
        volume: &Volume,
    ) -> Result<(), SnapshotterError> {
        persistent_volume::set_volume(persistent_volume, volume)
    }

    fn is_snapshot_id(&self, id: &str) -> bool {
        ids::is_snapshot(id)
    }

    async fn zones(&self) -> Result<Vec<String>, SnapshotterError> {
        let ec2 = self.ec2().await?;
        let zones = ec2.available_zones().await;
        zones.map_err(|fault| fault.about("list", ec2.place("the list of availability zones")))
    }

    async fn place(&self) -> Result<Option<String>, SnapshotterError> {
        Ok(Some(self.ec2().await?.region().to_owned()))
    }

    async fn rights(
        &self,
        operation: Operation,
        volume_id: Option<&str>,
    ) -> Result<Vec<Right>, SnapshotterError> {
        self.ec2().await?.rights(operation, volume_id).await
    }

    async fn create_snapshot(
        &self,
        request: &SnapshotRequest,
    ) -> Result<Snapshot, SnapshotterError> {
        self.ec2().await?.create_snapshot(request).await
    }

    async fn snapshot(&self, id: &str) -> Result<Snapshot, SnapshotterError> {
        self.ec2().await?.snapshot(id, &self.options.trusted_accounts).await
    }

    async fn snapshots_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Snapshot>, SnapshotterError> {
        self.ec2().await?.snapshots_tagged(key, value).await
    }

    async fn delete_snapshot(&self, id: &str) -> Result<(), SnapshotterError> {
        self.ec2().await?.delete_snapshot(id).await
    }

    async fn create_volume(&self, request: &VolumeRequest) -> Result<Volume, SnapshotterError> {
        self.ec2().await?.create_volume(request, &self.options).await
    }

    async fn volume(&self, id: &str) -> Result<Volume, SnapshotterError> {
        self.ec2().await?.volume(id).await
    }

    async fn volume_made_by(
        &self,
        origin: &VolumeOrigin,
    ) -> Result<Option<Volume>, SnapshotterError> {
        self.ec2().await?.volume_of(origin).await
    }

    async fn delete_volume(&self, id: &str) -> Result<(), SnapshotterError> {
        self.ec2().await?.delete_volume(id).await
    }
}

//! The snapshotters that are at hand, and the patience that all of them need.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bowline_api::{
    Operation, Right, Snapshot, SnapshotRequest, SnapshotterError, Volume, VolumeOrigin,
    VolumeRequest, VolumeSnapshotter,
};
use serde_json::Value;
use tokio::time::Instant;

use crate::engine::clock::pause;
use crate::engine::model::backup::ProviderRecord;

/// The snapshotters that are at hand.
#[derive(Clone, Debug, Default)]
pub struct Snapshotters(Vec<Arc<dyn VolumeSnapshotter>>);

impl Snapshotters {
    /// These snapshotters, in order of preference.
    pub fn new(snapshotters: Vec<Arc<dyn VolumeSnapshotter>>) -> Self {
        let patient = |it| Arc::new(Patient(it)) as Arc<dyn VolumeSnapshotter>;
        Self(snapshotters.into_iter().map(patient).collect())
    }

    /// The one that handles a persistent volume.
    pub fn of_volume(&self, persistent_volume: &Value) -> Option<&dyn VolumeSnapshotter> {
        self.iter().find(|snapshotter| snapshotter.handles(persistent_volume))
    }

    /// The one of this provider.
    pub fn of_provider(&self, provider: &str) -> Option<&dyn VolumeSnapshotter> {
        self.iter().find(|snapshotter| snapshotter.provider() == provider)
    }

    /// The one of a recorded snapshot: of this provider, or, as Velero's records name none, the one
    /// whose snapshots have such ids.
    pub fn of_recorded(&self, provider: Option<&str>, id: &str) -> Option<&dyn VolumeSnapshotter> {
        match provider {
            Some(provider) => self.of_provider(provider),
            None => self.iter().find(|snapshotter| snapshotter.is_snapshot_id(id)),
        }
    }

    /// The one that was asked for a backup's snapshots, if it reaches them from here.
    pub async fn reach(
        &self,
        record: &ProviderRecord,
    ) -> Result<&dyn VolumeSnapshotter, OutOfReach> {
        let provider = record.provider.clone();
        let Some(snapshotter) = self.of_provider(&provider) else {
            return Err(OutOfReach::NotAtHand { provider });
        };
        match snapshotter.place().await {
            Ok(here) if here == record.place => Ok(snapshotter),
            Ok(here) => {
                let place = |place: Option<String>| place.unwrap_or_else(|| "no region".to_owned());
                let (taken, here) = (place(record.place.clone()), place(here));
                Err(OutOfReach::Elsewhere { provider, taken, here })
            }
            Err(source) => Err(OutOfReach::Unknown { provider, source }),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &dyn VolumeSnapshotter> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Their names, for messages.
    pub fn names(&self) -> String {
        self.iter().map(VolumeSnapshotter::provider).collect::<Vec<_>>().join(", ")
    }
}

/// Why a backup's snapshots cannot be reached from here. They are not gone for that.
#[derive(Debug, thiserror::Error)]
pub enum OutOfReach {
    /// Nobody here knows the provider.
    #[error("provider \"{provider}\" is not at hand here")]
    NotAtHand {
        /// The provider.
        provider: String,
    },
    /// They lie somewhere else.
    #[error(
        "the snapshots of provider \"{provider}\" were taken in {taken}, but this runs in {here}: \
         set AWS_REGION"
    )]
    Elsewhere {
        /// The provider.
        provider: String,
        /// Where they were taken.
        taken: String,
        /// What is reached from here.
        here: String,
    },
    /// The provider cannot be used.
    #[error("where provider \"{provider}\" is reached from here cannot be told")]
    Unknown {
        /// The provider.
        provider: String,
        /// What it said.
        source: SnapshotterError,
    },
}

/// How long to wait before each further attempt.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// A provider that has tried for so long was patient itself; to repeat that helps nobody.
const ENOUGH: Duration = Duration::from_mins(1);

/// A snapshotter that is asked again where it could not be reached.
///
/// Every call may be repeated, since creations carry a token. Without this, one lost reply in the
/// hours that a snapshot takes would cost it.
#[derive(Debug)]
struct Patient(Arc<dyn VolumeSnapshotter>);

async fn patiently<T, F>(ask: impl Fn() -> F + Send) -> Result<T, SnapshotterError>
where
    F: Future<Output = Result<T, SnapshotterError>> + Send,
    T: Send,
{
    let began = Instant::now();
    for wait in PAUSES {
        match ask().await {
            Err(SnapshotterError::Failed { .. }) if began.elapsed() < ENOUGH => pause(wait).await,
            settled => return settled,
        }
    }
    ask().await
}

#[async_trait]
impl VolumeSnapshotter for Patient {
    fn provider(&self) -> &'static str {
        self.0.provider()
    }

    fn handles(&self, persistent_volume: &Value) -> bool {
        self.0.handles(persistent_volume)
    }

    fn volume_id(
        &self,
        persistent_volume: &Value,
        nodes: &BTreeSet<String>,
    ) -> Result<String, SnapshotterError> {
        self.0.volume_id(persistent_volume, nodes)
    }

    fn set_volume(
        &self,
        persistent_volume: &mut Value,
        volume: &Volume,
    ) -> Result<(), SnapshotterError> {
        self.0.set_volume(persistent_volume, volume)
    }

    async fn zones(&self) -> Result<Vec<String>, SnapshotterError> {
        patiently(|| self.0.zones()).await
    }

    async fn place(&self) -> Result<Option<String>, SnapshotterError> {
        patiently(|| self.0.place()).await
    }

    async fn rights(
        &self,
        operation: Operation,
        subject: Option<&str>,
    ) -> Result<Vec<Right>, SnapshotterError> {
        patiently(|| self.0.rights(operation, subject)).await
    }

    fn is_snapshot_id(&self, id: &str) -> bool {
        self.0.is_snapshot_id(id)
    }

    async fn create_snapshot(
        &self,
        request: &SnapshotRequest,
    ) -> Result<Snapshot, SnapshotterError> {
        patiently(|| self.0.create_snapshot(request)).await
    }

    async fn snapshot(&self, id: &str) -> Result<Snapshot, SnapshotterError> {
        patiently(|| self.0.snapshot(id)).await
    }

    async fn snapshots_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<Snapshot>, SnapshotterError> {
        patiently(|| self.0.snapshots_tagged(key, value)).await
    }

    async fn delete_snapshot(&self, id: &str) -> Result<(), SnapshotterError> {
        patiently(|| self.0.delete_snapshot(id)).await
    }

    async fn create_volume(&self, request: &VolumeRequest) -> Result<Volume, SnapshotterError> {
        patiently(|| self.0.create_volume(request)).await
    }

    async fn volume(&self, id: &str) -> Result<Volume, SnapshotterError> {
        patiently(|| self.0.volume(id)).await
    }

    async fn volume_made_by(
        &self,
        origin: &VolumeOrigin,
    ) -> Result<Option<Volume>, SnapshotterError> {
        patiently(|| self.0.volume_made_by(origin)).await
    }

    async fn delete_volume(&self, id: &str) -> Result<(), SnapshotterError> {
        patiently(|| self.0.delete_volume(id)).await
    }
}

//! All that bowline touches, in memory: a cluster, a bucket and a cloud, and processes that use them.

mod snapshotter;
mod store;

use std::sync::Arc;

use bowline::engine::backup;
use bowline::engine::clock::Clock;
use bowline::engine::context::{Context, Limits, Snapshotters};
use bowline::engine::event::Silent;
use bowline::engine::report::{BackupReport, RestoreReport};
use bowline::engine::restore;
use bowline::engine::run::Engine;
use bowline::engine::store::BackupStore;
use jiff::Timestamp;

pub(crate) use snapshotter::Cloud;
pub(crate) use store::Bucket;

use crate::fake_cluster::FakeCluster;
use crate::faults::{Faults, Script};
use snapshotter::FakeSnapshotter;
use store::FaultyStore;

/// What outlives a process.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) cluster: FakeCluster,
    pub(crate) bucket: Bucket,
    pub(crate) cloud: Cloud,
}

/// A run of bowline.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) engine: Engine,
    pub(crate) faults: Faults,
}

/// The result of a backup.
pub(crate) type BackupResult = Result<BackupReport, backup::Error>;
/// The result of a restore.
pub(crate) type RestoreResult = Result<RestoreReport, restore::Error>;

impl World {
    /// A world with this cluster, and nothing else in it.
    pub(crate) fn new(cluster: FakeCluster) -> Self {
        Self { cluster, bucket: Bucket::default(), cloud: Cloud::default() }
    }

    /// A world of its own in the same state.
    pub(crate) async fn copy(&self) -> Self {
        Self {
            cluster: self.cluster.copy(),
            bucket: self.bucket.copy().await,
            cloud: self.cloud.copy(),
        }
    }

    /// The same bucket and cloud, seen from another cluster.
    pub(crate) fn beside(&self, cluster: FakeCluster) -> Self {
        Self { cluster, ..self.clone() }
    }

    /// Starts a process whose calls fail as scripted.
    pub(crate) fn start(&self, script: Script) -> Process {
        let faults = Faults::new(script);
        let snapshotter = FakeSnapshotter { cloud: self.cloud.clone(), faults: faults.clone() };
        let context = Context {
            cluster: self.cluster.connect(&faults),
            store: self.store(&faults),
            local_records: None,
            snapshotters: Snapshotters::new(vec![Arc::new(snapshotter)]),
            observer: Arc::new(Silent),
            clock: Clock::Fixed(Timestamp::from_second(1_772_330_400).unwrap()),
            limits: Limits::default(),
        };
        Process { engine: Engine::new(context), faults }
    }

    /// The bucket, to look into.
    pub(crate) fn backups(&self) -> BackupStore {
        self.store(&Faults::new(Script::Sound))
    }

    fn store(&self, faults: &Faults) -> BackupStore {
        let store = FaultyStore { bucket: self.bucket.clone(), faults: faults.clone() };
        BackupStore::new(Arc::new(store), "memory://bucket")
    }

    /// Makes a backup while nothing fails.
    pub(crate) async fn back_up(&self, request: &backup::Request) -> BackupResult {
        self.start(Script::Sound).engine.create_backup(request).await
    }

    /// Restores while nothing fails.
    pub(crate) async fn restore(&self, request: &restore::Request) -> RestoreResult {
        self.start(Script::Sound).engine.create_restore(request).await
    }
}

impl Process {
    /// Makes a backup; none if the process was killed meanwhile.
    pub(crate) async fn back_up(&self, request: &backup::Request) -> Option<BackupResult> {
        self.until_killed(self.engine.create_backup(request)).await
    }

    /// Restores; none if the process was killed meanwhile.
    pub(crate) async fn restore(&self, request: &restore::Request) -> Option<RestoreResult> {
        self.until_killed(self.engine.create_restore(request)).await
    }

    async fn until_killed<T>(&self, run: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.faults.killed() => None,
            done = run => Some(done),
        }
    }
}

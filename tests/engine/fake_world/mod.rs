//! All that bowline touches, in memory: a cluster, a bucket and a cloud, and processes that use them.

mod snapshotter;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline::engine::backup;
use bowline::engine::clock::Clock;
use bowline::engine::context::{Context, Holds, Limits, Snapshotters};
use bowline::engine::delete::{self, DeleteReport};
use bowline::engine::event::{Event, Observer};
use bowline::engine::report::{BackupReport, RestoreReport};
use bowline::engine::restore;
use bowline::engine::run::Engine;
use bowline::engine::schedule::expire;
use bowline::engine::stop::Stop;
use bowline::engine::store::BackupStore;
use jiff::Timestamp;

pub(crate) use snapshotter::Cloud;
pub(crate) use store::{Bucket, Reads};

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
    /// What it works with.
    pub(crate) context: Context,
    /// Asks it to stop.
    pub(crate) stop: Stop,
    /// What it does not break off in the middle.
    pub(crate) holds: Holds,
    /// What it does without a cluster.
    tools: backup::Tools,
    told: Told,
}

/// What a process tells of volumes: `shop/files: snapshot started`.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Volume { claim, state } = event {
            self.lines().push(format!("{claim}: {state}"));
        }
    }
}

impl Told {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time of day, which stands still.
pub(crate) fn now() -> Clock {
    Clock::Fixed(Timestamp::from_second(1_772_330_400).unwrap())
}

/// The same an hour later, so that one report cannot pass for another.
pub(crate) fn later() -> Clock {
    Clock::Fixed(Timestamp::from_second(1_772_334_000).unwrap())
}

/// The result of a backup.
pub(crate) type BackupResult = Result<BackupReport, backup::Error>;
/// The result of a deletion.
pub(crate) type DeleteResult = Result<DeleteReport, delete::Error>;
/// The result of an expiry.
pub(crate) type ExpireResult = Result<expire::Report, expire::Error>;
/// The result of finishing a backup.
pub(crate) type FinishResult = Result<backup::Finished, backup::Error>;
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
        let told = Told::default();
        let (stop, holds) = (Stop::default(), Holds::default());
        let tools = backup::Tools {
            store: self.store(&faults),
            snapshotters: Snapshotters::new(vec![Arc::new(self.snapshotter(&faults))]),
            observer: Arc::new(told.clone()),
            clock: later(),
            holds: holds.clone(),
        };
        let context = Context {
            cluster: self.cluster.connect(&faults).heeding(&stop),
            store: tools.store.clone(),
            local_records: None,
            snapshotters: tools.snapshotters.clone(),
            observer: Arc::clone(&tools.observer),
            clock: now(),
            holds: holds.clone(),
            limits: Limits::default(),
            stop: stop.clone(),
        };
        Process { engine: Engine::new(context.clone()), context, faults, stop, holds, tools, told }
    }

    /// The bucket, to look into.
    pub(crate) fn backups(&self) -> BackupStore {
        self.store(&Faults::new(Script::Sound))
    }

    /// The cloud as a process with these faults reaches it.
    pub(crate) fn snapshotter(&self, faults: &Faults) -> FakeSnapshotter {
        FakeSnapshotter { cloud: self.cloud.clone(), faults: faults.clone() }
    }

    /// The bucket as a process with these faults reaches it.
    pub(crate) fn store(&self, faults: &Faults) -> BackupStore {
        let store = FaultyStore { bucket: self.bucket.clone(), faults: faults.clone() };
        BackupStore::new(Arc::new(store), "memory://bucket")
    }

    /// Makes a backup while nothing fails.
    pub(crate) async fn back_up(&self, request: &backup::Request) -> BackupResult {
        self.start(Script::Sound).engine.create_backup(request).await
    }

    /// Deletes a backup while nothing fails.
    pub(crate) async fn delete(&self, name: &str) -> DeleteResult {
        self.start(Script::Sound).delete(name).await.unwrap()
    }

    /// Deletes a backup of which no snapshot can be seen, while nothing fails.
    pub(crate) async fn delete_without_snapshots(&self, name: &str) -> DeleteResult {
        let request = delete::Request { name, uid: None, ignore_missing_snapshots: true };
        self.start(Script::Sound).engine.delete_backup(request).await
    }

    /// Expires all backups while nothing fails.
    pub(crate) async fn expire(&self) -> expire::Report {
        self.start(Script::Sound).expire(&expire::Request::default()).await.unwrap().unwrap()
    }

    /// Finishes the backup while nothing fails.
    pub(crate) async fn finish(&self) -> FinishResult {
        self.start(Script::Sound).finish().await.unwrap()
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

    /// Finishes the backup; none if the process was killed meanwhile.
    pub(crate) async fn finish(&self) -> Option<FinishResult> {
        self.until_killed(backup::finish(&self.tools, "nightly")).await
    }

    /// The same process on a machine that has no snapshotters.
    pub(crate) fn without_snapshotters(mut self) -> Self {
        self.tools.snapshotters = Snapshotters::default();
        self
    }

    /// The same process on a machine with another clock, as far as it needs no cluster.
    pub(crate) fn with_clock(mut self, clock: Clock) -> Self {
        self.tools.clock = clock;
        self
    }

    /// What it told of volumes.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lines().clone()
    }

    /// Restores; none if the process was killed meanwhile.
    pub(crate) async fn restore(&self, request: &restore::Request) -> Option<RestoreResult> {
        self.until_killed(self.engine.create_restore(request)).await
    }

    /// Deletes a backup; none if the process was killed meanwhile.
    pub(crate) async fn delete(&self, name: &str) -> Option<DeleteResult> {
        let request = delete::Request { name, uid: None, ignore_missing_snapshots: false };
        self.until_killed(self.engine.delete_backup(request)).await
    }

    /// Expires backups; none if the process was killed meanwhile.
    pub(crate) async fn expire(&self, request: &expire::Request) -> Option<ExpireResult> {
        self.until_killed(expire::expire(&self.tools, request)).await
    }

    /// Carries something out; none if the process was killed meanwhile.
    pub(crate) async fn until_killed<T>(&self, run: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.faults.killed() => None,
            done = run => Some(done),
        }
    }
}

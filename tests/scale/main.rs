//! What backups and restores of many objects take, counted: no time is measured.
//!
//! One test at a time, in a process of their own: what is counted is all that the process does.
#![expect(clippy::unwrap_used, reason = "test code: it fails by panicking")]

mod archive;
mod cluster;
mod faults;
mod heap;
mod memory;
mod objects;
mod odd;
mod server;
mod slow_store;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bowline::engine::clock::Clock;
use bowline::engine::cluster::Cluster;
use bowline::engine::context::{Context, Limits, Snapshotters};
use bowline::engine::event::Silent;
use bowline::engine::model::restore::RestoreSpec;
use bowline::engine::model::selector::Selectors;
use bowline::engine::run::Engine;
use bowline::engine::store::BackupStore;
use bowline::engine::{backup, report::Phase, restore};
use bowline_api::ObjectStore;
use bowline_local::DirectoryStore;

use cluster::ApiServer;
use heap::{Count, Needed};

/// The larger number of objects, and a smaller one: the difference is what objects take.
const MANY: usize = 20_000;
const FEWER: usize = 5_000;

/// Held by every test.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What one run took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    needed: Needed,
    requests: u64,
}

/// What a run took for each object beyond what it takes anyway.
#[derive(Clone, Copy, Debug)]
struct PerObject {
    allocations: f64,
    /// Of the most that was held at once.
    bytes: f64,
    requests: f64,
}

impl PerObject {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn of(fewer: Cost, many: Cost) -> Self {
        let each = |fewer: u64, many: u64| (many as f64 - fewer as f64) / (MANY - FEWER) as f64;
        Self {
            allocations: each(fewer.needed.allocations, many.needed.allocations),
            bytes: each(fewer.needed.peak, many.needed.peak),
            requests: each(fewer.requests, many.requests),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_take_few_allocations_little_memory_and_one_request_each() {
    let _alone = ALONE.lock().await;
    let [(backup_of_fewer, restore_of_fewer), (backup_of_many, restore_of_many)] =
        [costs(FEWER).await, costs(MANY).await];
    let backup = PerObject::of(backup_of_fewer, backup_of_many);
    let restore = PerObject::of(restore_of_fewer, restore_of_many);
    let told = format!("{backup_of_many:?} {restore_of_many:?} {backup:?} {restore:?}");

    assert!(backup_of_many.needed.peak < 40 << 20, "{told}");
    assert!(backup.bytes < 64.0, "{told}");
    assert!(backup.allocations < 120.0, "{told}");
    assert!(backup.requests < 0.005, "{told}");

    assert!(restore_of_many.needed.peak < 40 << 20, "{told}");
    assert!(restore.bytes < 128.0, "{told}");
    assert!(restore.allocations < 600.0, "{told}");
    assert!(restore.requests <= 1.0, "{told}");
}

/// What a backup of so many objects takes, and its restore.
async fn costs(objects: usize) -> (Cost, Cost) {
    let directory = tempfile::tempdir().unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(DirectoryStore::new(directory.path().to_owned()));
    let (east, west) = (ApiServer::with(objects), ApiServer::with(0));

    let request = backup::Request { name: "all".to_owned(), ..backup::Request::default() };
    let process = Process::start(&east, &store);
    let report = process.engine.create_backup(&request).await.unwrap();
    let backup = process.end();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);

    let request = restore_request();
    let process = Process::start(&west, &store);
    let report = process.engine.create_restore(&request).await.unwrap();
    let restore = process.end();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(report.items.created, (objects + cluster::NAMESPACES) as u64);
    assert_eq!(west.made(), report.items.created, "nothing is made that is there");
    assert_eq!(report.follow_ups, 0);
    (backup, restore)
}

/// What works on a cluster and a store, as by default.
fn engine(cluster: Cluster, store: &Arc<dyn ObjectStore>) -> Engine {
    Engine::new(Context {
        cluster,
        store: BackupStore::new(Arc::clone(store), "file:///backups"),
        local_records: None,
        snapshotters: Snapshotters::default(),
        observer: Arc::new(Silent),
        clock: Clock::System,
        holds: <_>::default(),
        limits: Limits::default(),
        stop: <_>::default(),
    })
}

fn restore_request() -> restore::Request {
    restore::Request {
        name: "all".to_owned(),
        labels: <_>::default(),
        annotations: <_>::default(),
        spec: RestoreSpec { backup_name: "all".to_owned(), ..RestoreSpec::default() },
        selectors: Selectors::default(),
        ready_timeout: Duration::ZERO,
        terminating_timeout: Duration::ZERO,
        options: <_>::default(),
        start: <_>::default(),
    }
}

/// A run of bowline, and what it has taken.
struct Process {
    engine: Engine,
    requests: Arc<AtomicU64>,
    count: Count,
}

impl Process {
    fn start(server: &ApiServer, store: &Arc<dyn ObjectStore>) -> Self {
        let requests = Arc::<AtomicU64>::default();
        let engine = engine(server.connect(&requests), store);
        Self { engine, requests, count: Count::start() }
    }

    fn end(self) -> Cost {
        Cost { needed: self.count.stop(), requests: self.requests.load(Relaxed) }
    }
}

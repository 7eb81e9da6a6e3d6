//! Every implementation runs the suites, and the suites notice what is wrong.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use bowline_api::contract;
use bowline_local::{DirectoryStore, MemoryStore};
use futures::FutureExt as _;

use crate::faulty_snapshotter::{self, FaultyFixture};
use crate::faulty_store::{self, FaultyStore};
use crate::snapshotter_fixture::LocalFixture;

#[tokio::test]
async fn the_directory_store_conforms() {
    let temp = tempfile::tempdir().unwrap();
    let number = AtomicU32::new(0);
    contract::object_store(|| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let root: PathBuf = temp.path().join(number.to_string()).join("root");
        async move { DirectoryStore::new(root) }
    })
    .await;
}

#[tokio::test]
async fn the_memory_store_conforms() {
    contract::object_store(|| async { MemoryStore::new() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_snapshotter_conforms() {
    contract::volume_snapshotter(&LocalFixture::new()).await;
}

/// A suite that lets a broken store pass is worth nothing.
#[tokio::test]
async fn the_store_suite_notices_every_fault() {
    for fault in faulty_store::Fault::ALL {
        let run = contract::object_store(|| async { FaultyStore::new(*fault) });
        assert!(AssertUnwindSafe(run).catch_unwind().await.is_err(), "{fault:?} went unnoticed");
    }
}

#[tokio::test]
async fn the_snapshotter_suite_notices_every_fault() {
    for fault in faulty_snapshotter::Fault::ALL {
        let fixture = FaultyFixture::new(*fault);
        let run = contract::volume_snapshotter(&fixture);
        assert!(AssertUnwindSafe(run).catch_unwind().await.is_err(), "{fault:?} went unnoticed");
    }
}

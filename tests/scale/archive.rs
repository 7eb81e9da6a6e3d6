//! A backup and its restore, and what is in the archive.

use std::path::Path;
use std::sync::Arc;

use bowline::engine::backup;
use bowline::engine::cluster::Cluster;
use bowline::engine::model::backup::BackupSpec;
use bowline::engine::report::{BackupReport, Phase, RestoreReport};
use bowline_api::ObjectStore;
use bowline_local::DirectoryStore;
use flate2::read::MultiGzDecoder;
use tempfile::TempDir;

use crate::heap::Count;
use crate::server::Server;
use crate::slow_store::SlowStore;
use crate::{engine, restore_request};

/// A location of its own.
pub(crate) struct Location {
    directory: TempDir,
    store: Arc<dyn ObjectStore>,
}

impl Location {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(DirectoryStore::new(directory.path().to_owned()));
        Self { directory, store }
    }

    /// It takes minutes for what is uploaded from now on.
    pub(crate) fn slow(self) -> Self {
        Self { store: Arc::new(SlowStore(self.store)), ..self }
    }

    /// Makes a backup of all; tells the most bytes that were held at once, too.
    pub(crate) async fn back_up(&self, cluster: Cluster) -> (BackupReport, u64) {
        self.back_up_some(cluster, BackupSpec::default()).await
    }

    /// Makes a backup as asked for; tells the most bytes that were held at once, too.
    pub(crate) async fn back_up_some(
        &self,
        cluster: Cluster,
        spec: BackupSpec,
    ) -> (BackupReport, u64) {
        let engine = engine(cluster, &self.store);
        let count = Count::start();
        let request = backup::Request { name: "all".to_owned(), spec, ..<_>::default() };
        let report = engine.create_backup(&request).await.unwrap();
        (report, count.stop().peak)
    }

    /// Restores all; tells the most bytes that were held at once, too.
    pub(crate) async fn restore(&self, cluster: Cluster) -> (RestoreReport, u64) {
        let engine = engine(cluster, &self.store);
        let count = Count::start();
        let report = engine.create_restore(&restore_request()).await.unwrap();
        (report, count.stop().peak)
    }

    /// The objects in the archive, below `resources/`, sorted.
    pub(crate) fn archived(&self) -> Vec<String> {
        archived(&self.directory.path().join("backups/all/all.tar.gz"))
    }

    /// Makes a backup in which every object is, exactly once.
    pub(crate) async fn back_up_whole(&self, server: &Server, cluster: Cluster) -> u64 {
        let (report, peak) = self.back_up(cluster).await;
        assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        self.holds_each_once(server);
        assert_eq!(report.items, self.archived().len() as u64 + 1, "with kube-system");
        peak
    }

    /// Checks that every object that was there all the time is in the archive, and none twice.
    #[track_caller]
    pub(crate) fn holds_each_once(&self, server: &Server) {
        let archived = self.archived();
        let twice = archived.windows(2).find(|it| it[0] == it[1]);
        assert_eq!(twice, None);
        let mut expected = server.archived();
        let lost = |path: &String| archived.binary_search(path).is_err();
        expected.retain(lost);
        assert!(expected.is_empty(), "{} are lost: {}", expected.len(), expected[0]);
    }

    /// Restores into an empty cluster, where every object is made, exactly once.
    pub(crate) async fn restore_whole(&self, server: &Server, cluster: Cluster) -> u64 {
        let (report, peak) = self.restore(cluster).await;
        assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        assert_eq!(server.made(), self.archived().len());
        assert_eq!(report.items.created, server.made() as u64, "{:?}", report.items);
        peak
    }
}

fn archived(file: &Path) -> Vec<String> {
    let mut archive = tar::Archive::new(MultiGzDecoder::new(std::fs::File::open(file).unwrap()));
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        String::from_utf8(entry.path_bytes().into_owned()).unwrap()
    });
    // Each object is there in its version, too, below a directory named for that.
    let paths = entries.filter_map(|path| path.strip_prefix("resources/").map(str::to_owned));
    let first = paths.filter(|path| !path.contains("-preferredversion/"));
    let mut all: Vec<String> = first.filter(|it| !it.ends_with("/kube-system.json")).collect();
    all.sort_unstable();
    all
}

//! A sandboxed machine with a location, and what its commands print.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bowline::engine::model::digest;
use bowline::engine::store::Digest;
use bowline_testkit::{Bowline, Output};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/format/fixtures/velero");

/// A machine without a cluster; its location is empty.
pub(crate) struct Site {
    pub(crate) bowline: Bowline,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self { bowline: Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap() }
    }

    /// The same machine with another variable.
    pub(crate) fn env(&self, name: &str, value: &str) -> Self {
        Self { bowline: self.bowline.clone().env(name, value) }
    }

    /// Runs a command, words apart by spaces; tells all that it left behind, as a person sees it.
    pub(crate) async fn run(&self, line: &str) -> String {
        self.run_words(&line.split(' ').collect::<Vec<_>>()).await
    }

    /// Runs a command; tells all that it left behind.
    pub(crate) async fn run_words(&self, words: &[&str]) -> String {
        self.shown(&self.bowline.run(words).await.unwrap())
    }

    /// What a command left behind, without what differs from run to run.
    pub(crate) fn shown(&self, Output { code, stdout, stderr }: &Output) -> String {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let streams = [("stdout", stdout), ("stderr", stderr)];
        let told = streams.into_iter().filter(|(_, text)| !text.is_empty());
        let told = told.map(|(name, text)| format!("--- {name}\n{}", self.lasting(text)));
        format!("exit code: {code}\n{}", told.collect::<Vec<_>>().concat())
    }

    /// The text without the sandbox's path.
    pub(crate) fn lasting(&self, text: &str) -> String {
        text.replace(&self.bowline.home().display().to_string(), "/HOME")
    }

    /// A path below the location.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.bowline.location().join(below)
    }

    /// Writes a file of the location.
    pub(crate) fn write(&self, below: &str, content: impl AsRef<[u8]>) {
        write(&self.path(below), content);
    }

    /// Copies a backup that a real Velero wrote.
    pub(crate) fn add_velero_backup(&self, name: &str) {
        let from = Path::new(FIXTURES).join(name);
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let below = format!("backups/{name}/{}", entry.file_name().display());
            self.write(&below, fs::read(entry.path()).unwrap());
        }
    }

    /// Makes a backup of Velero's look like one of ours: its document vouches for all its files.
    pub(crate) fn vouch_for(&self, name: &str) {
        let directory = self.path(&format!("backups/{name}"));
        let document = directory.join("velero-backup.json");
        let mut files = serde_json::Map::new();
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            if entry.path() != document {
                let digest = Digest::of(&fs::read(entry.path()).unwrap());
                files.insert(entry.file_name().display().to_string(), json!(digest));
            }
        }
        let archive = files[&format!("{name}.tar.gz")]["sha256"].clone();
        let digests = json!({"files": files}).to_string();
        let mut backup: Value = serde_json::from_slice(&fs::read(&document).unwrap()).unwrap();
        let annotations = &mut backup["metadata"]["annotations"];
        annotations["bowline.io/version"] = json!("0.1.0");
        annotations["bowline.io/archive-sha256"] = archive;
        annotations["bowline.io/digests-sha256"] = json!(Digest::of(digests.as_bytes()).sha256);
        write(&directory.join("bowline-digests.json"), digests);
        write(&document, backup.to_string());
    }

    /// Changes one byte of a file of the location.
    pub(crate) fn flip(&self, below: &str, at: usize) {
        let mut content = fs::read(self.path(below)).unwrap();
        content[at] ^= 1;
        self.write(below, content);
    }

    /// Moves a backup's times, so that it began 3 days and 4 hours ago and expires in 30 days.
    pub(crate) fn make_recent(&self, name: &str) {
        let below = format!("backups/{name}/velero-backup.json");
        let mut document: Value =
            serde_json::from_slice(&fs::read(self.path(&below)).unwrap()).unwrap();
        document["status"]["startTimestamp"] = json!(from_now(-3 * 24 - 4));
        document["status"]["expiration"] = json!(from_now(30 * 24));
        self.write(&below, document.to_string());
    }

    /// Writes what a backup leaves that was begun then and killed at once.
    pub(crate) fn add_attempt(&self, name: &str, start: &str) {
        let attempt = json!({
            "name": name, "uid": "3c1b6f0e-0000-4000-8000-000000000001",
            "clusterUID": "7a0f6a52-0000-4000-8000-000000000002", "version": "0.1.0",
            "startTimestamp": start,
        });
        self.write(&format!("backups/{name}/bowline-attempt.json"), attempt.to_string());
    }

    /// Writes the records of a restore: what was asked, and what came of it, if anything.
    pub(crate) fn add_restore(&self, name: &str, result: Option<&Value>) {
        add_restore_to(&self.path(""), name, result);
    }

    /// Writes the records of a restore whose location took none.
    pub(crate) fn add_local_restore(&self, name: &str, result: Option<&Value>) {
        add_restore_to(&self.local_records(), name, result);
    }

    /// Where the records of this location's restores are that it did not take.
    pub(crate) fn local_records(&self) -> PathBuf {
        let url = format!("file://{}", self.bowline.location().display());
        let place = digest::short(&url, 32);
        self.bowline.home().join(".local/state/bowline/locations").join(place)
    }

    /// A kubeconfig with the contexts `east`, the current one, and `west`, both of this server.
    pub(crate) fn with_server(&self, url: &str) -> Self {
        let clusters = json!([{"name": "there", "cluster": {"server": url}}]);
        let context = json!({"cluster": "there", "user": "me"});
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "east", "clusters": clusters,
            "users": [{"name": "me", "user": {"token": "x"}}],
            "contexts": [{"name": "east", "context": context}, {"name": "west", "context": context}],
        });
        let path = self.bowline.home().join("kubeconfig");
        write(&path, config.to_string());
        self.env("KUBECONFIG", &path.display().to_string())
    }

    /// Whether anything was written below the location.
    pub(crate) fn is_untouched(&self) -> bool {
        fs::read_dir(self.bowline.location()).unwrap().next().is_none()
    }
}

fn add_restore_to(root: &Path, name: &str, result: Option<&Value>) {
    let directory = root.join("restores").join(name);
    let record = json!({
        "name": name, "uid": "51c2b244-0000-4000-8000-000000000003",
        "backupUID": "99038808-0000-4000-8000-000000000004",
        "clusterUID": "7a0f6a52-0000-4000-8000-000000000002", "version": "0.1.0",
        "startTimestamp": from_now(-3 * 24 - 4),
        "spec": {"backupName": "nightly", "namespaceMapping": {"shop": "shop-copy"}},
    });
    write(&directory.join("bowline-restore.json"), record.to_string());
    if let Some(result) = result {
        write(&directory.join("bowline-result.json"), result.to_string());
    }
}

/// The result of a restore in which one volume failed.
pub(crate) fn partly_failed(name: &str) -> Value {
    json!({
        "name": name, "uid": "51c2b244-0000-4000-8000-000000000003", "backup": "nightly",
        "phase": "PartiallyFailed",
        "items": {"planned": 40, "created": 29, "updated": 0, "unchanged": 1, "skipped": 9, "failed": 1},
        "volumes": [
            {"namespace": "shop-copy", "claim": "data-0", "persistentVolume": "bowline-1",
             "snapshotId": "local-1", "volumeId": "/volumes/1", "state": "bound"},
            {"namespace": "shop-copy", "claim": "data-1", "persistentVolume": null,
             "snapshotId": "local-2", "volumeId": null, "state": "failed"},
        ],
        "warnings": [],
        "errors": [{
            "scope": "namespace", "resource": "persistentvolumeclaims", "namespace": "shop-copy",
            "name": "data-1", "operation": "create", "status": null,
            "message": "snapshot local-2 does not exist", "hint": "the claim stays Pending",
        }],
        "startTimestamp": "2026-03-01T02:00:00Z", "completionTimestamp": "2026-03-01T02:05:00Z",
    })
}

/// A time so many hours from now, and half an hour more: the hours do not pass under a test.
#[expect(clippy::disallowed_methods, reason = "ages are counted from the machine's clock")]
pub(crate) fn from_now(hours: i64) -> String {
    let minutes = hours * 60 + 30 * hours.signum();
    let time = Timestamp::now() + SignedDuration::from_mins(minutes);
    Timestamp::from_second(time.as_second()).unwrap().to_string()
}

/// A document as the files beside an archive have it.
pub(crate) fn packed(document: &Value) -> Vec<u8> {
    gz(&document.to_string())
}

/// Text as a location keeps it.
pub(crate) fn gz(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

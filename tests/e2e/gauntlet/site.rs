//! Clusters and a bowline, and the few words that the cases share.

use std::io::Write as _;
use std::time::Duration;

use bowline_testkit::cache::RunDir;
use bowline_testkit::control_plane::Options;
use bowline_testkit::{Bowline, ControlPlane, Output, wait};
use serde_json::Value;

/// How long something may take to come about that takes seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// A cluster to back up, a fresh one beside it, and a location; the volumes of both lie side by side.
pub(super) struct Site {
    pub(super) east: ControlPlane,
    pub(super) west: ControlPlane,
    pub(super) bowline: Bowline,
    _disks: RunDir,
}

impl Site {
    pub(super) async fn start() -> Self {
        let disks = RunDir::create("disks").unwrap();
        let volumes = Some(disks.path().join("volumes"));
        let east = Options { volumes: volumes.clone(), ..Options::new("east") };
        let west = Options { volumes, storage_class: false, ..Options::new("west") };
        let starting = (ControlPlane::start_with(east), ControlPlane::start_with(west));
        let (east, west) = tokio::try_join!(starting.0, starting.1).unwrap();
        Self { east, west, bowline: bowline(), _disks: disks }
    }

    /// Backs up `east`; it must be `Completed`.
    pub(super) async fn back_up(&self, arguments: &[&str]) -> Value {
        report(&run(&self.bowline, &self.east, "backup create -o=json", arguments).await, 0)
    }

    /// Restores into `west`; it must be `Completed`.
    pub(super) async fn restore(&self, arguments: &[&str]) -> Value {
        report(&self.try_restore(arguments).await, 0)
    }

    /// Restores into `west`, whatever comes of it.
    pub(super) async fn try_restore(&self, arguments: &[&str]) -> Output {
        run(&self.bowline, &self.west, "restore create -o=json", arguments).await
    }
}

/// A bowline with a location of its own.
pub(super) fn bowline() -> Bowline {
    Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap()
}

/// Runs a command (its words in one text, then more) against a cluster.
pub(super) async fn run(
    bowline: &Bowline,
    cluster: &ControlPlane,
    command: &str,
    more: &[&str],
) -> Output {
    let words: Vec<&str> = command.split(' ').chain(more.iter().copied()).collect();
    bowline.on(cluster).run(&words).await.unwrap()
}

/// The document of a run that must have ended with this exit code.
#[track_caller]
pub(super) fn report(output: &Output, code: i32) -> Value {
    assert_eq!(output.code, Some(code), "{}{}", output.stdout, output.stderr);
    output.json()
}

/// Applies objects, as `kubectl apply` does.
pub(super) async fn apply(cluster: &ControlPlane, objects: &[Value]) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
    file.write_all(list.to_string().as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    kubectl(cluster, &["apply", "--filename", path]).await;
}

/// Runs `kubectl`, which must succeed; gives back what it printed.
pub(super) async fn kubectl(cluster: &ControlPlane, arguments: &[&str]) -> String {
    let output = cluster.kubectl(arguments).await.unwrap();
    assert_eq!(output.code, Some(0), "{arguments:?}: {}", output.stderr);
    output.stdout
}

/// Reads one object with `kubectl get`: `["configmap", "x", "-n", "shop"]`.
pub(super) async fn get(cluster: &ControlPlane, what: &[&str]) -> Value {
    let text = kubectl(cluster, &[&["get", "-o=json"], what].concat()).await;
    serde_json::from_str(&text).unwrap()
}

/// Waits until an object is there and as it should be.
pub(super) async fn wait_for(
    cluster: &ControlPlane,
    what: &[&str],
    holds: fn(&Value) -> bool,
) -> Value {
    wait::until(&format!("{what:?} is as it should be"), PATIENCE, async || {
        let output = cluster.kubectl(&[&["get", "-o=json"], what].concat()).await?;
        let object = (output.code == Some(0)).then(|| output.json());
        Ok(object.filter(holds))
    })
    .await
    .unwrap()
}

//! A stand-in for a dynamic provisioner: it makes host path volumes for the class `standard`.
//!
//! It runs in every cluster, so that a test can tell a volume that was restored from an empty one
//! that somebody had made.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// The storage class that it serves.
pub const CLASS: &str = "standard";
/// The name that classes and annotations know it by.
pub const NAME: &str = "testkit.bowline.test/hostpath";

const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const INTERVAL: Duration = Duration::from_millis(150);
const PASS: Duration = Duration::from_secs(10);

/// A volume that was made for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// The claim, as `namespace/name`.
    pub claim: String,
    /// The volume's object.
    pub persistent_volume: String,
    /// The volume's directory.
    pub path: PathBuf,
}

/// A thread of the harness with a runtime of its own, so that it outlives the test that started it
/// where a cluster is shared by several.
#[derive(Debug)]
pub(crate) struct Provisioner {
    made: Arc<Mutex<Vec<Provisioned>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Provisioner {
    /// Starts serving a cluster, with volumes below a directory.
    pub(crate) fn start(kubeconfig: &Path, volumes: &Path) -> Result<Self> {
        fs::create_dir_all(volumes)?;
        let made = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let worker = Worker { volumes: volumes.to_owned(), made: Arc::clone(&made) };
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("provisioner".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    result = worker.serve(kubeconfig) => {
                        result.unwrap_or_else(|error| eprintln!("provisioner: {error:#}"));
                    }
                }
            });
        })?;
        Ok(Self { made, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn provisioned(&self) -> Vec<Provisioned> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Provisioner {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

#[derive(Debug)]
struct Worker {
    volumes: PathBuf,
    made: Arc<Mutex<Vec<Provisioned>>>,
}

impl Worker {
    async fn serve(&self, kubeconfig: Kubeconfig) -> Result<()> {
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config)?;
        loop {
            // A test may stop the API server: a pass that fails or hangs is simply repeated.
            timeout(PASS, self.pass(&client)).await.ok();
            sleep(INTERVAL).await;
        }
    }

    /// Serves every claim that waits for us and removes every volume that is to be removed.
    async fn pass(&self, client: &Client) -> Result<()> {
        let from_cache = ListParams::default().match_any();
        let claims = Api::<PersistentVolumeClaim>::all(client.clone()).list(&from_cache).await?;
        for claim in claims.items.iter().filter(|claim| waits_for_us(claim)) {
            self.provision(client, claim).await?;
        }
        let volumes = Api::<PersistentVolume>::all(client.clone());
        for volume in volumes.list(&from_cache).await?.items.iter().filter(|pv| is_disposable(pv)) {
            fs::remove_dir_all(host_path(volume).context("not a host path")?).ok();
            volumes.delete(&volume.name_any(), &DeleteParams::default()).await?;
        }
        Ok(())
    }

    async fn provision(&self, client: &Client, claim: &PersistentVolumeClaim) -> Result<()> {
        let name = format!("pvc-{}", claim.uid().context("a claim without uid")?);
        let node = claim.annotations().get(SELECTED_NODE).context("no node")?;
        let node = Api::<Node>::all(client.clone()).get(node).await?;
        let path = self.volumes.join(&name);
        let volume = serde_json::from_value(persistent_volume(&name, &path, claim, &node))?;
        fs::create_dir_all(&path)?;
        let volumes = Api::<PersistentVolume>::all(client.clone());
        match volumes.create(&PostParams::default(), &volume).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => return Ok(()),
            result => result?,
        };
        let claim = format!("{}/{}", claim.namespace().unwrap_or_default(), claim.name_any());
        let provisioned = Provisioned { claim, persistent_volume: name, path };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(provisioned);
        Ok(())
    }
}

/// The trigger of real provisioners: the scheduler has picked a node, then the controller manager
/// has named the provisioner; a claim that names its volume gets neither.
fn waits_for_us(claim: &PersistentVolumeClaim) -> bool {
    let named = claim.spec.iter().any(|spec| spec.volume_name.is_some());
    let ours = claim.annotations().get(STORAGE_PROVISIONER).is_some_and(|name| name == NAME);
    !named && ours && claim.annotations().contains_key(SELECTED_NODE)
}

/// Whether a volume of ours lost its claim and is to be deleted then.
fn is_disposable(volume: &PersistentVolume) -> bool {
    let ours = volume.annotations().get(PROVISIONED_BY).is_some_and(|name| name == NAME);
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    let policy =
        volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    ours && phase == Some("Released") && policy == Some("Delete")
}

/// The directory of a host path volume.
pub(crate) fn host_path(volume: &PersistentVolume) -> Option<PathBuf> {
    Some(volume.spec.as_ref()?.host_path.as_ref()?.path.clone().into())
}

fn persistent_volume(name: &str, path: &Path, claim: &PersistentVolumeClaim, node: &Node) -> Value {
    let spec = claim.spec.clone().unwrap_or_default();
    json!({
        "metadata": { "name": name, "annotations": { PROVISIONED_BY: NAME } },
        "spec": {
            "capacity": spec.resources.and_then(|resources| resources.requests),
            "accessModes": spec.access_modes,
            "volumeMode": spec.volume_mode,
            "storageClassName": spec.storage_class_name,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": { "path": path, "type": "DirectoryOrCreate" },
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.metadata.namespace,
                "name": claim.metadata.name,
                "uid": claim.metadata.uid,
            },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [
                { "matchExpressions": affinity(node) },
            ] } },
        },
    })
}

/// Ties a volume to the zone and the host of the node.
fn affinity(node: &Node) -> Vec<Value> {
    let labels = ["topology.kubernetes.io/zone", "kubernetes.io/hostname"];
    let here = labels.into_iter().filter_map(|key| Some((key, node.labels().get(key)?)));
    here.map(|(key, value)| json!({ "key": key, "operator": "In", "values": [value] })).collect()
}

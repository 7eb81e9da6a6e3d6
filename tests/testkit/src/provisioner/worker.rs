//! What every provisioner does, whatever its volumes are.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::objects::PROVISIONED_BY;
use super::{ebs, host_path};
use crate::background::Background;
use crate::cloud::Ec2;

/// The storage class that every cluster to back up has.
pub const CLASS: &str = "standard";

const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const INTERVAL: Duration = Duration::from_millis(150);
const PASS: Duration = Duration::from_secs(10);

/// What the volumes of a cluster are.
#[derive(Debug, Clone, Default)]
pub enum Storage {
    /// Directories of this host.
    #[default]
    HostPath,
    /// EBS volumes, made by this client; the zone of the cluster's node must be of its region.
    Ebs(Ec2),
}

impl Storage {
    /// The name that classes and annotations know the provisioner by.
    pub(crate) fn provisioner(&self) -> &'static str {
        match self {
            Self::HostPath => host_path::NAME,
            Self::Ebs(_) => ebs::DRIVER,
        }
    }
}

/// A volume that was made for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// The claim, as `namespace/name`.
    pub claim: String,
    /// The volume's object.
    pub persistent_volume: String,
    /// The volume itself: its directory, or its id in EC2.
    pub volume: String,
}

/// A claim that waits for a volume, and what that depends on.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) claim: PersistentVolumeClaim,
    pub(super) class: StorageClass,
    pub(super) node: Node,
    /// What the volume's object is to be called.
    pub(super) name: String,
}

/// A thread of the harness that serves one cluster.
#[derive(Debug)]
pub(crate) struct Provisioner {
    made: Arc<Mutex<Vec<Provisioned>>>,
    _background: Background,
}

impl Provisioner {
    /// Starts serving a cluster, with volumes below a directory where they are directories.
    pub(crate) fn start(kubeconfig: &Path, storage: Storage, volumes: &Path) -> Result<Self> {
        std::fs::create_dir_all(volumes)?;
        let made = Arc::new(Mutex::new(Vec::new()));
        let volumes = volumes.to_owned();
        let worker = Worker { storage, volumes, made: Arc::clone(&made) };
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let serve = move || async move { worker.serve(kubeconfig).await };
        Ok(Self { made, _background: Background::start("provisioner", serve)? })
    }

    pub(crate) fn provisioned(&self) -> Vec<Provisioned> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug)]
struct Worker {
    storage: Storage,
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
        let name = self.storage.provisioner();
        let from_cache = ListParams::default().match_any();
        let claims = Api::<PersistentVolumeClaim>::all(client.clone()).list(&from_cache).await?;
        for claim in claims.items.into_iter().filter(|claim| waits_for(claim, name)) {
            self.provision(client, claim).await?;
        }
        let volumes = Api::<PersistentVolume>::all(client.clone());
        let all = volumes.list(&from_cache).await?.items;
        for volume in all.iter().filter(|volume| is_disposable(volume, name)) {
            match &self.storage {
                Storage::HostPath => host_path::remove(volume)?,
                Storage::Ebs(ec2) => ebs::remove(ec2, volume).await?,
            }
            volumes.delete(&volume.name_any(), &DeleteParams::default()).await?;
        }
        Ok(())
    }

    async fn provision(&self, client: &Client, claim: PersistentVolumeClaim) -> Result<()> {
        let order = order(client, claim).await?;
        let volumes = Api::<PersistentVolume>::all(client.clone());
        if volumes.get_opt(&order.name).await?.is_some() {
            return Ok(());
        }
        let (volume, object) = self.make(&order).await?;
        match volumes.create(&PostParams::default(), &serde_json::from_value(object)?).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => return Ok(()),
            result => result?,
        };
        let namespace = order.claim.namespace().unwrap_or_default();
        let claim = format!("{namespace}/{}", order.claim.name_any());
        let provisioned = Provisioned { claim, persistent_volume: order.name, volume };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(provisioned);
        Ok(())
    }

    /// Makes the volume; returns what it is called, and its object.
    async fn make(&self, order: &Order) -> Result<(String, Value)> {
        match &self.storage {
            Storage::HostPath => host_path::make(&self.volumes, order),
            Storage::Ebs(ec2) => ebs::make(ec2, order).await,
        }
    }
}

async fn order(client: &Client, claim: PersistentVolumeClaim) -> Result<Order> {
    let name = format!("pvc-{}", claim.uid().context("a claim without uid")?);
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    let class = class.context("a claim without class")?;
    let class = Api::<StorageClass>::all(client.clone()).get(class).await?;
    let node = claim.annotations().get(SELECTED_NODE).context("no node")?;
    let node = Api::<Node>::all(client.clone()).get(node).await?;
    Ok(Order { claim, class, node, name })
}

/// The trigger of real provisioners: the scheduler has picked a node, then the controller manager
/// has named the provisioner; a claim that names its volume gets neither.
fn waits_for(claim: &PersistentVolumeClaim, provisioner: &str) -> bool {
    let named = claim.spec.iter().any(|spec| spec.volume_name.is_some());
    let annotations = claim.annotations();
    let ours = annotations.get(STORAGE_PROVISIONER).is_some_and(|name| name == provisioner);
    !named && ours && annotations.contains_key(SELECTED_NODE)
}

/// Whether a volume of the provisioner lost its claim and is to be deleted then.
fn is_disposable(volume: &PersistentVolume, provisioner: &str) -> bool {
    let annotations = volume.annotations();
    let ours = annotations.get(PROVISIONED_BY).is_some_and(|name| name == provisioner);
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    let policy =
        volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    ours && phase == Some("Released") && policy == Some("Delete")
}

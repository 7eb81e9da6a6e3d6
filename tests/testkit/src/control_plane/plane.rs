//! Starting a control plane, and what can be done with one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::process::Command;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::components::{Settings, kubeconfig};
use super::objects;
use crate::cache::RunDir;
use crate::certificates::Certificates;
use crate::cloud::Cloud;
use crate::output::Output;
use crate::process::{Process, Program};
use crate::provisioner::{Provisioned, Provisioner, Storage};
use crate::startup::{self, unless_ended};
use crate::{tools, wait};

/// How long a start may take on a busy machine; it usually takes five seconds.
const START: Duration = Duration::from_mins(2);
/// How long `kubectl` may take; some of its commands would wait for ever.
const KUBECTL: Duration = Duration::from_mins(2);

/// How a control plane differs from its siblings.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster's name, and its context's in the kubeconfig.
    pub name: String,
    /// The zone of its one node.
    pub zone: String,
    /// Whether the class `standard` exists.
    pub storage_class: bool,
    /// What the volumes of the class `standard` are.
    pub storage: Storage,
    /// Where volumes that are directories lie, if they are to outlive the cluster.
    pub volumes: Option<PathBuf>,
    /// Whether the API server writes down who asked for what; see [`ControlPlane::audit`].
    pub audit: bool,
}

impl Options {
    /// A cluster in `us-east-1a` that has the class `standard`, with directories as volumes.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            zone: "us-east-1a".to_owned(),
            storage_class: true,
            storage: Storage::default(),
            volumes: None,
            audit: false,
        }
    }
}

/// A running control plane with one Ready node; dropping it takes everything down.
#[derive(Debug)]
pub struct ControlPlane {
    provisioner: Provisioner,
    kwok: Process,
    scheduler: Process,
    controller_manager: Process,
    api_server: Process,
    etcd: Process,
    settings: Settings,
    volumes: PathBuf,
    run: RunDir,
}

impl ControlPlane {
    /// Starts a cluster that has the class `standard`, as one to back up.
    pub async fn start(name: &str) -> Result<Self> {
        Self::start_with(Options::new(name)).await
    }

    /// Starts a cluster without the class `standard`, as one to restore into.
    pub async fn start_fresh(name: &str) -> Result<Self> {
        Self::start_with(Options { storage_class: false, ..Options::new(name) }).await
    }

    /// Starts `east`, to back up, and `west`, fresh, at the same time.
    pub async fn start_pair() -> Result<(Self, Self)> {
        tokio::try_join!(Self::start("east"), Self::start_fresh("west"))
    }

    /// Starts `east` and `west` like [`Self::start_pair`], with volumes in EC2.
    pub async fn start_pair_in(cloud: &Cloud) -> Result<(Self, Self)> {
        let east = Options { storage: cloud.storage(), ..Options::new("east") };
        let west = Options { name: "west".to_owned(), storage_class: false, ..east.clone() };
        tokio::try_join!(Self::start_with(east), Self::start_with(west))
    }

    /// Starts a cluster; once more where another process took one of its ports.
    pub async fn start_with(options: Options) -> Result<Self> {
        let tools = spawn_blocking(tools::kubernetes).await??;
        startup::on_free_ports(async || Box::pin(Self::attempt(&options, tools.clone())).await)
            .await
    }

    async fn attempt(options: &Options, tools: tools::Kubernetes) -> Result<Self> {
        let run = RunDir::create(&options.name)?;
        let certificates = Certificates::generate()?;
        let settings = Settings::new(options, tools, run.path(), &certificates)?;
        let start = |program: Program| Process::start(program, run.path());
        let etcd = start(settings.etcd())?;
        let api_server = start(settings.api_server())?;
        let client = client(run.path()).await?;
        answering(&client, &[&etcd, &api_server]).await?;
        let controller_manager = start(settings.controller_manager())?;
        let scheduler = start(settings.scheduler())?;
        let kwok = start(settings.kwok())?;
        objects::create_node(&client, &options.name, &options.zone).await?;
        if let Storage::Ebs(_) = options.storage {
            objects::register_driver(&client, &options.name).await?;
        }
        if options.storage_class {
            objects::create_storage_class(&client, &options.storage).await?;
        }
        ready(&client, &options.name, &[&controller_manager, &scheduler, &kwok]).await?;
        let volumes = options.volumes.clone().unwrap_or_else(|| run.path().join("volumes"));
        let kubeconfig = run.path().join("kubeconfig");
        let provisioner = Provisioner::start(&kubeconfig, options.storage.clone(), &volumes)?;
        Ok(Self {
            provisioner,
            kwok,
            scheduler,
            controller_manager,
            api_server,
            etcd,
            settings,
            volumes,
            run,
        })
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The kubeconfig file, with one context that is named after the cluster.
    pub fn kubeconfig(&self) -> PathBuf {
        self.run.path().join("kubeconfig")
    }

    /// A client for the runtime that asks: one runtime's client is dead in another's.
    pub async fn client(&self) -> Result<Client> {
        client(self.run.path()).await
    }

    /// Where the API server listens.
    pub fn url(&self) -> String {
        self.settings.url()
    }

    /// Every request to the API server so far that has been answered: one event of
    /// `audit.k8s.io` a line.
    pub fn audit(&self) -> Result<String> {
        Ok(fs::read_to_string(self.settings.file("audit.log"))?)
    }

    /// The directory with the data, logs and volumes of this cluster.
    pub fn directory(&self) -> &Path {
        self.run.path()
    }

    /// Below it, each provisioned volume is a directory.
    pub fn volumes(&self) -> PathBuf {
        self.volumes.clone()
    }

    /// Every volume that the stand-in provisioner has made, for claims that nobody restored.
    pub fn provisioned(&self) -> Vec<Provisioned> {
        self.provisioner.provisioned()
    }

    /// etcd, to be paused, killed and restarted.
    pub fn etcd(&self) -> &Process {
        &self.etcd
    }

    /// The API server, to be paused, killed and restarted.
    pub fn api_server(&self) -> &Process {
        &self.api_server
    }

    /// The controller manager, to be paused, killed and restarted.
    pub fn controller_manager(&self) -> &Process {
        &self.controller_manager
    }

    /// The scheduler, to be paused, killed and restarted.
    pub fn scheduler(&self) -> &Process {
        &self.scheduler
    }

    /// The fake kubelet, to be paused, killed and restarted.
    pub fn kwok(&self) -> &Process {
        &self.kwok
    }

    /// Waits until the API server answers, as after a restart.
    pub async fn wait_until_answering(&self) -> Result<()> {
        answering(&self.client().await?, &[&self.etcd, &self.api_server]).await
    }

    /// The built `kubectl`.
    pub fn kubectl_path(&self) -> &Path {
        &self.settings.tools.kubectl
    }

    /// Runs `kubectl` on this cluster.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<Output> {
        let output = Command::new(self.kubectl_path())
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(arguments)
            .kill_on_drop(true)
            .output();
        let output = timeout(KUBECTL, output)
            .await
            .with_context(|| format!("kubectl {} took over {KUBECTL:?}", arguments.join(" ")))?
            .context("failed to run kubectl")?;
        Ok(Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// Writes one kubeconfig with a context per cluster; the first is the current one.
pub fn write_kubeconfig(path: &Path, clusters: &[&ControlPlane]) -> Result<()> {
    let entries: Vec<_> = clusters.iter().map(|cluster| cluster.settings.entry()).collect();
    fs::write(path, kubeconfig(&entries))
        .with_context(|| format!("failed to write {}", path.display()))
}

async fn client(directory: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(directory.join("kubeconfig"))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

async fn answering(client: &Client, processes: &[&Process]) -> Result<()> {
    let answers = wait::until("the API server answers", START, async || {
        let request = http::Request::get("/readyz").body(Vec::new())?;
        Ok(Some(client.request_text(request).await.map(drop)?))
    });
    unless_ended(processes, answers).await
}

async fn ready(client: &Client, name: &str, processes: &[&Process]) -> Result<()> {
    let ready =
        wait::until("the node is ready", START, async || objects::is_ready(client, name).await);
    unless_ended(processes, ready).await
}

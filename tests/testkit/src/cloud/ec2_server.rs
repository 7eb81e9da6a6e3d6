//! An EC2 server that keeps everything in memory.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::spawn_blocking;

use super::Ec2;
use crate::cache::RunDir;
use crate::process::{Process, Program};
use crate::startup::{self, unless_ended};
use crate::{ports, tools, wait};

/// The region that the cloud on this machine is in; its zones are `us-east-1a` to `us-east-1f`.
pub const REGION: &str = "us-east-1";
/// The account that owns everything.
pub const ACCOUNT: &str = "123456789012";

/// How long a start may take on a busy machine; it usually takes two seconds.
const START: Duration = Duration::from_mins(2);

/// A running EC2 and STS server; dropping it takes everything down.
///
/// It knows every region, checks no signature, and ignores client tokens: a request that is
/// repeated makes a second volume.
#[derive(Debug)]
pub struct Ec2Server {
    process: Process,
    endpoint: String,
    _run: RunDir,
}

impl Ec2Server {
    /// Starts a server; once more where another process took its port.
    pub async fn start() -> Result<Self> {
        let python = spawn_blocking(tools::moto).await??;
        startup::on_free_ports(async || Self::attempt(&python).await).await
    }

    async fn attempt(python: &Path) -> Result<Self> {
        let run = RunDir::create("ec2")?;
        let port = ports::free();
        let process = Process::start(server(python, port), run.path())?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let ec2 = Ec2::new(&endpoint, REGION);
        let answers = wait::until("the EC2 server answers", START, async || {
            // Somebody else may answer where this one could not listen.
            ensure!(process.log().contains("Running on"), "it does not listen yet");
            Ok(Some(ec2.volumes().await.map(drop)?))
        });
        unless_ended(&[&process], answers).await?;
        Ok(Self { process, endpoint, _run: run })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// A client for the region [`REGION`].
    pub fn client(&self) -> Ec2 {
        Ec2::new(&self.endpoint, REGION)
    }

    /// A client for another region.
    pub fn client_in(&self, region: &str) -> Ec2 {
        Ec2::new(&self.endpoint, region)
    }

    /// The server, to be paused; killed, it forgets everything.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn server(python: &Path, port: u16) -> Program {
    let arguments = ["-m", "moto.server", "-H", "127.0.0.1", "-p"].map(str::to_owned);
    let arguments = arguments.into_iter().chain([port.to_string()]).collect();
    // Images bring snapshots of their own, which nobody here asks for.
    let environment = [("MOTO_EC2_LOAD_DEFAULT_AMIS", "false"), ("PYTHONUNBUFFERED", "1")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let path = python.to_owned();
    Program { name: "moto", path, arguments, environment: environment.to_vec() }
}

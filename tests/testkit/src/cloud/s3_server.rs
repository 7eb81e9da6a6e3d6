//! An S3 server whose buckets are directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::Method;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use super::signature::Signer;
use super::{REGION, S3};
use crate::cache::RunDir;
use crate::process::{Process, Program};
use crate::startup::{self, unless_ended};
use crate::{hex, ports, tools, wait};

/// How long a start may take on a busy machine; it usually takes a fraction of a second.
const START: Duration = Duration::from_mins(1);

/// How an S3 server differs from its siblings.
#[derive(Debug, Clone, Copy)]
pub struct S3Options {
    /// Whether buckets can have versions, as AWS' can.
    ///
    /// Locked buckets have them then, so that a delete makes a marker and an overwrite a version.
    /// Without, both are refused while the lock lasts.
    pub versions: bool,
}

/// A running S3 server; dropping it takes everything down.
#[derive(Debug)]
pub struct S3Server {
    process: Process,
    endpoint: String,
    signer: Signer,
    run: RunDir,
}

impl S3Server {
    /// Starts a server whose buckets can have versions.
    pub async fn start() -> Result<Self> {
        Self::start_with(S3Options { versions: true }).await
    }

    /// Starts a server; once more where another process took its port.
    pub async fn start_with(options: S3Options) -> Result<Self> {
        let program = spawn_blocking(tools::versitygw).await??;
        startup::on_free_ports(async || Self::attempt(&program, options).await).await
    }

    async fn attempt(program: &Path, options: S3Options) -> Result<Self> {
        let run = RunDir::create("s3")?;
        let signer = signer(run.path());
        let authority = format!("127.0.0.1:{}", ports::free());
        let program = server(program, &authority, &signer, run.path(), options)?;
        let process = Process::start(program, run.path())?;
        let endpoint = format!("http://{authority}");
        let client = S3::new(&endpoint, signer.clone());
        let answers = wait::until("the S3 server answers", START, async || {
            let buckets = client.request(&Method::GET, "/", &[], "").await?;
            // Somebody else may answer where this one could not listen.
            ensure!(buckets.status().is_success(), "it has other keys");
            Ok(Some(()))
        });
        unless_ended(&[&process], answers).await?;
        Ok(Self { process, endpoint, signer, run })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// A client.
    pub fn client(&self) -> S3 {
        S3::new(&self.endpoint, self.signer.clone())
    }

    /// The id of the one user's key.
    pub fn access_key(&self) -> &str {
        &self.signer.access_key
    }

    /// The one user's key.
    pub fn secret_key(&self) -> &str {
        &self.signer.secret_key
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        self.signer.region
    }

    /// The server, to be paused, killed and restarted.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The directory that is a bucket: an object is a file, its key the path.
    ///
    /// Directories stay when the last object in them is deleted by others than the server, and
    /// what is being uploaded lies below `.sgwtmp`.
    pub fn directory(&self, bucket: &str) -> PathBuf {
        root(self.run.path()).join(bucket)
    }
}

/// Keys of its own, as its directory has a name of its own.
fn signer(run: &Path) -> Signer {
    let digest = hex::encode(&Sha256::digest(run.as_os_str().as_encoded_bytes()));
    let (access_key, secret_key) = digest.split_at(20);
    let access_key = access_key.to_ascii_uppercase();
    Signer { access_key, secret_key: secret_key.to_owned(), region: REGION }
}

fn root(run: &Path) -> PathBuf {
    run.join("buckets")
}

fn server(
    path: &Path,
    authority: &str,
    signer: &Signer,
    run: &Path,
    options: S3Options,
) -> Result<Program> {
    let directory = |name: &str| {
        let path = run.join(name);
        fs::create_dir(&path).with_context(|| format!("failed to make {}", path.display()))?;
        anyhow::Ok(path.display().to_string())
    };
    let mut arguments = vec!["--port".to_owned(), authority.to_owned(), "posix".to_owned()];
    // Beside the files and not in their extended attributes, which not every file system has.
    arguments.extend(["--sidecar".to_owned(), directory("metadata")?]);
    if options.versions {
        arguments.extend(["--versioning-dir".to_owned(), directory("versions")?]);
    }
    arguments.push(directory("buckets")?);
    let environment = vec![
        ("ROOT_ACCESS_KEY".to_owned(), signer.access_key.clone()),
        ("ROOT_SECRET_KEY".to_owned(), signer.secret_key.clone()),
    ];
    Ok(Program { name: "versitygw", path: path.to_owned(), arguments, environment })
}

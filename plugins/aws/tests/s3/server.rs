//! A server of S3, and stores on it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use bowline_aws::{Connection, S3Options, S3Store};
use bowline_testkit::tools;
use tempfile::TempDir;
use tokio::net::TcpStream;

const ACCESS_KEY: &str = "bowline";
const SECRET_KEY: &str = "bowline-secret";

/// A running server; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    endpoint: String,
    files: TempDir,
    buckets: AtomicU32,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let files = tempfile::tempdir().unwrap();
        let directory = |name: &str| {
            let path = files.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let process = Command::new(tools::versitygw().unwrap())
            .args(["--port", &format!("127.0.0.1:{port}"), "--access", ACCESS_KEY])
            .args(["--secret", SECRET_KEY, "--quiet", "posix"])
            .arg("--versioning-dir")
            .arg(directory("versions"))
            .arg(directory("data"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
        let endpoint = format!("http://127.0.0.1:{port}");
        let server = Self { process, endpoint, files, buckets: AtomicU32::new(0) };
        std::fs::write(server.credentials(), credentials(SECRET_KEY)).unwrap();
        server
    }

    /// A directory for the files of a test.
    pub(crate) fn files(&self) -> &Path {
        self.files.path()
    }

    fn credentials(&self) -> PathBuf {
        self.files.path().join("credentials")
    }

    /// The SDK itself, to look behind the store.
    pub(crate) fn sdk(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
            .region(Region::from_static("us-east-1"))
            .endpoint_url(&self.endpoint)
            .force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// The options of a store in a new bucket.
    pub(crate) async fn new_bucket(&self) -> S3Options {
        let bucket = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        self.sdk().create_bucket().bucket(&bucket).send().await.unwrap();
        self.options(&bucket)
    }

    pub(crate) async fn new_locked_bucket(&self) -> S3Options {
        let bucket = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        let create = self.sdk().create_bucket().bucket(&bucket);
        create.object_lock_enabled_for_bucket(true).send().await.unwrap();
        self.options(&bucket)
    }

    pub(crate) fn options(&self, bucket: &str) -> S3Options {
        S3Options {
            connection: Connection {
                region: Some("us-east-1".to_owned()),
                endpoint: Some(self.endpoint.clone()),
                credentials_file: Some(self.credentials()),
                ..Connection::default()
            },
            bucket: bucket.to_owned(),
            force_path_style: true,
            ..S3Options::default()
        }
    }

    pub(crate) async fn new_store(&self) -> S3Store {
        S3Store::new(self.new_bucket().await)
    }
}

/// The content of a credentials file.
pub(crate) fn credentials(secret_key: &str) -> String {
    format!("[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {secret_key}\n")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

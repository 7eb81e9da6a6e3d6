//! An account in the cloud, as a user has it.

use anyhow::Result;

use super::{Ec2, Ec2Server, S3, S3Options, S3Server};
use crate::faults::{FaultProxy, Service};
use crate::provisioner::Storage;

/// The bucket that every cloud starts with.
const BUCKET: &str = "backups";

/// An S3 and an EC2 server with a proxy in front of each, and an empty bucket.
///
/// [`Self::environment`] leads through the proxies; what the tests ask themselves goes past them,
/// so that the proxies note the calls of the tool only.
#[derive(Debug)]
pub struct Cloud {
    s3_faults: FaultProxy,
    ec2_faults: FaultProxy,
    s3: S3Server,
    ec2: Ec2Server,
}

impl Cloud {
    /// Starts both servers at the same time.
    pub async fn start() -> Result<Self> {
        Self::start_with(S3Options { versions: true }).await
    }

    /// Starts both servers at the same time.
    pub async fn start_with(options: S3Options) -> Result<Self> {
        let (s3, ec2) = tokio::try_join!(S3Server::start_with(options), Ec2Server::start())?;
        s3.client().create_bucket(BUCKET).await?;
        let s3_faults = FaultProxy::start(Service::S3, &s3.endpoint())?;
        let ec2_faults = FaultProxy::start(Service::Ec2, &ec2.endpoint())?;
        Ok(Self { s3_faults, ec2_faults, s3, ec2 })
    }

    /// What lies in S3.
    pub fn s3(&self) -> S3 {
        self.s3.client()
    }

    /// The S3 server.
    pub fn s3_server(&self) -> &S3Server {
        &self.s3
    }

    /// What lies in EC2.
    pub fn ec2(&self) -> Ec2 {
        self.ec2.client()
    }

    /// The EC2 server.
    pub fn ec2_server(&self) -> &Ec2Server {
        &self.ec2
    }

    /// The proxy in front of S3.
    pub fn s3_faults(&self) -> &FaultProxy {
        &self.s3_faults
    }

    /// The proxy in front of EC2 and STS.
    pub fn ec2_faults(&self) -> &FaultProxy {
        &self.ec2_faults
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// A location in the bucket.
    pub fn location(&self) -> String {
        format!("s3://{BUCKET}/lab")
    }

    /// EBS volumes, for the options of a control plane.
    pub fn storage(&self) -> Storage {
        Storage::Ebs(self.ec2())
    }

    /// The account's keys and endpoints, as AWS' tools read them, and the location.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", self.s3.access_key().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.s3.secret_key().to_owned()),
            ("AWS_REGION", self.s3.region().to_owned()),
            ("AWS_ENDPOINT_URL_S3", self.s3_faults.endpoint()),
            ("AWS_ENDPOINT_URL_EC2", self.ec2_faults.endpoint()),
            ("AWS_ENDPOINT_URL_STS", self.ec2_faults.endpoint()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("BOWLINE_LOCATION", self.location()),
        ]
    }
}

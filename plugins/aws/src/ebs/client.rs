//! A connection to EC2: paced, patient, one region.

use std::error::Error as StdError;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{Builder, Config};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Snapshot, Volume};
use bowline_api::{SnapshotterError, Volume as MadeVolume};
use futures::TryFutureExt as _;
use tokio::time::{Duration, Instant, sleep_until};

use super::batch::Batch;
use super::complete::Complete;
use super::consistency::{Made, Turns};
use super::describe::TaggedVolumes;
use super::fault::{Fault, Kind, chain};
use super::options::EbsOptions;
use super::pace::{Call, Pace};
use super::retry::Backoff;

/// How long a connection and a reply may take. What is slower counts as lost.
const CONNECT: Duration = Duration::from_secs(10);
const REPLY: Duration = Duration::from_mins(1);

/// What may be asked again after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Anything: doing it twice does no harm.
    Always,
    /// Only what was certainly not done.
    IfNotDone,
}

/// A connection to EC2, and what those who share it share.
#[derive(Debug)]
pub(super) struct Ec2 {
    client: Client,
    region: String,
    pace: Pace,
    pub(super) snapshots: Batch<String, Snapshot>,
    pub(super) snapshots_by_token: Batch<String, Snapshot>,
    pub(super) volumes: Batch<String, Volume>,
    pub(super) volumes_by_token: Batch<String, TaggedVolumes>,
    pub(super) complete: Complete,
    pub(super) made_snapshots: Made<bowline_api::Snapshot>,
    pub(super) made_volumes: Made<MadeVolume>,
    pub(super) turns: Turns,
}

impl Ec2 {
    /// Reads credentials and region as every AWS tool does.
    pub(super) async fn connect(options: &EbsOptions) -> Result<Self, SnapshotterError> {
        let settings = options.connection.load().await.map_err(|error| unusable(&error))?;
        let region = settings.region().map(ToString::to_string).ok_or_else(no_region)?;
        Ok(Self::new(Config::from(&settings).to_builder(), region))
    }

    /// Sends requests by `config`, which is for `region`.
    pub(super) fn new(config: Builder, region: String) -> Self {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(REPLY);
        // What may be repeated, and when, the SDK cannot know: see `Repeat`.
        let config =
            config.retry_config(RetryConfig::disabled()).timeout_config(timeouts.build()).build();
        Self {
            client: Client::from_conf(config),
            region,
            pace: Pace::new(),
            snapshots: Batch::new(),
            snapshots_by_token: Batch::new(),
            volumes: Batch::new(),
            volumes_by_token: Batch::new(),
            complete: Complete::default(),
            made_snapshots: Made::new(),
            made_volumes: Made::new(),
            turns: Turns::default(),
        }
    }

    /// The SDK's client, to word requests with.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// Names something for a message, with the region, in which it may just not be.
    pub(super) fn place(&self, what: impl std::fmt::Display) -> String {
        format!("{what} in {}", self.region)
    }

    /// Sends a request until it is answered, refused, or patience ends.
    pub(super) async fn send<T, E, F>(
        &self,
        call: Call,
        repeat: Repeat,
        request: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, SdkError<E>>> + Send,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        T: Send,
    {
        let mut backoff = Backoff::default();
        loop {
            let fault = match self.once(call, request().map_err(Fault::from)).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            if fault.kind() == Kind::Lost && repeat == Repeat::IfNotDone {
                return Err(fault);
            }
            match backoff.after(fault.kind(), Instant::now(), fastrand::f64()) {
                Some(next) => sleep_until(next).await,
                None => return Err(fault),
            }
        }
    }

    async fn once<T>(
        &self,
        call: Call,
        request: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let turn = self.pace.turn(call).await;
        let answer = request.await;
        drop(turn);
        answer.inspect_err(|fault| {
            if fault.kind() == Kind::Throttled {
                self.pace.throttled(call);
            }
        })
    }
}

fn unusable(error: &dyn StdError) -> SnapshotterError {
    let what = "the connection to EC2".to_owned();
    SnapshotterError::Refused { what, reason: chain(error) }
}

fn no_region() -> SnapshotterError {
    SnapshotterError::Refused {
        what: "the connection to EC2".to_owned(),
        reason: "no region is set: set AWS_REGION, or a region in the profile".to_owned(),
    }
}

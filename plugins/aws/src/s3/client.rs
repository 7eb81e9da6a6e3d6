//! The connection to a bucket.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::config::{Config, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{ObjectLockConfiguration, ServerSideEncryption};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::retry::RetryConfig;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bowline_api::StoreError;
use md5::{Digest as _, Md5};
use tokio::sync::OnceCell;
use url::form_urlencoded::byte_serialize;

use super::error::{Kind, full_text, refusal};
use super::options::{Encryption, S3Options};
use super::region;
use super::retry::{Failure, Patience, Retries};
use super::terms::Knowledge;

/// A bucket that can be asked.
pub(super) struct Client {
    pub(super) sdk: aws_sdk_s3::Client,
    pub(super) options: S3Options,
    pub(super) customer_key: Option<CustomerKey>,
    pub(super) knowledge: Knowledge,
    pub(super) patience: Patience,
    /// The lock of the bucket, once somebody has asked for it.
    pub(super) lock: OnceCell<Option<ObjectLockConfiguration>>,
    /// Whether the store has ever answered.
    reached: AtomicBool,
    /// Whether the bucket is known to exist.
    bucket_seen: AtomicBool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The key of SSE-C as requests carry it.
#[derive(Clone)]
pub(super) struct CustomerKey {
    pub(super) key: String,
    pub(super) md5: String,
}

/// Adds the key of SSE-C, which S3 does not keep, to a request.
macro_rules! with_customer_key {
    ($request:expr, $client:expr) => {{
        let key = $client.customer_key.as_ref();
        $request
            .set_sse_customer_algorithm(key.map(|_| "AES256".to_owned()))
            .set_sse_customer_key(key.map(|key| key.key.clone()))
            .set_sse_customer_key_md5(key.map(|key| key.md5.clone()))
    }};
}
pub(super) use with_customer_key;

/// Adds to a request that makes an object how it is kept.
macro_rules! with_properties {
    ($request:expr, $client:expr) => {{
        let (encryption, kms_key) = $client.encryption();
        with_customer_key!($request, $client)
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_storage_class($client.options.storage_class.as_deref().map(Into::into))
            .set_tagging($client.tagging())
    }};
}
pub(super) use with_properties;

impl Client {
    /// Connects: loads the configuration, and finds the region of the bucket if none is given.
    pub(super) async fn connect(options: S3Options, patience: Patience) -> Result<Self, Failure> {
        let config = options.connection.load().await;
        let config = config.map_err(|error| Failure::other(full_text(&error)))?;
        let customer_key = match &options.encryption {
            Encryption::Customer(path) => Some(CustomerKey::read(path).await?),
            _ => None,
        };
        let region = region::of(&config, &options, patience).await?;
        let sdk = aws_sdk_s3::Client::from_conf(sdk_config(&config, &options, region));
        Ok(Self::new(sdk, options, customer_key, patience))
    }

    pub(super) fn new(
        sdk: aws_sdk_s3::Client,
        options: S3Options,
        customer_key: Option<CustomerKey>,
        patience: Patience,
    ) -> Self {
        Self {
            sdk,
            knowledge: Knowledge::new(options.without_checksums),
            options,
            customer_key,
            patience,
            lock: OnceCell::new(),
            reached: AtomicBool::new(false),
            bucket_seen: AtomicBool::new(false),
        }
    }

    /// Makes a client that shares no connection with this one: one for another runtime, as
    /// connections end with the runtime that they were made on.
    pub(super) async fn apart(&self) -> Self {
        let mut config = self.sdk.config().to_builder();
        if let Ok(Some(http)) = self.options.connection.http_client().await {
            config.set_http_client(Some(http));
        }
        let sdk = aws_sdk_s3::Client::from_conf(config.build());
        Self::new(sdk, self.options.clone(), self.customer_key.clone(), self.patience)
    }

    /// Makes a call, again and again if need be, that carries `bytes` in one direction.
    pub(super) async fn call<T, E, F>(
        &self,
        bytes: u64,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut retries = Retries::new(self.patience, bytes);
        loop {
            let reached = self.reached.load(Ordering::Relaxed);
            // Boxed, as the SDK's futures are of 16 KiB.
            match retries.attempt(reached, Box::pin(attempt())).await {
                Ok(reply) => {
                    self.reached.store(true, Ordering::Relaxed);
                    self.bucket_seen.store(true, Ordering::Relaxed);
                    return Ok(reply);
                }
                Err(fault) => {
                    let answered = reached || fault.answered;
                    self.reached.store(answered, Ordering::Relaxed);
                    retries.pause(fault, answered).await?;
                }
            }
        }
    }

    /// Tells a HEAD of a missing object from one in a missing bucket: neither reply has a body.
    pub(super) async fn name_what_is_missing(&self, mut failure: Failure) -> Failure {
        if failure.kind() != Kind::NoObject || self.bucket_seen.load(Ordering::Relaxed) {
            return failure;
        }
        let bucket = &self.options.bucket;
        match self.call(0, || self.sdk.head_bucket().bucket(bucket).send()).await {
            Err(missing) if missing.kind() == Kind::NoObject => {
                failure.fault.kind = Kind::NoBucket;
                failure
            }
            _ => failure,
        }
    }

    /// Says in the store's terms why a call failed.
    pub(super) fn refused(
        &self,
        operation: &'static str,
        key: &str,
        failure: Failure,
    ) -> StoreError {
        let region = self.sdk.config().region().map(Region::as_ref);
        refusal(operation, key, failure, &self.options, region)
    }

    pub(super) fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.options.encryption {
            Encryption::Bucket | Encryption::Customer(_) => (None, None),
            Encryption::S3 => (Some(ServerSideEncryption::Aes256), None),
            Encryption::Kms(key) => (Some(ServerSideEncryption::AwsKms), key.clone()),
        }
    }

    /// The tags as the header has them: a query string.
    pub(super) fn tagging(&self) -> Option<String> {
        let tags = &self.options.tags;
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pairs = tags.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        (!tags.is_empty()).then(|| pairs.collect::<Vec<_>>().join("&"))
    }
}

impl CustomerKey {
    async fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |reason: String| {
            let path = path.display();
            Failure::other(format!("the key of SSE-C in \"{path}\" is unusable: {reason}"))
        };
        let key = tokio::fs::read(path).await.map_err(|error| failed(error.to_string()))?;
        if key.len() != 32 {
            return Err(failed(format!("it has {} bytes, not 32", key.len())));
        }
        Ok(Self {
            key: BASE64_STANDARD.encode(&key),
            md5: BASE64_STANDARD.encode(Md5::digest(&key)),
        })
    }
}

/// How the SDK reaches the bucket.
pub(super) fn sdk_config(
    config: &SdkConfig,
    options: &S3Options,
    region: Option<Region>,
) -> Config {
    let mut builder = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(options.force_path_style)
        .use_arn_region(true)
        .retry_config(RetryConfig::disabled())
        // Writes carry checksums of our own; others, in trailers, are what clones of S3 trip over.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    builder.set_region(region);
    if region::has_endpoint(config) {
        builder = builder.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    builder.build()
}

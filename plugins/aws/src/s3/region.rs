//! Where a bucket is.

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::config::Builder;
use aws_smithy_types::retry::RetryConfig;
use aws_types::service_config::ServiceConfigKey;

use super::error::{Fault, Kind};
use super::options::S3Options;
use super::retry::{Failure, Patience, Retries};

/// Where one asks first; it knows of every bucket of its partition.
const FIRST_ASKED: &str = "us-east-1";

/// The region that requests for a bucket are signed for: the one that was asked for, the one in its
/// ARN, or the one that S3 tells. An endpoint of its own is taken at its word.
pub(super) async fn of(
    config: &SdkConfig,
    options: &S3Options,
    patience: Patience,
) -> Result<Option<Region>, Failure> {
    if options.connection.region.is_some() || has_endpoint(config) {
        return Ok(config.region().cloned());
    }
    if options.bucket.starts_with("arn:") {
        let region = options.bucket.split(':').nth(3).filter(|region| !region.is_empty());
        return Ok(region.map(|region| Region::new(region.to_owned())));
    }
    find(config, &options.bucket, patience).await
}

/// Whether S3 has a URL of its own, by option, environment or profile.
pub(super) fn has_endpoint(config: &SdkConfig) -> bool {
    config.endpoint_url().is_some() || endpoint_of_s3(config).is_some()
}

fn endpoint_of_s3(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id("S3");
    let key = key.env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
    config.service_config()?.load_config(key)
}

/// Asks S3 for the region of a bucket, anonymously, as it tells whatever it thinks of the caller.
///
/// The region of the machine or the profile only decides who is asked. None if S3 doesn't tell.
async fn find(
    config: &SdkConfig,
    bucket: &str,
    patience: Patience,
) -> Result<Option<Region>, Failure> {
    let asked = config.region().cloned().unwrap_or(Region::from_static(FIRST_ASKED));
    let mut unsigned = config.to_builder();
    unsigned.set_credentials_provider(None);
    let anonymous = Builder::from(&unsigned.build())
        .region(asked.clone())
        .allow_no_auth()
        .retry_config(RetryConfig::disabled());
    let anonymous = aws_sdk_s3::Client::from_conf(anonymous.build());
    let mut retries = Retries::new(patience, 0);
    loop {
        let call = Box::pin(anonymous.head_bucket().bucket(bucket).send());
        match retries.attempt(false, call).await {
            Ok(found) => return Ok(Some(found.bucket_region.map_or(asked, Region::new))),
            Err(Fault { bucket_region: Some(told), .. }) => return Ok(Some(Region::new(told))),
            Err(Fault { kind: Kind::Denied, .. }) => return Ok(Some(asked)),
            Err(fault) => retries.pause(fault.about_a_bucket(), false).await?,
        }
    }
}

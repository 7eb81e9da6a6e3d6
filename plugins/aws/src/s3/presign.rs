//! URLs that anybody can read an object with.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;

use super::client::Client;
use super::error::Fault;
use super::retry::Failure;

/// Signs a URL; none for an object that can't be read without its key (SSE-C).
///
/// The host is signed along, so that a public one must be known now.
pub(super) async fn sign(
    client: &Client,
    key: &str,
    lifetime: Duration,
) -> Result<Option<String>, Failure> {
    if client.customer_key.is_some() {
        return Ok(None);
    }
    let config = PresigningConfig::expires_in(lifetime);
    let config = config.map_err(|error| Failure::other(error.to_string()))?;
    let request = match &client.options.public_url {
        None => client.sdk.get_object(),
        Some(url) => {
            let public = client.sdk.config().to_builder().endpoint_url(url).build();
            aws_sdk_s3::Client::from_conf(public).get_object()
        }
    };
    let request = request.bucket(&client.options.bucket).key(client.options.full_key(key));
    let signed = request.presigned(config).await;
    let signed = signed.map_err(|error| Failure { fault: Fault::of(&error), ambiguous: false })?;
    Ok(Some(signed.uri().to_owned()))
}

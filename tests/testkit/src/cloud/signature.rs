//! Signatures of S3 requests.
//!
//! As in "Signature Version 4", which AWS documents for the REST API of S3; only what the testkit's
//! own requests need.

use anyhow::Result;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, Method, Uri};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use crate::hex;

/// Whose signature it is, and where it counts.
#[derive(Debug, Clone)]
pub(super) struct Signer {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) region: &'static str,
}

impl Signer {
    /// The headers of a request with those that a signature needs, and the signature.
    ///
    /// The path and the query must be encoded, the query's names must be in order.
    pub(super) fn sign(
        &self,
        method: &Method,
        uri: &Uri,
        mut headers: HeaderMap,
        body: &[u8],
    ) -> Result<HeaderMap> {
        let now = Timestamp::now().to_zoned(TimeZone::UTC);
        let (time, day) = (now.strftime("%Y%m%dT%H%M%SZ").to_string(), now.strftime("%Y%m%d"));
        let digest = hex::encode(&Sha256::digest(body));
        headers.insert("x-amz-date", HeaderValue::from_str(&time)?);
        headers.insert("x-amz-content-sha256", HeaderValue::from_str(&digest)?);
        let (names, values) = canonical(&headers)?;
        let query = uri.query().map(canonical_query).unwrap_or_default();
        let request = format!("{method}\n{}\n{query}\n{values}\n{names}\n{digest}", uri.path());
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let request = hex::encode(&Sha256::digest(request));
        let signature =
            self.key(&day.to_string(), &format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{request}"))?;
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
            self.access_key
        );
        headers.insert("authorization", HeaderValue::from_str(&authorization)?);
        Ok(headers)
    }

    fn key(&self, day: &str, text: &str) -> Result<String> {
        let first = format!("AWS4{}", self.secret_key).into_bytes();
        let parts = [day, self.region, "s3", "aws4_request", text];
        let last = parts.into_iter().try_fold(first, |key, part| authenticate(&key, part))?;
        Ok(hex::encode(&last))
    }
}

fn authenticate(key: &[u8], text: &str) -> Result<Vec<u8>> {
    let mut code = Hmac::<Sha256>::new_from_slice(key)?;
    code.update(text.as_bytes());
    Ok(code.finalize().into_bytes().to_vec())
}

/// The names of all headers, and their lines, in order.
fn canonical(headers: &HeaderMap) -> Result<(String, String)> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        lines.push((name.as_str(), value.to_str()?.trim()));
    }
    lines.sort_unstable();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    let values = lines.iter().flat_map(|(name, value)| [name, ":", value, "\n"]).collect();
    Ok((names.join(";"), values))
}

/// A query in which a name without a value has an empty one.
fn canonical_query(query: &str) -> String {
    let pairs = query
        .split('&')
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") });
    pairs.collect::<Vec<_>>().join("&")
}

//! What lies in S3: a client of its own, so that the tests do not believe the code they test.

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};
use roxmltree::Document;
use sha2::{Digest as _, Sha256};

use super::signature::Signer;
use crate::http_client;

/// A client of an S3 server, with the one user's keys.
#[derive(Debug, Clone)]
pub struct S3 {
    authority: String,
    signer: Signer,
}

impl S3 {
    pub(super) fn new(endpoint: &str, signer: Signer) -> Self {
        let authority = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { authority, signer }
    }

    /// The same user at another endpoint, as that of a proxy.
    #[must_use]
    pub fn at(&self, endpoint: &str) -> Self {
        Self::new(endpoint, self.signer.clone())
    }

    /// Makes a bucket.
    pub async fn create_bucket(&self, name: &str) -> Result<()> {
        self.ask(&Method::PUT, &format!("/{name}"), &[], "").await.map(drop)
    }

    /// Makes a bucket with object lock; with days, everything in it is retained that long.
    ///
    /// Unlike AWS, the server does not note that retention at each object: see [`Self::retain`].
    pub async fn create_locked_bucket(&self, name: &str, days: Option<u32>) -> Result<()> {
        let lock = [("x-amz-bucket-object-lock-enabled", "true")];
        self.ask(&Method::PUT, &format!("/{name}"), &lock, "").await?;
        let Some(days) = days else { return Ok(()) };
        let rule = format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
             <Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>{days}</Days></DefaultRetention>\
             </Rule></ObjectLockConfiguration>"
        );
        self.put_document(&format!("/{name}?object-lock="), &rule).await
    }

    /// Retains an object for some days, as AWS notes it in a locked bucket by itself.
    pub async fn retain(&self, bucket: &str, key: &str, days: i64) -> Result<()> {
        let until = Timestamp::now() + SignedDuration::from_hours(24 * days);
        let until = until.strftime("%Y-%m-%dT%H:%M:%SZ");
        let retention = format!(
            "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
        );
        self.put_document(&format!("/{bucket}/{key}?retention="), &retention).await
    }

    /// The keys of all objects of a bucket, in order; at most a thousand.
    pub async fn keys(&self, bucket: &str) -> Result<Vec<String>> {
        let body = self.ask(&Method::GET, &format!("/{bucket}?list-type=2"), &[], "").await?;
        let body = String::from_utf8_lossy(&body);
        let document = Document::parse(&body)?;
        let keys = document.descendants().filter(|node| node.tag_name().name() == "Key");
        Ok(keys.filter_map(|key| Some(key.text()?.to_owned())).collect())
    }

    /// Sends a signed request and returns the response, whatever its status.
    ///
    /// The path is encoded, names in its query are in order and have values: `/bucket?versions=`.
    pub async fn request(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Response<Bytes>> {
        let body = body.into();
        let uri: Uri = path.parse()?;
        let mut all = HeaderMap::new();
        all.insert("host", HeaderValue::from_str(&self.authority)?);
        for (name, value) in headers {
            all.insert(name.parse::<HeaderName>()?, HeaderValue::from_str(value)?);
        }
        let headers = self.signer.sign(method, &uri, all, &body)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        http_client::send(&self.authority, request).await
    }

    /// Puts a document about a bucket or an object, which needs a checksum.
    async fn put_document(&self, path: &str, document: &str) -> Result<()> {
        let digest = STANDARD.encode(Sha256::digest(document));
        let checksum = [("x-amz-checksum-sha256", digest.as_str())];
        self.ask(&Method::PUT, path, &checksum, document).await.map(drop)
    }

    async fn ask(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Bytes> {
        let response = self.request(method, path, headers, body.to_owned()).await?;
        let (status, body) = (response.status(), response.into_body());
        let text = String::from_utf8_lossy(&body);
        ensure!(status.is_success(), "{method} {path} failed: {status}: {text}");
        Ok(body)
    }
}

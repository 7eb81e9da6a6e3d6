//! [`S3Store`], a bucket as an object store.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bowline_api::{
    ByteStream, ObjectMeta, ObjectStore, Protection, Retention, StoreError, Upload, validate_key,
    validate_prefix,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use tokio::sync::OnceCell;

use super::client::Client;
use super::error::refusal;
use super::options::S3Options;
use super::retry::Patience;
use super::{abort, list, presign, protection, read, upload, write};

/// A bucket, or the part of it below a prefix.
///
/// An object's version is its `ETag`: S3 takes no other in a condition. It is the same for the same
/// content, so that what is replaced should differ each time.
#[derive(Debug)]
pub struct S3Store {
    options: S3Options,
    client: OnceCell<Arc<Client>>,
}

impl S3Store {
    /// A store that connects when it is first asked.
    pub fn new(options: S3Options) -> Self {
        Self { options, client: OnceCell::new() }
    }

    /// A store that is connected already.
    #[cfg(test)]
    pub(super) fn over(client: Client) -> Self {
        let options = client.options.clone();
        Self { options, client: OnceCell::new_with(Some(Arc::new(client))) }
    }

    /// Connects if need be, to carry out `operation` on `key`.
    async fn client(&self, operation: &'static str, key: &str) -> Result<&Arc<Client>, StoreError> {
        let connect = || async {
            let client = Client::connect(self.options.clone(), Patience::default()).await;
            client.map(Arc::new)
        };
        let client = self.client.get_or_try_init(connect).await;
        client.map_err(|failure| refusal(operation, key, failure, &self.options, None))
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        validate_key(key)?;
        write::create(self.client("write", key).await?, key, body).await
    }

    async fn start_upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        validate_key(key)?;
        upload::start(Arc::clone(self.client("write", key).await?), key).await
    }

    async fn get(&self, key: &str) -> Result<ByteStream, StoreError> {
        validate_key(key)?;
        read::get(Arc::clone(self.client("read", key).await?), key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        validate_key(key)?;
        let client = self.client("read", key).await?;
        let bytes = read::range(client, key, range).await;
        bytes.map_err(|failure| client.refused("read", key, failure))
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        validate_key(key)?;
        let client = self.client("look up", key).await?;
        let found = read::head(client, key).await;
        found.map_err(|failure| client.refused("look up", key, failure))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<ObjectMeta, StoreError>> {
        let listing = async move {
            validate_prefix(prefix)?;
            let client = Arc::clone(self.client("list", prefix).await?);
            Ok(list::objects(client, prefix))
        };
        stream::once(listing).try_flatten().boxed()
    }

    async fn list_directories(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        validate_prefix(prefix)?;
        if !prefix.is_empty() && !prefix.ends_with('/') {
            return Err(StoreError::InvalidKey { key: prefix.to_owned() });
        }
        let client = self.client("list", prefix).await?;
        let names = list::directories(Arc::clone(client), prefix).await;
        names.map_err(|failure| client.refused("list", prefix, failure))
    }

    async fn replace(&self, key: &str, body: Bytes, version: &str) -> Result<String, StoreError> {
        validate_key(key)?;
        write::replace(self.client("replace", key).await?, key, body, version).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        validate_key(key)?;
        let client = self.client("delete", key).await?;
        let deleted = write::delete(client, key).await;
        deleted.map_err(|failure| client.refused("delete", key, failure))
    }

    async fn abort_uploads(&self, prefix: &str) -> Result<(), StoreError> {
        validate_prefix(prefix)?;
        let client = self.client("abort the uploads below", prefix).await?;
        let aborted = abort::below(client, prefix).await;
        aborted.map_err(|failure| client.refused("abort the uploads below", prefix, failure))
    }

    async fn retention(&self, key: &str) -> Result<Option<Retention>, StoreError> {
        validate_key(key)?;
        let client = self.client("look up", key).await?;
        let retention = protection::retention(client, key).await;
        retention.map_err(|failure| client.refused("look up", key, failure))
    }

    async fn presigned_url(
        &self,
        key: &str,
        lifetime: Duration,
    ) -> Result<Option<String>, StoreError> {
        validate_key(key)?;
        let client = self.client("sign a URL for", key).await?;
        let signed = presign::sign(client, key, lifetime).await;
        signed.map_err(|failure| client.refused("sign a URL for", key, failure))
    }

    async fn protection(&self) -> Result<Protection, StoreError> {
        let client = self.client("look up the settings of", "").await?;
        let protection = protection::of_bucket(client).await;
        protection.map_err(|failure| client.refused("look up the settings of", "", failure))
    }

    fn take_notices(&self) -> Vec<String> {
        self.client.get().map(|client| client.knowledge.take_notices()).unwrap_or_default()
    }
}

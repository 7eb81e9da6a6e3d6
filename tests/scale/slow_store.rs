//! A store that takes minutes for each piece of an upload.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bowline_api::{ByteStream, ObjectMeta, ObjectStore, StoreError, Upload};
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio::time::{Instant, sleep_until};

/// Longer than a request is tried again.
const DELAY: Duration = Duration::from_mins(3);

#[derive(Debug)]
pub(crate) struct SlowStore(pub Arc<dyn ObjectStore>);

#[derive(Debug)]
struct SlowUpload(Box<dyn Upload>);

#[async_trait]
impl ObjectStore for SlowStore {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        self.0.create(key, body).await
    }

    async fn start_upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(SlowUpload(self.0.start_upload(key).await?)))
    }

    async fn get(&self, key: &str) -> Result<ByteStream, StoreError> {
        self.0.get(key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.0.get_range(key, range).await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        self.0.head(key).await
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<ObjectMeta, StoreError>> {
        self.0.list(prefix)
    }

    async fn list_directories(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.0.list_directories(prefix).await
    }

    async fn replace(&self, key: &str, body: Bytes, version: &str) -> Result<String, StoreError> {
        self.0.replace(key, body, version).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.0.delete(key).await
    }

    async fn abort_uploads(&self, prefix: &str) -> Result<(), StoreError> {
        self.0.abort_uploads(prefix).await
    }
}

#[async_trait]
impl Upload for SlowUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        sleep_until(Instant::now() + DELAY).await;
        self.0.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        self.0.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        self.0.abort().await
    }
}

//! [`MemoryStore`], a store for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bowline_api::{
    ByteStream, ObjectMeta, ObjectStore, StoreError, Upload, validate_key, validate_prefix,
};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::{SignedDuration, Timestamp};

/// A store that lives as long as its last clone.
///
/// Its clock is its own, so that tests do not depend on the time of day: it starts in 1970 and each
/// object is a second younger than the one before.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    objects: Arc<Mutex<Objects>>,
}

#[derive(Debug, Default)]
struct Objects {
    by_key: BTreeMap<String, Object>,
    clock: Timestamp,
}

#[derive(Debug)]
struct Object {
    body: Bytes,
    modified: Timestamp,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn body(&self, key: &str) -> Result<Bytes, StoreError> {
        validate_key(key)?;
        let body = self.lock().by_key.get(key).map(|object| object.body.clone());
        body.ok_or_else(|| not_found(key))
    }

    fn insert(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        let mut objects = self.lock();
        if objects.by_key.contains_key(key) {
            return Err(StoreError::AlreadyExists { key: key.to_owned() });
        }
        objects.clock += SignedDuration::from_secs(1);
        let modified = objects.clock;
        objects.by_key.insert(key.to_owned(), Object { body, modified });
        drop(objects);
        Ok(())
    }

    fn matching(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        validate_prefix(prefix)?;
        let mut all: Vec<ObjectMeta> =
            self.lock().by_key.iter().map(|(key, object)| describe(key, object)).collect();
        all.retain(|object| object.key.starts_with(prefix));
        Ok(all)
    }
}

fn not_found(key: &str) -> StoreError {
    StoreError::NotFound { key: key.to_owned() }
}

fn describe(key: &str, object: &Object) -> ObjectMeta {
    let size = object.body.len() as u64;
    ObjectMeta { key: key.to_owned(), size, modified: object.modified, version: version(object) }
}

/// No two writes have the same time.
fn version(object: &Object) -> String {
    object.modified.as_second().to_string()
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        validate_key(key)?;
        self.insert(key, body)
    }

    async fn start_upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        validate_key(key)?;
        if self.lock().by_key.contains_key(key) {
            return Err(StoreError::AlreadyExists { key: key.to_owned() });
        }
        let (store, key) = (self.clone(), key.to_owned());
        Ok(Box::new(MemoryUpload { store, key, body: BytesMut::new() }))
    }

    async fn get(&self, key: &str) -> Result<ByteStream, StoreError> {
        let body = self.body(key)?;
        Ok(stream::iter((!body.is_empty()).then_some(Ok(body))).boxed())
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let body = self.body(key)?;
        let within = |offset| usize::try_from(offset).ok().filter(|offset| *offset <= body.len());
        match (within(range.start), within(range.end)) {
            (Some(start), Some(end)) if start <= end => Ok(body.slice(start..end)),
            _ => Err(StoreError::Failed {
                operation: "read",
                key: key.to_owned(),
                source: io::Error::other(format!("bytes {range:?} of {}", body.len())).into(),
            }),
        }
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        validate_key(key)?;
        let meta = self.lock().by_key.get(key).map(|object| describe(key, object));
        meta.ok_or_else(|| not_found(key))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<ObjectMeta, StoreError>> {
        match self.matching(prefix) {
            Ok(found) => stream::iter(found.into_iter().map(Ok)).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_directories(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        if !prefix.is_empty() && !prefix.ends_with('/') {
            return Err(StoreError::InvalidKey { key: prefix.to_owned() });
        }
        let found = self.matching(prefix)?;
        let below = found.iter().filter_map(|object| object.key.get(prefix.len()..));
        let names = below.filter_map(|rest| Some(rest.split_once('/')?.0.to_owned()));
        Ok(names.collect::<BTreeSet<_>>().into_iter().collect())
    }

    async fn replace(&self, key: &str, body: Bytes, version: &str) -> Result<String, StoreError> {
        validate_key(key)?;
        let mut objects = self.lock();
        if objects.by_key.get(key).is_none_or(|object| self::version(object) != version) {
            return Err(StoreError::Changed { key: key.to_owned() });
        }
        objects.clock += SignedDuration::from_secs(1);
        let object = Object { body, modified: objects.clock };
        let written = self::version(&object);
        objects.by_key.insert(key.to_owned(), object);
        drop(objects);
        Ok(written)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        validate_key(key)?;
        self.lock().by_key.remove(key);
        Ok(())
    }

    /// Does nothing: an upload that is dropped leaves nothing behind.
    async fn abort_uploads(&self, prefix: &str) -> Result<(), StoreError> {
        validate_prefix(prefix)
    }
}

/// An object on its way into the store.
#[derive(Debug)]
struct MemoryUpload {
    store: MemoryStore,
    key: String,
    body: BytesMut,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.body.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        self.store.insert(&self.key, self.body.freeze())
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

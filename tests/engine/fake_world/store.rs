//! A store in memory whose calls can fail.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bowline::engine::clock::Clock;
use bowline_api::{ByteStream, ObjectMeta, ObjectStore, Retention, StoreError, Upload};
use bowline_local::MemoryStore;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use crate::faults::Faults;

/// What the store keeps, whoever writes to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    objects: MemoryStore,
    /// The keys of uploads that were neither finished nor aborted: they cost money unseen.
    unfinished: Arc<Mutex<Vec<String>>>,
    /// Below what uploads were aborted, in order: whoever still writes to one of them fails.
    aborted: Arc<Mutex<Vec<String>>>,
    /// What may not be removed, and until when.
    retained: Arc<Mutex<BTreeMap<String, Retention>>>,
    /// What the store has to say about itself.
    notices: Arc<Mutex<Vec<String>>>,
    /// Whether nobody may remove anything.
    append_only: Arc<AtomicBool>,
    /// Whether nobody may write anything.
    read_only: Arc<AtomicBool>,
    /// When objects were written.
    times: Arc<Mutex<Times>>,
    /// What was read, by key.
    reads: Arc<Mutex<BTreeMap<String, Reads>>>,
}

/// How an object was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// How often as a whole.
    pub(crate) whole: usize,
    /// How often in part.
    pub(crate) ranges: usize,
    /// How many bytes.
    pub(crate) bytes: usize,
}

/// The clock of a store, if it has one, and when by it objects were written.
#[derive(Clone, Debug, Default)]
struct Times {
    clock: Option<Clock>,
    written: BTreeMap<String, Timestamp>,
}

impl Bucket {
    /// A bucket of its own with the same content.
    pub(crate) async fn copy(&self) -> Self {
        let copy = Self::default();
        for key in self.keys().await {
            copy.write(&key, self.read(&key).await).await;
        }
        *copy.times() = self.times().clone();
        copy.unfinished().extend(self.unfinished().iter().cloned());
        let retained = self.retained().clone();
        copy.retained().extend(retained);
        copy.read_only.store(self.read_only.load(Ordering::Relaxed), Ordering::Relaxed);
        copy
    }

    /// Keeps an object from being removed until a time, or until a legal hold is lifted.
    pub(crate) fn retain(&self, key: &str, until: Option<Timestamp>) {
        self.retained().insert(key.to_owned(), Retention { until });
    }

    /// Lets nobody remove anything, or no longer.
    pub(crate) fn be_append_only(&self, on: bool) {
        self.append_only.store(on, Ordering::Relaxed);
    }

    /// Lets the times of objects be by this clock from now on.
    pub(crate) fn go_by(&self, clock: Clock) {
        self.times().clock = Some(clock);
    }

    /// How an object was read so far.
    pub(crate) fn reads(&self, key: &str) -> Reads {
        self.all_reads().get(key).copied().unwrap_or_default()
    }

    fn count_read(&self, key: &str, bytes: &Bytes, whole: bool) {
        let mut all = self.all_reads();
        let reads = all.entry(key.to_owned()).or_default();
        *if whole { &mut reads.whole } else { &mut reads.ranges } += 1;
        reads.bytes += bytes.len();
        drop(all);
    }

    fn all_reads(&self) -> MutexGuard<'_, BTreeMap<String, Reads>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes when an object was written.
    fn stamp(&self, key: &str) {
        let mut times = self.times();
        if let Some(now) = times.clock.map(Clock::now) {
            times.written.insert(key.to_owned(), now);
        }
    }

    fn stamped(&self, meta: ObjectMeta) -> ObjectMeta {
        let written = self.times().written.get(&meta.key).copied();
        ObjectMeta { modified: written.unwrap_or(meta.modified), ..meta }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets nobody write anything.
    pub(crate) fn be_read_only(&self) {
        self.read_only.store(true, Ordering::Relaxed);
    }

    /// Lets everything be removed again.
    pub(crate) fn release(&self) {
        self.retained().clear();
    }

    fn retained(&self) -> MutexGuard<'_, BTreeMap<String, Retention>> {
        self.retained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All keys, in order.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let found: Vec<ObjectMeta> = self.objects.list("").try_collect().await.unwrap();
        found.into_iter().map(|object| object.key).collect()
    }

    /// The keys of uploads that nobody finished.
    pub(crate) fn unfinished(&self) -> MutexGuard<'_, Vec<String>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an object that must exist.
    pub(crate) async fn read(&self, key: &str) -> Bytes {
        let stream = self.objects.get(key).await.unwrap();
        let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
        pieces.concat().into()
    }

    /// Writes an object in place of what was there, as nobody but an attacker or a bad disk would.
    pub(crate) async fn write(&self, key: &str, content: Bytes) {
        self.objects.delete(key).await.unwrap();
        self.objects.create(key, content).await.unwrap();
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, key: &str) {
        self.objects.delete(key).await.unwrap();
    }

    /// Lets the store say something about itself, to whoever asks.
    pub(crate) fn add_notice(&self, notice: &str) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(notice.to_owned());
    }

    /// The content of all objects, by key.
    pub(crate) async fn contents(&self) -> BTreeMap<String, Bytes> {
        let mut contents = BTreeMap::new();
        for key in self.keys().await {
            let content = self.read(&key).await;
            contents.insert(key, content);
        }
        contents
    }

    fn aborted(&self) -> MutexGuard<'_, Vec<String>> {
        self.aborted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, key: &str) {
        let mut unfinished = self.unfinished();
        if let Some(index) = unfinished.iter().position(|upload| upload == key) {
            unfinished.remove(index);
        }
    }
}

/// A bucket as one process reaches it.
#[derive(Clone, Debug)]
pub(crate) struct FaultyStore {
    pub(crate) bucket: Bucket,
    pub(crate) faults: Faults,
}

fn failed(operation: &'static str, key: &str) -> StoreError {
    let source = io::Error::other("the wire broke").into();
    StoreError::Failed { operation, key: key.to_owned(), source }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        if self.bucket.read_only.load(Ordering::Relaxed) {
            return Err(StoreError::Denied { key: key.to_owned(), source: "not for you".into() });
        }
        let effect = async {
            self.bucket.objects.create(key, body).await?;
            self.bucket.stamp(key);
            Ok(())
        };
        self.faults.change(format!("store: create {key}"), effect, |_| failed("write", key)).await
    }

    async fn start_upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        let effect = async {
            let upload = self.bucket.objects.start_upload(key).await?;
            self.bucket.unfinished().push(key.to_owned());
            let (store, key) = (self.clone(), key.to_owned());
            let begun = self.bucket.aborted().len();
            Ok(Box::new(FaultyUpload { upload, store, key, begun }) as Box<dyn Upload>)
        };
        let call = format!("store: start the upload of {key}");
        self.faults.change(call, effect, |_| failed("write", key)).await
    }

    async fn get(&self, key: &str) -> Result<ByteStream, StoreError> {
        self.faults.read(|| failed("read", key)).await?;
        let pieces: Vec<Bytes> = self.bucket.objects.get(key).await?.try_collect().await?;
        for piece in &pieces {
            self.bucket.count_read(key, piece, true);
        }
        Ok(stream::iter(pieces.into_iter().map(Ok)).boxed())
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.faults.read(|| failed("read", key)).await?;
        let bytes = self.bucket.objects.get_range(key, range).await?;
        self.bucket.count_read(key, &bytes, false);
        Ok(bytes)
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        self.faults.read(|| failed("describe", key)).await?;
        Ok(self.bucket.stamped(self.bucket.objects.head(key).await?))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<ObjectMeta, StoreError>> {
        let reached = async move { self.faults.read(|| failed("list", prefix)).await };
        stream::once(reached)
            .map_ok(move |()| self.bucket.objects.list(prefix))
            .try_flatten()
            .boxed()
    }

    async fn list_directories(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.faults.read(|| failed("list", prefix)).await?;
        self.bucket.objects.list_directories(prefix).await
    }

    async fn replace(&self, key: &str, body: Bytes, version: &str) -> Result<String, StoreError> {
        let effect = async {
            let version = self.bucket.objects.replace(key, body, version).await?;
            self.bucket.stamp(key);
            Ok(version)
        };
        self.faults.change(format!("store: replace {key}"), effect, |_| failed("write", key)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        if self.bucket.append_only.load(Ordering::Relaxed) {
            return Err(StoreError::Denied { key: key.to_owned(), source: "not for you".into() });
        }
        let retention = self.bucket.retained().get(key).cloned();
        let over = |until| until <= super::now().now();
        let free = retention.is_none_or(|retention| retention.until.is_some_and(over));
        assert!(free, "{key} is retained");
        let effect = self.bucket.objects.delete(key);
        self.faults.change(format!("store: delete {key}"), effect, |_| failed("delete", key)).await
    }

    async fn retention(&self, key: &str) -> Result<Option<Retention>, StoreError> {
        self.faults.read(|| failed("look at", key)).await?;
        Ok(self.bucket.retained().get(key).cloned())
    }

    fn take_notices(&self) -> Vec<String> {
        self.bucket.notices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn abort_uploads(&self, prefix: &str) -> Result<(), StoreError> {
        let effect = async {
            self.bucket.unfinished().retain(|key| !key.starts_with(prefix));
            self.bucket.aborted().push(prefix.to_owned());
            self.bucket.objects.abort_uploads(prefix).await
        };
        let call = format!("store: abort the uploads below {prefix}");
        self.faults.change(call, effect, |_| failed("abort", prefix)).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    upload: Box<dyn Upload>,
    store: FaultyStore,
    key: String,
    /// How often uploads had been aborted when it was begun.
    begun: usize,
}

fn check_not_aborted(store: &FaultyStore, key: &str, begun: usize) -> Result<(), StoreError> {
    let is_aborted =
        store.bucket.aborted()[begun..].iter().any(|prefix| key.starts_with(prefix.as_str()));
    if is_aborted { Err(failed("write", key)) } else { Ok(()) }
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let call = format!("store: write a part of {}", self.key);
        let effect = async {
            check_not_aborted(&self.store, &self.key, self.begun)?;
            self.upload.write(bytes).await
        };
        self.store.faults.change(call, effect, |_| failed("write", &self.key)).await
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        let Self { upload, store, key, begun } = *self;
        let effect = async {
            check_not_aborted(&store, &key, begun)?;
            upload.finish().await?;
            store.bucket.settle(&key);
            Ok(())
        };
        let call = format!("store: finish {key}");
        store.faults.change(call, effect, |_| failed("write", &key)).await
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        let Self { upload, store, key, .. } = *self;
        let effect = async {
            store.bucket.settle(&key);
            upload.abort().await
        };
        let call = format!("store: abort {key}");
        store.faults.change(call, effect, |_| failed("abort", &key)).await
    }
}

//! A store with one fault, to try the suite on.

use std::ops::Range;

use async_trait::async_trait;
use bowline_api::{ByteStream, ObjectMeta, ObjectStore, StoreError, Upload, validate_key};
use bowline_local::MemoryStore;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use jiff::SignedDuration;

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    CreateReplaces,
    CreateForgetsTheEnd,
    CreateTakesInvalidKeys,
    DeleteFailsTheSecondTime,
    DeleteTakesAllBelow,
    DeletesNothing,
    GetOfNothingIsEmpty,
    HeadTellsAWrongSize,
    HeadTellsAWrongTime,
    ListEndsAtThousand,
    ListIsUnordered,
    ListMatchesDirectoriesOnly,
    ListTakesInvalidPrefixes,
    DirectoriesAreTheParents,
    RangeIsCutAtTheEnd,
    RangeIsInclusive,
    ReplaceIgnoresTheVersion,
    ReplaceMakesTheObject,
    ReplaceTellsTheOldVersion,
    UploadReplaces,
    UploadIsSeenAtOnce,
    UploadLosesTheLastPiece,
    AbortUploadsDeletesObjects,
}

impl Fault {
    pub(crate) const ALL: &[Self] = &[
        Self::CreateReplaces,
        Self::CreateForgetsTheEnd,
        Self::CreateTakesInvalidKeys,
        Self::DeleteFailsTheSecondTime,
        Self::DeleteTakesAllBelow,
        Self::DeletesNothing,
        Self::GetOfNothingIsEmpty,
        Self::HeadTellsAWrongSize,
        Self::HeadTellsAWrongTime,
        Self::ListEndsAtThousand,
        Self::ListIsUnordered,
        Self::ListMatchesDirectoriesOnly,
        Self::ListTakesInvalidPrefixes,
        Self::DirectoriesAreTheParents,
        Self::RangeIsCutAtTheEnd,
        Self::RangeIsInclusive,
        Self::ReplaceIgnoresTheVersion,
        Self::ReplaceMakesTheObject,
        Self::ReplaceTellsTheOldVersion,
        Self::UploadReplaces,
        Self::UploadIsSeenAtOnce,
        Self::UploadLosesTheLastPiece,
        Self::AbortUploadsDeletesObjects,
    ];
}

#[derive(Debug)]
pub(crate) struct FaultyStore {
    store: MemoryStore,
    fault: Fault,
}

impl FaultyStore {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { store: MemoryStore::new(), fault }
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), StoreError> {
        let all: Vec<ObjectMeta> = self.store.list(prefix).try_collect().await?;
        for object in all {
            self.store.delete(&object.key).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        match self.fault {
            Fault::CreateReplaces => self.store.delete(key).await?,
            Fault::CreateTakesInvalidKeys if validate_key(key).is_err() => return Ok(()),
            _ => {}
        }
        let lost = usize::from(self.fault == Fault::CreateForgetsTheEnd && body.len() > 1 << 20);
        self.store.create(key, body.slice(..body.len() - lost)).await
    }

    async fn start_upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        validate_key(key)?;
        if self.fault == Fault::UploadReplaces {
            self.store.delete(key).await?;
        }
        let upload = self.store.start_upload(key).await?;
        let (store, key) = (self.store.clone(), key.to_owned());
        Ok(Box::new(FaultyUpload { upload, store, key, fault: self.fault, held: Bytes::new() }))
    }

    async fn get(&self, key: &str) -> Result<ByteStream, StoreError> {
        match self.store.get(key).await {
            Err(StoreError::NotFound { .. }) if self.fault == Fault::GetOfNothingIsEmpty => {
                Ok(futures::stream::empty().boxed())
            }
            result => result,
        }
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let size = self.store.head(key).await?.size;
        let range = match self.fault {
            Fault::RangeIsCutAtTheEnd => range.start.min(size)..range.end.min(size),
            Fault::RangeIsInclusive if range.end < size => range.start..range.end + 1,
            _ => range,
        };
        self.store.get_range(key, range).await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        let mut meta = self.store.head(key).await?;
        match self.fault {
            Fault::HeadTellsAWrongSize => meta.size += 1,
            Fault::HeadTellsAWrongTime => meta.modified += SignedDuration::from_hours(1),
            _ => {}
        }
        Ok(meta)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<ObjectMeta, StoreError>> {
        match self.fault {
            Fault::ListEndsAtThousand => self.store.list(prefix).take(1000).boxed(),
            Fault::ListTakesInvalidPrefixes => {
                let valid = self.store.list(prefix);
                valid.take_while(|object| std::future::ready(object.is_ok())).boxed()
            }
            Fault::ListMatchesDirectoriesOnly => {
                let directory = prefix.rsplit_once('/').map_or("", |(_, _)| prefix);
                self.store.list(directory).boxed()
            }
            // As a walk over directories gives them.
            Fault::ListIsUnordered => futures::stream::once(async move {
                let mut all: Vec<ObjectMeta> = self.store.list(prefix).try_collect().await?;
                all.sort_by(|a, b| a.key.split('/').cmp(b.key.split('/')));
                Ok(futures::stream::iter(all.into_iter().map(Ok)))
            })
            .try_flatten()
            .boxed(),
            _ => self.store.list(prefix),
        }
    }

    async fn list_directories(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let mut names = self.store.list_directories(prefix).await?;
        if self.fault == Fault::DirectoriesAreTheParents {
            names = names.into_iter().map(|name| format!("{prefix}{name}")).collect();
        }
        Ok(names)
    }

    async fn replace(&self, key: &str, body: Bytes, version: &str) -> Result<String, StoreError> {
        let found = self.store.head(key).await.ok().map(|meta| meta.version);
        match (self.fault, found) {
            (Fault::ReplaceIgnoresTheVersion, Some(found)) => {
                self.store.replace(key, body, &found).await
            }
            (Fault::ReplaceMakesTheObject, None) => {
                self.store.create(key, body).await?;
                Ok(self.store.head(key).await?.version)
            }
            (Fault::ReplaceTellsTheOldVersion, _) => {
                self.store.replace(key, body, version).await?;
                Ok(version.to_owned())
            }
            _ => self.store.replace(key, body, version).await,
        }
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self.fault {
            Fault::DeleteFailsTheSecondTime => drop(self.store.head(key).await?),
            Fault::DeleteTakesAllBelow => self.delete_all(key).await?,
            Fault::DeletesNothing => return validate_key(key),
            _ => {}
        }
        self.store.delete(key).await
    }

    async fn abort_uploads(&self, prefix: &str) -> Result<(), StoreError> {
        if self.fault == Fault::AbortUploadsDeletesObjects {
            self.delete_all(prefix).await?;
        }
        self.store.abort_uploads(prefix).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    upload: Box<dyn Upload>,
    store: MemoryStore,
    key: String,
    fault: Fault,
    held: Bytes,
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if self.fault == Fault::UploadIsSeenAtOnce {
            drop(self.store.create(&self.key, bytes.clone()).await);
        }
        let piece = match self.fault {
            Fault::UploadLosesTheLastPiece => std::mem::replace(&mut self.held, bytes),
            _ => bytes,
        };
        self.upload.write(piece).await
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        if self.fault == Fault::UploadReplaces {
            self.store.delete(&self.key).await?;
        }
        self.upload.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        self.upload.abort().await
    }
}

//! A place that keeps objects by key.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

/// The content of an object, in order, in pieces of the store's choosing.
pub type ByteStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// A flat store of objects by key, as S3 is one: keys are paths with `/`, there are no directories.
///
/// What a backup consists of is written once, with [`create`](Self::create). Only a writer that names
/// the version it has read can replace an object. Calls may run concurrently.
#[async_trait]
pub trait ObjectStore: fmt::Debug + Send + Sync {
    /// Writes an object whose key does not exist yet, all of it or nothing.
    ///
    /// When it returns, the object survives the loss of power.
    /// Fails with [`StoreError::AlreadyExists`], and changes nothing, where the key exists.
    async fn create(&self, key: &str, body: Bytes) -> Result<(), StoreError>;

    /// Starts to write a large object in parts, in bounded memory.
    ///
    /// Fails early with [`StoreError::AlreadyExists`] where it can; [`Upload::finish`] decides.
    async fn start_upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError>;

    /// Reads a whole object.
    async fn get(&self, key: &str) -> Result<ByteStream, StoreError>;

    /// Reads the bytes of `range`, all of which must exist.
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// Describes an object without reading it.
    async fn head(&self, key: &str) -> Result<ObjectMeta, StoreError>;

    /// Lists all objects whose key starts with `prefix`, in byte order of their keys.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<ObjectMeta, StoreError>>;

    /// Names the "directories" directly below `prefix` (which is empty or ends in `/`), in order,
    /// without their trailing slash and without `prefix`.
    async fn list_directories(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Writes an object anew if its version is still the one of [`head`](Self::head); gives back the
    /// version that it has then.
    ///
    /// Fails with [`StoreError::Changed`], and changes nothing, where it is another by now or gone.
    async fn replace(&self, key: &str, body: Bytes, version: &str) -> Result<String, StoreError>;

    /// Removes an object; one that does not exist is removed already.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Discards what unfinished uploads, of whatever process, left behind for keys below `prefix`.
    async fn abort_uploads(&self, prefix: &str) -> Result<(), StoreError>;

    /// Tells until when the store refuses to remove an object, which may be over by now; none if it
    /// does not.
    async fn retention(&self, key: &str) -> Result<Option<Retention>, StoreError> {
        let _ = key;
        Ok(None)
    }

    /// Makes a URL that anybody can read the object with for a while; none if the store has no such.
    async fn presigned_url(
        &self,
        key: &str,
        lifetime: Duration,
    ) -> Result<Option<String>, StoreError> {
        let _ = (key, lifetime);
        Ok(None)
    }

    /// Tells how the store guards its objects.
    async fn protection(&self) -> Result<Protection, StoreError> {
        Ok(Protection::default())
    }

    /// Tells what the store cannot do as it was asked, each once: a weaker checksum, say, or a
    /// condition that is looked up before a write instead of being part of it.
    fn take_notices(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An object that is being written. Until it is finished nobody sees it.
///
/// Dropped unfinished, it leaves nothing visible; [`ObjectStore::abort_uploads`] clears the rest.
#[async_trait]
pub trait Upload: fmt::Debug + Send {
    /// Appends bytes, in any sizes; returns when there is room for more.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Makes the object visible, whole and durable, if its key still does not exist.
    async fn finish(self: Box<Self>) -> Result<(), StoreError>;

    /// Discards what was written.
    async fn abort(self: Box<Self>) -> Result<(), StoreError>;
}

/// What a store tells of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The key.
    pub key: String,
    /// The length in bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
    /// Changes whenever the object is written anew; means nothing else.
    pub version: String,
}

/// Until when an object cannot be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The end of its retention period; none if somebody has to lift a legal hold.
    pub until: Option<Timestamp>,
}

/// How a store guards its objects. Each says what is set, in the store's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Whether earlier versions of objects are kept.
    pub versioning: Setting,
    /// Whether objects can be kept from being removed.
    pub object_lock: Setting,
    /// How objects are encrypted at rest.
    pub encryption: Setting,
}

/// A setting of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Setting {
    /// The store has nothing of the kind.
    #[default]
    NotApplicable,
    /// It is off.
    Off,
    /// It is on; how: `COMPLIANCE for 30 days`, `aws:kms`.
    On(String),
    /// It could not be read; why.
    Unknown(String),
}

/// Why a store did not do what it was asked, by meaning.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no object of that key.
    #[error("\"{key}\" does not exist")]
    NotFound {
        /// The key that was asked for.
        key: String,
    },
    /// The key is taken; nothing was changed.
    #[error("\"{key}\" exists already")]
    AlreadyExists {
        /// The key that was to be written.
        key: String,
    },
    /// The object is another than the one that was read; nothing was changed.
    #[error("\"{key}\" was changed meanwhile")]
    Changed {
        /// The key that was to be replaced.
        key: String,
    },
    /// The store refuses this caller: no credentials, no permission, read-only.
    #[error("access to \"{key}\" was refused")]
    Denied {
        /// The key or prefix of the call.
        key: String,
        /// What the store said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The key has an empty part, `.`, `..`, a control character, or is too long.
    #[error("\"{key}\" is not a valid key")]
    InvalidKey {
        /// The key of the call.
        key: String,
    },
    /// There is no room left.
    #[error("no space left for \"{key}\"")]
    Full {
        /// The key that was to be written.
        key: String,
        /// What the store said.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Everything else: unreachable, broken, out of retries.
    #[error("failed to {operation} \"{key}\"")]
    Failed {
        /// What was tried, as a verb: `read`, `list`.
        operation: &'static str,
        /// The key or prefix of the call.
        key: String,
        /// What the store said.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// Checks that `key` means the same object in every store.
///
/// S3 takes nearly any key; a file system does not, and a key that climbs with `..` must never reach
/// one. At most 1,024 bytes (S3's limit), parts of 1 to 255 bytes that do not start with a dot.
pub fn validate_key(key: &str) -> Result<(), StoreError> {
    let valid_part = |part: &str| {
        !part.is_empty()
            && part.len() <= 255
            && !part.starts_with('.')
            && !part.contains(|c: char| c.is_control() || c == '\\')
    };
    if key.len() <= 1024 && key.split('/').all(valid_part) {
        Ok(())
    } else {
        Err(StoreError::InvalidKey { key: key.to_owned() })
    }
}

/// Checks that `prefix` can be the start of a valid key: it is empty, or one itself but for a
/// trailing slash.
pub fn validate_prefix(prefix: &str) -> Result<(), StoreError> {
    if prefix.is_empty() {
        return Ok(());
    }
    validate_key(prefix.strip_suffix('/').unwrap_or(prefix))
        .map_err(|_| StoreError::InvalidKey { key: prefix.to_owned() })
}

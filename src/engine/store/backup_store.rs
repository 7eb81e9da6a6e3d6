//! Reading and writing the files of backups and restores.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::sync::Arc;

use bowline_api::{ByteStream, ObjectStore, StoreError, Upload};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::document::{self, LARGEST_FILE};
use super::layout::BackupKeys;
use crate::engine::model::digest;

/// A location: backups and restores over an object store.
#[derive(Clone, Debug)]
pub struct BackupStore {
    pub(super) store: Arc<dyn ObjectStore>,
    url: String,
}

/// What a file must be like to be the one that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The length in bytes.
    pub size: u64,
    /// The SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// `bowline-digests.json`: the digests of a backup's files, by file name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// By file name within the backup's directory.
    pub files: BTreeMap<String, Digest>,
}

/// A file beside the archive.
#[derive(Clone, Debug)]
pub struct SideFile {
    /// Its key.
    pub key: String,
    /// Its content, packed where the key says so.
    pub content: Bytes,
}

/// Why a location did not give or take a file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is not what it should be.
    #[error("\"{key}\" cannot be read")]
    Malformed {
        /// The key of the file.
        key: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is another than the one that was written.
    #[error("\"{key}\" is not the file that was written: its digest differs")]
    Differs {
        /// The key of the file.
        key: String,
    },
    /// The file is too large to be true.
    #[error("\"{key}\" is larger than {limit} bytes")]
    TooLarge {
        /// The key of the file.
        key: String,
        /// What is accepted; of a packed file, what it may unpack to.
        limit: u64,
    },
}

impl Error {
    /// Whether the file simply does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Store(StoreError::NotFound { .. }))
    }

    /// Whether the file is there, but not what it should be.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Malformed { .. } | Self::TooLarge { .. } | Self::Differs { .. })
    }

    /// Whether the key is taken.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::Store(StoreError::AlreadyExists { .. }))
    }
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, sha256: digest::sha256(bytes) }
    }
}

impl SideFile {
    /// A JSON document as it is.
    pub fn json<T: Serialize>(key: String, document: &T) -> Result<Self, Error> {
        let content = serde_json::to_vec_pretty(document).map_err(|e| malformed(&key, e))?;
        Ok(Self { key, content: content.into() })
    }

    /// A JSON document, packed; with a line feed at its end, as Go's encoder puts one there.
    pub fn json_gz<T: Serialize>(key: String, document: &T) -> Result<Self, Error> {
        let mut text = BufWriter::new(GzEncoder::new(Vec::new(), Compression::default()));
        serde_json::to_writer(&mut text, document).map_err(|e| malformed(&key, e))?;
        let whole = text.write_all(b"\n").and_then(|()| Ok(text.into_inner()?));
        let packed = whole.and_then(GzEncoder::finish);
        Ok(Self { content: packed.map_err(|e| malformed(&key, e))?.into(), key })
    }

    /// Any text, packed.
    pub fn gz(key: String, content: &[u8]) -> Result<Self, Error> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(content).and_then(|()| encoder.finish());
        Ok(Self { content: packed.map_err(|e| malformed(&key, e))?.into(), key })
    }

    /// Its name within its directory.
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }
}

impl BackupStore {
    /// Opens a location; `url` is what people call it.
    pub fn new(store: Arc<dyn ObjectStore>, url: impl Into<String>) -> Self {
        Self { store, url: url.into() }
    }

    /// The URL of the location.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The objects themselves, to see what the store can do.
    pub fn objects(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// Writes a file whose key must not exist.
    ///
    /// A failure may be only that of the reply: what is there by then, and is this very file, is
    /// what was written. The files that matter hold a UID, so nobody else wrote the same.
    pub async fn create(&self, file: &SideFile) -> Result<(), Error> {
        match self.store.create(&file.key, file.content.clone()).await {
            Err(StoreError::Failed { .. }) if self.holds(file).await => Ok(()),
            other => Ok(other?),
        }
    }

    async fn holds(&self, file: &SideFile) -> bool {
        self.bytes(&file.key).await.is_ok_and(|content| file.content == content)
    }

    /// Starts to write a backup's archive.
    pub async fn start_archive(&self, name: &str) -> Result<Box<dyn Upload>, Error> {
        Ok(self.store.start_upload(&BackupKeys(name).archive()).await?)
    }

    /// Reads a backup's archive.
    pub async fn archive(&self, name: &str) -> Result<ByteStream, Error> {
        Ok(self.store.get(&BackupKeys(name).archive()).await?)
    }

    /// Reads some bytes of a backup's archive, all of which must exist.
    pub async fn archive_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.store.get_range(&BackupKeys(name).archive(), range).await
    }

    /// Tells the size of a backup's archive in bytes.
    pub async fn archive_size(&self, name: &str) -> Result<u64, Error> {
        Ok(self.store.head(&BackupKeys(name).archive()).await?.size)
    }

    /// Reads a small file as it is.
    pub async fn bytes(&self, key: &str) -> Result<Vec<u8>, Error> {
        let mut stream = self.store.get(key).await?;
        let mut content = Vec::new();
        while let Some(piece) = stream.try_next().await? {
            if content.len() as u64 + piece.len() as u64 > LARGEST_FILE {
                return Err(Error::TooLarge { key: key.to_owned(), limit: LARGEST_FILE });
            }
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }

    /// Reads a small file as it is; none if it does not exist.
    pub async fn bytes_if_there(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.bytes(key).await {
            Err(error) if error.is_not_found() => Ok(None),
            read => read.map(Some),
        }
    }

    /// Reads a JSON document.
    pub async fn json<T: DeserializeOwned>(&self, key: &str) -> Result<T, Error> {
        document::object(key, &self.bytes(key).await?)
    }

    /// Reads a JSON document; none if it does not exist.
    pub async fn json_if_there<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let content = self.bytes_if_there(key).await?;
        content.map(|content| document::object(key, &content)).transpose()
    }

    /// Reads a packed JSON document; one that does not exist, or is `null`, is the default.
    pub async fn json_gz<T: DeserializeOwned + Default>(&self, key: &str) -> Result<T, Error> {
        let Some(packed) = self.bytes_if_there(key).await? else { return Ok(T::default()) };
        document::packed(key, &packed)
    }

    /// Whether a key exists.
    pub async fn exists(&self, key: &str) -> Result<bool, Error> {
        match self.store.head(key).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes back what an attempt is finished by.
    pub async fn withdraw_pending(&self, name: &str) -> Result<(), Error> {
        Ok(self.store.delete(&BackupKeys(name).pending()).await?)
    }

    /// Tells what the store could not do as it was asked, each thing once.
    pub fn take_notices(&self) -> Vec<String> {
        self.store.take_notices()
    }
}

pub(super) fn malformed(
    key: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::Malformed { key: key.to_owned(), source: source.into() }
}

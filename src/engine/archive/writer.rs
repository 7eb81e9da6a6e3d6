//! Writes an archive that Velero can read.

use std::collections::VecDeque;
use std::fmt;

use bowline_api::{ItemId, Upload};
use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use super::block::{Block, Blocks, Member};
use super::digest::hex;
use super::index::IndexWriter;
use super::limits::ITEM_BYTES;
use super::{Error, item, path};

/// Writes items into a `tar.gz`, in the order in which they come.
///
/// The tar is cut into blocks of about 256 KiB, each of which becomes a gzip member of its own: they
/// are compressed in parallel, and an item can be read later without the rest. Memory is bounded by
/// the blocks in flight; of an item nothing stays but its line in the compressed index.
pub struct Writer {
    upload: Box<dyn Upload>,
    blocks: Blocks,
    compressing: usize,
    in_flight: VecDeque<JoinHandle<std::io::Result<Member>>>,
    index: IndexWriter,
    digest: Sha256,
    /// Whether all that was begun is done; a part may be missing otherwise.
    sound: bool,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The size of the archive in bytes.
    pub size: u64,
    /// The SHA-256 of the archive, in lower-case hex.
    pub sha256: String,
    /// The number of items, each of which has two entries.
    pub items: u64,
    /// The content of `bowline-index.json.gz`, for [`Index::parse`](super::Index::parse).
    pub index: Vec<u8>,
}

impl Writer {
    /// Starts an archive whose entries are dated `modified`, with at most `compressing` blocks (but
    /// one at least) in flight.
    pub fn new(upload: Box<dyn Upload>, modified: Timestamp, compressing: usize) -> Self {
        Self {
            upload,
            blocks: Blocks::new(modified),
            compressing: compressing.max(1),
            in_flight: VecDeque::new(),
            index: IndexWriter::new(),
            digest: Sha256::new(),
            sound: true,
        }
    }

    /// Appends an object, in the version (without the group) that it is stored in.
    ///
    /// It is checked as a reader will check it. If the error [is of the
    /// item](Error::is_of_item), nothing was written and the archive may go on without it; after any
    /// other, and after dropping the future, abort: [`finish`](Self::finish) will fail. That no item
    /// comes twice is up to the caller.
    pub async fn append(&mut self, id: &ItemId, version: &str, json: &[u8]) -> Result<(), Error> {
        check(id, version, json)?;
        self.begin()?;
        let full = self.blocks.append(id, version, json).map_err(Error::Pack)?;
        self.go_on(full).await
    }

    /// Appends an object that was appended before in another version, too.
    ///
    /// The index only counts it. Otherwise as for [`append`](Self::append).
    pub async fn append_version(
        &mut self,
        id: &ItemId,
        version: &str,
        json: &[u8],
    ) -> Result<(), Error> {
        check(id, version, json)?;
        self.begin()?;
        let full = self.blocks.append_version(id, version, json).map_err(Error::Pack)?;
        self.go_on(full).await
    }

    async fn go_on(&mut self, full: Option<Block>) -> Result<(), Error> {
        if let Some(block) = full {
            self.submit(block).await?;
        }
        self.sound = true;
        Ok(())
    }

    /// Writes what is left and makes the archive visible, whole and durable.
    pub async fn finish(mut self) -> Result<Written, Error> {
        self.begin()?;
        let last = self.blocks.finish().map_err(Error::Pack)?;
        self.submit(last).await?;
        while let Some(member) = self.in_flight.pop_front() {
            self.write(member.await?.map_err(Error::Pack)?).await?;
        }
        let Self { upload, index, digest, .. } = self;
        let sha256 = hex(digest);
        let (size, items) = (index.size(), index.items());
        let index = index.finish(&sha256).map_err(Error::Pack)?;
        upload.finish().await?;
        Ok(Written { size, sha256, items, index })
    }

    /// Discards what was written.
    pub async fn abort(self) -> Result<(), Error> {
        Ok(self.upload.abort().await?)
    }

    fn begin(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.sound, false) { Ok(()) } else { Err(Error::Incomplete) }
    }

    async fn submit(&mut self, block: Block) -> Result<(), Error> {
        while self.in_flight.len() >= self.compressing {
            let Some(member) = self.in_flight.pop_front() else { break };
            self.write(member.await?.map_err(Error::Pack)?).await?;
        }
        self.in_flight.push_back(tokio::task::spawn_blocking(|| block.compress()));
        Ok(())
    }

    async fn write(&mut self, member: Member) -> Result<(), Error> {
        self.index.member(&member).map_err(Error::Pack)?;
        self.digest.update(&member.gzip);
        Ok(self.upload.write(Bytes::from(member.gzip)).await?)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("upload", &self.upload).finish_non_exhaustive()
    }
}

fn check(id: &ItemId, version: &str, json: &[u8]) -> Result<(), Error> {
    path::check_item(id, version).map_err(|reason| Error::name(&id.to_string(), reason))?;
    let size = json.len() as u64;
    if size > ITEM_BYTES {
        return Err(Error::TooLarge { name: id.to_string(), size, limit: ITEM_BYTES });
    }
    item::check_version(id, json, version)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Item, Object, run};
    use super::*;

    /// A store that loses the connection for its first write.
    #[derive(Debug, Default)]
    struct Flaky(Object, bool);

    #[async_trait::async_trait]
    impl Upload for Flaky {
        async fn write(&mut self, bytes: Bytes) -> Result<(), bowline_api::StoreError> {
            if std::mem::replace(&mut self.1, true) {
                return self.0.write(bytes).await;
            }
            Err(bowline_api::StoreError::NotFound { key: String::new() })
        }

        async fn finish(self: Box<Self>) -> Result<(), bowline_api::StoreError> {
            Box::new(self.0).finish().await
        }

        async fn abort(self: Box<Self>) -> Result<(), bowline_api::StoreError> {
            Ok(())
        }
    }

    #[test]
    fn an_archive_that_lost_a_part_is_never_finished() {
        let item = Item::new("configmaps/shop/big", "v1", &"x".repeat(600_000));
        let upload = Flaky::default();
        let visible = std::sync::Arc::clone(&upload.0.visible);
        let error = run(async {
            let mut writer = Writer::new(Box::new(upload), Timestamp::UNIX_EPOCH, 1);
            writer.append(&item.id, "v1", &item.json).await.unwrap();
            let error = writer.append(&item.id, "v1", &item.json).await.unwrap_err();
            assert!(matches!(error, Error::Store(_)) && !error.is_of_item(), "{error}");
            writer.finish().await.unwrap_err()
        });
        assert!(matches!(error, Error::Incomplete), "{error}");
        assert!(visible.lock().unwrap().is_none());
    }

    #[test]
    fn blocks_wait_for_a_free_place() {
        let item = Item::new("configmaps/shop/big", "v1", &"x".repeat(600_000));
        run(async {
            let mut writer = Writer::new(Box::new(Object::default()), Timestamp::UNIX_EPOCH, 3);
            let mut in_flight = Vec::new();
            for _ in 0..6 {
                writer.append(&item.id, "v1", &item.json).await.unwrap();
                in_flight.push(writer.in_flight.len());
            }
            assert_eq!(in_flight, [1, 2, 3, 3, 3, 3]);
        });
    }
}

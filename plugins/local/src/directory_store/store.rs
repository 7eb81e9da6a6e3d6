//! [`DirectoryStore`], the store.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use async_trait::async_trait;
use bowline_api::{
    ByteStream, ObjectMeta, ObjectStore, StoreError, Upload, validate_key, validate_prefix,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use rustix::fs::Mode;

use super::error::{about, store_error, write_error};
use super::list::{Walk, directories, if_there, object_meta, version};
use super::temporary::{Temporary, clear, refuse_taken, split};
use crate::blocking;
use crate::dir::Dir;

/// How many bytes are read at a time.
const PIECE: usize = 256 << 10;

/// How many objects are looked up at a time.
const PAGE: usize = 1000;

/// A store whose objects are the files below a directory.
///
/// Files and directories are made for their owner only, as backups hold Secrets. The directory is
/// made by the first write; until then it is an empty store.
#[derive(Clone, Debug)]
pub struct DirectoryStore {
    root: PathBuf,
}

impl DirectoryStore {
    /// Keeps objects below `root`, which need not exist yet.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn open_root(&self) -> io::Result<Option<Dir>> {
        match Dir::open(&self.root) {
            Ok(root) => Ok(Some(root)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(about(&self.root, &error)),
        }
    }

    fn make_root(&self) -> io::Result<Dir> {
        Dir::make(&self.root, Mode::RWXU).map_err(|error| about(&self.root, &error))
    }

    fn open_parent(&self, parents: &[&str]) -> io::Result<Option<Dir>> {
        match self.open_root()? {
            Some(root) => if_there(root.descend(parents)),
            None => Ok(None),
        }
    }

    fn open_object(&self, key: &str) -> io::Result<File> {
        let (parents, name) = split(key);
        let parent = self.open_parent(&parents)?.ok_or(io::ErrorKind::NotFound)?;
        parent.open_file(name)
    }

    fn start(&self, key: &str) -> io::Result<Temporary> {
        let root = self.make_root()?;
        refuse_taken(&root, key)?;
        // What dead processes left behind has no key by which anybody would look for it.
        drop(clear(&root, ""));
        Temporary::new(root, key)
    }

    fn remove(&self, key: &str) -> io::Result<()> {
        let Some(root) = self.open_root()? else { return Ok(()) };
        let (parents, name) = split(key);
        let Some(parent) = if_there(root.descend(&parents))? else { return Ok(()) };
        match parent.find(name)? {
            Some(metadata) if metadata.is_file() => if_there(parent.remove_file(name))?,
            _ => return Ok(()),
        };
        parent.sync()?;
        root.prune(&parents);
        Ok(())
    }

    /// Writes an object anew if it has this version; none if it has not.
    fn write_over(&self, key: &str, body: &[u8], expected: &str) -> io::Result<Option<String>> {
        let (parents, name) = split(key);
        let Some(parent) = self.open_parent(&parents)? else { return Ok(None) };
        let Some(old) = if_there(parent.open_file(name))? else { return Ok(None) };
        // Whoever comes second finds, once it has the lock, that the file lost its name.
        old.lock()?;
        let current = parent.find(name)?.is_some_and(|found| version(&found) == expected);
        if !current || version(&old.metadata()?) != expected {
            return Ok(None);
        }
        let mut temporary = self.start_anew(key)?;
        temporary.file.write_all(body)?;
        temporary.publish_over(&parent, name).map(Some)
    }

    fn start_anew(&self, key: &str) -> io::Result<Temporary> {
        Temporary::new(self.make_root()?, key)
    }

    fn directories(&self, prefix: &str) -> io::Result<Vec<String>> {
        let parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
        self.open_parent(&parts)?.map_or_else(|| Ok(Vec::new()), |dir| directories(&dir))
    }
}

/// Runs file work where it may block, and says what failed in the words of a store.
async fn run<T: Send + 'static>(
    operation: &'static str,
    key: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let result = blocking::run(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    result.map_err(|error| store_error(operation, key, error))
}

/// As [`run`], for work where a missing file is not a missing object.
async fn run_write<T: Send + 'static>(
    operation: &'static str,
    key: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let result = blocking::run(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    result.map_err(|error| write_error(operation, key, error))
}

#[async_trait]
impl ObjectStore for DirectoryStore {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        validate_key(key)?;
        let (store, owned) = (self.clone(), key.to_owned());
        run_write("create", key, move || {
            let mut temporary = store.start(&owned)?;
            temporary.file.write_all(&body)?;
            temporary.publish()
        })
        .await
    }

    async fn start_upload(&self, key: &str) -> Result<Box<dyn Upload>, StoreError> {
        validate_key(key)?;
        let (store, owned) = (self.clone(), key.to_owned());
        let temporary = run_write("create", key, move || store.start(&owned)).await?;
        Ok(Box::new(DirectoryUpload { key: key.to_owned(), temporary: Some(temporary) }))
    }

    async fn get(&self, key: &str) -> Result<ByteStream, StoreError> {
        validate_key(key)?;
        let (store, owned) = (self.clone(), key.to_owned());
        let file = run("read", key, move || store.open_object(&owned)).await?;
        Ok(stream_file(file, key.to_owned()))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        validate_key(key)?;
        let (store, owned) = (self.clone(), key.to_owned());
        run("read", key, move || read_range(&store.open_object(&owned)?, &range)).await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StoreError> {
        validate_key(key)?;
        let (store, key) = (self.clone(), key.to_owned());
        run("describe", &key.clone(), move || {
            let metadata = store.open_object(&key)?.metadata()?;
            object_meta(key, &metadata)
        })
        .await
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<ObjectMeta, StoreError>> {
        stream::once(async move {
            validate_prefix(prefix)?;
            let (store, owned) = (self.clone(), prefix.to_owned());
            let walk = run("list", prefix, move || match store.open_root()? {
                Some(root) => Walk::new(&root, &owned).map(Some),
                None => Ok(None),
            });
            Ok(pages(walk.await?, prefix))
        })
        .try_flatten()
        .boxed()
    }

    async fn list_directories(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        validate_prefix(prefix)?;
        if !prefix.is_empty() && !prefix.ends_with('/') {
            return Err(StoreError::InvalidKey { key: prefix.to_owned() });
        }
        let (store, owned) = (self.clone(), prefix.to_owned());
        run("list", prefix, move || store.directories(&owned)).await
    }

    async fn replace(&self, key: &str, body: Bytes, version: &str) -> Result<String, StoreError> {
        validate_key(key)?;
        let (store, owned, expected) = (self.clone(), key.to_owned(), version.to_owned());
        let written =
            run_write("replace", key, move || store.write_over(&owned, &body, &expected)).await?;
        written.ok_or_else(|| StoreError::Changed { key: key.to_owned() })
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        validate_key(key)?;
        let (store, owned) = (self.clone(), key.to_owned());
        run_write("delete", key, move || store.remove(&owned)).await
    }

    async fn abort_uploads(&self, prefix: &str) -> Result<(), StoreError> {
        validate_prefix(prefix)?;
        let (store, owned) = (self.clone(), prefix.to_owned());
        run_write("discard the uploads of", prefix, move || {
            store.open_root()?.map_or(Ok(()), |root| clear(&root, &owned))
        })
        .await
    }
}

fn stream_file(file: File, key: String) -> ByteStream {
    stream::try_unfold((file, key), |(file, key)| async move {
        let (file, piece) = run("read", &key, move || {
            let mut piece = Vec::with_capacity(PIECE);
            (&file).take(PIECE as u64).read_to_end(&mut piece)?;
            Ok((file, piece))
        })
        .await?;
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), (file, key))))
    })
    .boxed()
}

fn read_range(file: &File, range: &Range<u64>) -> io::Result<Bytes> {
    let size = file.metadata()?.len();
    if range.start > range.end || range.end > size {
        let (start, end) = (range.start, range.end);
        return Err(io::Error::other(format!("bytes {start} to {end} of {size}")));
    }
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes.into())
}

fn pages(
    walk: Option<Walk>,
    prefix: &str,
) -> impl futures::Stream<Item = Result<ObjectMeta, StoreError>> + Send {
    stream::try_unfold(walk, move |walk| async move {
        let Some(mut walk) = walk else { return Ok(None) };
        let (walk, page) = run("list", prefix, move || {
            let page = walk.page(PAGE)?;
            Ok(((page.len() == PAGE).then_some(walk), page))
        })
        .await?;
        Ok(Some((stream::iter(page.into_iter().map(Ok)), walk)))
    })
    .try_flatten()
}

/// An object on its way into the directory.
#[derive(Debug)]
struct DirectoryUpload {
    key: String,
    /// Absent while a write is under way, and for good after one that failed or was dropped.
    temporary: Option<Temporary>,
}

impl DirectoryUpload {
    fn take(&mut self) -> Result<Temporary, StoreError> {
        self.temporary.take().ok_or_else(|| {
            let error = io::Error::other("an earlier write of it did not succeed");
            write_error("create", &self.key, error)
        })
    }
}

#[async_trait]
impl Upload for DirectoryUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let mut temporary = self.take()?;
        let written = run_write("create", &self.key, move || {
            temporary.file.write_all(&bytes)?;
            Ok(temporary)
        });
        self.temporary = Some(written.await?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StoreError> {
        let temporary = self.take()?;
        run_write("create", &self.key, move || temporary.publish()).await
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        let temporary = self.temporary.take();
        run_write("discard", &self.key, move || {
            drop(temporary);
            Ok(())
        })
        .await
    }
}

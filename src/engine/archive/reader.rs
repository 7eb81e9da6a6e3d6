//! Reads an archive of any origin, once, and trusts nothing in it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::mem;
use std::pin::pin;

use bowline_api::{ByteStream, ItemId};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;

use super::path::{Copy, EntryPath, ItemPath};
use super::table::{Scope, TableBuilder};
use super::tar_reader::{TarEntry, TarReader};
use super::unpack::{Feed, Unpack};
use super::{Contents, Error, Ignored, Limits, item, path};

/// How many chunks of the store's choosing may wait to be unpacked.
pub(super) const CHUNKS_WAITING: usize = 4;

/// The longest version of the format, with its line feed, in bytes.
const LONGEST_FORMAT: usize = 32;

/// Reads a whole archive into an unlinked temporary file, and checks all that can be checked.
///
/// The memory it takes is the largest item, a few chunks, and about 50 bytes for each item, but never
/// more than the limits allow. Links, devices, names outside the grammar, duplicates, objects that
/// are not what their entry's name says, and whatever exceeds the limits are refused, each with an
/// error of its own; so is an archive that is damaged, truncated or continued. One without items is
/// valid.
pub async fn read(stream: ByteStream, limits: Limits) -> Result<Contents, Error> {
    read_from(stream, limits).await
}

/// Reads a whole archive as [`read`] does, wherever it comes from.
pub(super) async fn read_from<E>(
    stream: impl Stream<Item = Result<Bytes, E>>,
    limits: Limits,
) -> Result<Contents, Error>
where
    Error: From<E>,
{
    let (sender, chunks) = mpsc::channel(CHUNKS_WAITING);
    let walk = tokio::task::spawn_blocking(move || walk(Feed::new(chunks), &limits));
    let fed = feed(stream, sender).await;
    let walked = walk.await?;
    // A failed transfer looks like a truncated archive from the other side.
    fed?;
    walked
}

/// Sends a stream to the thread that unpacks it.
pub(super) async fn feed<E>(
    stream: impl Stream<Item = Result<Bytes, E>>,
    chunks: mpsc::Sender<Bytes>,
) -> Result<(), Error>
where
    Error: From<E>,
{
    let mut stream = pin!(stream);
    while let Some(chunk) = stream.next().await {
        if chunks.send(chunk?).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn walk(feed: Feed, limits: &Limits) -> Result<Contents, Error> {
    let mut tar = TarReader::new(Unpack::new(feed, limits), limits);
    let mut spool = Spool::new(limits)?;
    let mut content = Vec::new();
    let mut count = 0;
    while let Some(entry) = tar.next()? {
        count += 1;
        if count > limits.entries {
            return Err(Error::TooMany(limits.entries));
        }
        tar.content(&entry, &mut content)?;
        spool.take(entry, &mut content)?;
    }
    let (size, sha256) = tar.finish();
    spool.finish(size, sha256)
}

/// Sorts what a tar holds into items and the rest.
struct Spool {
    file: BufWriter<File>,
    length: u64,
    items: TableBuilder,
    /// Copies by version that do not follow their item directly.
    strays: TableBuilder,
    /// The item that the last entry held.
    last: Option<(ItemId, Vec<u8>)>,
    /// Whether the version of the format was told.
    format_seen: bool,
    ignored: Ignored,
}

impl Spool {
    fn new(limits: &Limits) -> Result<Self, Error> {
        let file = tempfile::tempfile().map_err(Error::Spool)?;
        Ok(Self {
            file: BufWriter::with_capacity(256 << 10, file),
            length: 0,
            items: TableBuilder::new(limits),
            strays: TableBuilder::new(limits),
            last: None,
            format_seen: false,
            ignored: Ignored::default(),
        })
    }

    /// Takes an entry; its content may be exchanged for another buffer.
    fn take(&mut self, entry: TarEntry, content: &mut Vec<u8>) -> Result<(), Error> {
        let TarEntry { name, directory, .. } = entry;
        let refused = |reason| Error::name(&name, reason);
        if directory {
            return path::check_directory(&name).map_err(refused);
        }
        match EntryPath::parse(&name).map_err(refused)? {
            EntryPath::Version => self.take_format(content),
            EntryPath::Item(path) => self.take_item(path, content),
            EntryPath::Unknown => {
                self.ignored.add(name, "it is neither an object nor anything else of the format");
                Ok(())
            }
        }
    }

    fn take_format(&mut self, content: &[u8]) -> Result<(), Error> {
        if mem::replace(&mut self.format_seen, true) {
            return Err(Error::Duplicate(path::VERSION.to_owned()));
        }
        check_format(content)
    }

    fn take_item(&mut self, path: ItemPath, json: &mut Vec<u8>) -> Result<(), Error> {
        let ItemPath { id, copy } = path;
        match copy {
            Copy::Item => {
                // The version that the entries' names tell is older than Velero's item actions.
                let version = item::check(&id, json)?;
                let offset = self.write(json)?;
                self.items.push(Scope::preferred(&id, version), &id.name, offset, json.len())?;
                let buffer = self.last.take().map(|(_, buffer)| buffer).unwrap_or_default();
                self.last = Some((id, mem::replace(json, buffer)));
                Ok(())
            }
            Copy::Preferred(version) => self.take_copy(&id, version, json),
            Copy::Other(version) => {
                item::check_version(&id, json, &version)?;
                let offset = self.write(json)?;
                self.last = None;
                self.items.push(Scope::additional(&id, version), &id.name, offset, json.len())
            }
        }
    }

    fn take_copy(&mut self, id: &ItemId, version: String, json: &[u8]) -> Result<(), Error> {
        match &self.last {
            Some((last, _)) if last != id => {}
            Some((_, content)) if content != json => {
                return Err(Error::CopyDiffers(id.to_string()));
            }
            Some(_) if self.items.mark_copied() => return Ok(()),
            Some(_) => return Err(Error::Duplicate(id.to_string())),
            None => {}
        }
        item::check(id, json)?;
        let offset = self.write(json)?;
        self.strays.push(Scope::preferred(id, version), &id.name, offset, json.len())
    }

    fn write(&mut self, json: &[u8]) -> Result<u64, Error> {
        let offset = self.length;
        self.file.write_all(json).map_err(Error::Spool)?;
        self.length += json.len() as u64;
        Ok(offset)
    }

    fn finish(self, size: u64, sha256: String) -> Result<Contents, Error> {
        let Self { file, items, strays, ignored, .. } = self;
        let spool = file.into_inner().map_err(|error| Error::Spool(error.into_error()))?;
        let table = items.finish()?;
        let mut contents = Contents::new(size, sha256, ignored, table, spool);
        for stray in strays.finish()?.entries() {
            let id = stray.id();
            match contents.find(&id) {
                Some(item) if item.row().copied => return Err(Error::Duplicate(id.to_string())),
                Some(item) if contents.read(item)? != contents.read(stray)? => {
                    return Err(Error::CopyDiffers(id.to_string()));
                }
                Some(_) => {}
                None => {
                    let copy = Copy::Preferred(stray.version().to_owned());
                    let name = ItemPath { id, copy }.to_string();
                    contents.ignored.add(name, "it is a copy of an object that is not there");
                }
            }
        }
        Ok(contents)
    }
}

/// Accepts `1`, `1.1.0` and what may follow within that major version.
fn check_format(content: &[u8]) -> Result<(), Error> {
    let text = String::from_utf8_lossy(&content[..content.len().min(LONGEST_FORMAT + 1)]);
    let version = text.trim_end_matches('\n');
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = content.len() <= LONGEST_FORMAT && version.split('.').all(digits);
    if is_version && version.split('.').next() == Some("1") {
        Ok(())
    } else {
        Err(Error::Format(version.to_owned()))
    }
}

//! What must hold for any input: called by the fuzz targets, and by the tests with the seeds.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, LazyLock};

use bowline::engine::archive::{self, Contents, Limits, Writer};
use bowline::engine::model::selector::{Operator, Selector};
use bowline_api::{ByteStream, ObjectStore as _};
use bowline_local::MemoryStore;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt as _;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// Small enough that no input takes long.
const LIMITS: Limits = Limits {
    entries: 1000,
    item_bytes: 1 << 20,
    name_bytes: 1 << 20,
    total_bytes: 8 << 20,
    ratio: 200,
    unsuspicious_bytes: 1 << 20,
};

const BLOCK: usize = 512;

/// The longest message that tells why an archive is refused, in bytes.
const LONGEST_MESSAGE: usize = 4096;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

/// Reads anything as an archive.
///
/// It is refused in a few words, or all that it holds can be read, is what its name says, and can be
/// written and read again.
pub fn archive_read(data: &[u8]) {
    let contents = match read(data) {
        Ok(contents) => contents,
        Err(error) => {
            let message = error.to_string();
            assert!(!message.is_empty() && message.len() < LONGEST_MESSAGE, "{message}");
            return;
        }
    };
    let items: Vec<_> = contents.entries().filter(archive::Entry::preferred).collect();
    for entry in contents.entries() {
        let json = contents.read(entry).expect("what was spooled is there");
        let object: Value = serde_json::from_slice(&json).expect("it was checked");
        assert_eq!(object["metadata"]["name"], entry.name());
        assert_eq!(json.len() as u64, entry.size());
        assert!(contents.versions(&entry.id()).any(|it| it.version() == entry.version()));
    }
    assert!(items.is_sorted_by(|a, b| a.id() < b.id()));
    let again = read(&write(&contents)).expect("what was read can be written and read again");
    assert_eq!(again.len(), items.len());
    for (entry, old) in again.entries().zip(items) {
        assert_eq!((entry.id(), entry.version()), (old.id(), old.version()));
        assert_eq!(again.read(entry).ok(), contents.read(old).ok());
    }
}

/// Reads anything as the tar within an archive, its checksums set right.
pub fn archive_tar(data: &[u8]) {
    archive_read(&packed(&with_checksums(data)));
}

/// Reads anything as a selector.
///
/// It is refused with a position in it, or reads back from what it is written as, in both forms.
pub fn selector_parse(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let selector = match text.parse::<Selector>() {
        Ok(selector) => selector,
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.position), "{error}");
            return;
        }
    };
    assert_eq!(selector.to_string().parse::<Selector>().as_ref(), Ok(&selector));
    if selector.check_storable().is_ok() {
        let json = serde_json::to_string(&selector).expect("it is storable");
        assert_eq!(serde_json::from_str::<Selector>(&json).ok().as_ref(), Some(&selector));
    }
    let labels = some_labels(&selector);
    let all = selector.requirements().iter().all(|requirement| requirement.matches(&labels));
    assert_eq!(selector.matches(&labels), all);
    assert!(!selector.is_everything() || selector.matches(&BTreeMap::new()));
}

fn read(data: &[u8]) -> Result<Contents, archive::Error> {
    let chunks: Vec<_> = data.chunks(1024).map(|it| Ok(Bytes::copy_from_slice(it))).collect();
    RUNTIME.block_on(archive::read(futures::stream::iter(chunks).boxed(), LIMITS))
}

fn write(contents: &Contents) -> Vec<u8> {
    let store = Arc::new(MemoryStore::new());
    RUNTIME.block_on(async {
        let upload = store.start_upload("archive").await.expect("memory takes it");
        let mut writer = Writer::new(upload, jiff::Timestamp::UNIX_EPOCH, 1);
        for entry in contents.entries().filter(archive::Entry::preferred) {
            let json = contents.read(entry).expect("it is there");
            writer.append(&entry.id(), entry.version(), &json).await.expect("it was checked");
        }
        writer.finish().await.expect("memory takes it");
        let stream: ByteStream = store.get("archive").await.expect("it is there");
        let chunks: Vec<Bytes> = stream.map(|chunk| chunk.expect("it is there")).collect().await;
        chunks.concat()
    })
}

/// Sets the checksum of what would be read as headers, so that more than the first one is read.
fn with_checksums(data: &[u8]) -> Vec<u8> {
    let mut tar = data.to_vec();
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..at + BLOCK) {
        at += BLOCK;
        if header.iter().all(|byte| *byte == 0) {
            continue;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = str::from_utf8(&header[124..135]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 8).ok()).unwrap_or_default();
        at = at.saturating_add(size.next_multiple_of(BLOCK));
    }
    tar
}

fn packed(tar: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(tar).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Labels that meet one requirement or the other.
fn some_labels(selector: &Selector) -> BTreeMap<String, String> {
    let value = |operator: &Operator| match operator {
        Operator::In(values) | Operator::NotIn(values) => values.first().cloned(),
        Operator::GreaterThan(than) | Operator::LessThan(than) => Some(than.to_string()),
        Operator::Exists | Operator::DoesNotExist => None,
    };
    let label = |it: &bowline::engine::model::selector::Requirement| {
        (it.key.clone(), value(&it.operator).unwrap_or_default())
    };
    selector.requirements().iter().map(label).collect()
}

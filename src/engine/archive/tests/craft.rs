//! Archives that no well-behaved program writes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::testing::Item;

/// A tar that is written header by header.
#[derive(Default)]
pub(super) struct Crafted {
    tar: Vec<u8>,
}

impl Crafted {
    /// Adds an entry of any type and name.
    pub(super) fn entry(mut self, kind: u8, name: &str, content: &[u8]) -> Self {
        self.tar.extend(header(kind, name.as_bytes(), content.len() as u64));
        self.content(content)
    }

    /// Adds a regular file.
    pub(super) fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(b'0', name, content)
    }

    /// Adds an item, without its copy, under its own name.
    pub(super) fn item(self, item: &Item) -> Self {
        self.file(&path(&item.id.to_string()), &item.json)
    }

    /// Adds the copy by version of an item.
    pub(super) fn copy(self, item: &Item) -> Self {
        self.file(&copy_path(item), &item.json)
    }

    /// Adds an extension header with these records.
    pub(super) fn pax(self, records: &[(&str, &str)]) -> Self {
        let records: String = records.iter().map(|(key, value)| record(key, value)).collect();
        self.entry(b'x', "PaxHeaders/x", records.as_bytes())
    }

    /// Adds any bytes and fills up the block.
    pub(super) fn content(mut self, content: &[u8]) -> Self {
        self.tar.extend(content);
        self.tar.resize(self.tar.len().next_multiple_of(512), 0);
        self
    }

    /// Compresses the tar as it is.
    pub(super) fn open(self) -> Vec<u8> {
        gzip(&self.tar)
    }

    /// Closes the tar and compresses it.
    pub(super) fn closed(mut self) -> Vec<u8> {
        self.tar.extend([0; 1024]);
        self.open()
    }
}

/// A header with a valid checksum.
pub(super) fn header(kind: u8, name: &[u8], size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(0o755);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// The name of an item's entry.
pub(super) fn path(id: &str) -> String {
    match id.split('/').collect::<Vec<_>>()[..] {
        [resource, namespace, name] => {
            format!("resources/{resource}/namespaces/{namespace}/{name}.json")
        }
        [resource, name] => format!("resources/{resource}/cluster/{name}.json"),
        _ => panic!("{id}"),
    }
}

/// The name of the entry of an item's copy by version.
pub(super) fn copy_path(item: &Item) -> String {
    let place = format!("/{}-preferredversion/", item.version);
    let path = path(&item.id.to_string());
    let (resources, rest) = path.split_at(path[10..].find('/').unwrap() + 10);
    format!("{resources}{place}{}", &rest[1..])
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let length = rest + (rest + 2).to_string().len();
    format!("{length} {key}={value}\n")
}

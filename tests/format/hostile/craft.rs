//! Archives that no well-behaved program writes.

use std::io::Write as _;

use bowline_api::ItemId;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

const BLOCK: usize = 512;

/// A tar that is written header by header.
#[derive(Clone, Default)]
pub(super) struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    /// A tar with the version of the format.
    pub(super) fn new() -> Self {
        Self::default().file("metadata/version", b"1.1.0\n")
    }

    /// Adds an entry of any type and name.
    pub(super) fn entry(self, kind: u8, name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        self.raw(&header(kind, name.as_ref(), content.len())).raw(content)
    }

    /// Adds a regular file.
    pub(super) fn file(self, name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        self.entry(b'0', name, content)
    }

    /// Adds an item, without its copy, under its own name.
    pub(super) fn item(self, id: &str) -> Self {
        self.file(path(id), object(id).to_string().as_bytes())
    }

    /// Adds any text where an item belongs.
    pub(super) fn json(self, id: &str, text: impl AsRef<[u8]>) -> Self {
        self.file(path(id), text.as_ref())
    }

    /// Adds an extension header with these records.
    pub(super) fn pax(self, records: &[(&str, &str)]) -> Self {
        let records: String = records.iter().map(|(key, value)| record(key, value)).collect();
        self.entry(b'x', "PaxHeaders/x", records.as_bytes())
    }

    /// Adds a GNU header with the name of the next entry.
    pub(super) fn long_name(self, name: impl AsRef<[u8]>) -> Self {
        self.entry(b'L', "././@LongLink", &[name.as_ref(), b"\0"].concat())
    }

    /// Adds the header of an empty item with these bytes in it, and a checksum that fits.
    pub(super) fn patched(self, patches: &[(usize, &[u8])]) -> Self {
        let mut header = header(b'0', path("pods/shop/web").as_bytes(), 0);
        for (at, bytes) in patches {
            header[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        set_checksum(&mut header);
        self.raw(&header)
    }

    /// Adds any bytes and fills up the block.
    pub(super) fn raw(mut self, content: &[u8]) -> Self {
        self.bytes.extend(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// Closes the tar.
    pub(super) fn tar(self) -> Vec<u8> {
        self.raw(&[0; 2 * BLOCK]).bytes
    }

    /// Compresses the tar as it is.
    pub(super) fn open(self) -> Vec<u8> {
        gzip(&self.bytes)
    }

    /// Closes the tar and compresses it.
    pub(super) fn closed(self) -> Vec<u8> {
        gzip(&self.tar())
    }
}

/// A header with a valid checksum.
pub(super) fn header(kind: u8, name: &[u8], size: usize) -> [u8; BLOCK] {
    let mut header = ::tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(::tar::EntryType::new(kind));
    header.set_mode(0o755);
    header.set_size(size as u64);
    header.set_cksum();
    *header.as_bytes()
}

/// Sets the checksum to what it has to be.
pub(super) fn set_checksum(header: &mut [u8; BLOCK]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// The object of this name.
pub(super) fn object(id: &str) -> Value {
    let ItemId { resource, namespace, name } = id.parse().unwrap();
    let kind = match resource.resource.as_str() {
        "pods" => "Pod",
        "nodes" => "Node",
        "configmaps" => "ConfigMap",
        "deployments" => "Deployment",
        _ => "Widget",
    };
    let version =
        if resource.group.is_empty() { "v1".to_owned() } else { format!("{}/v1", resource.group) };
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}})
}

/// The object of this name, as text, with one part replaced.
pub(super) fn altered(id: &str, part: &str, by: &str) -> Vec<u8> {
    let text = object(id).to_string();
    assert!(text.contains(part), "{text}");
    Tar::new().json(id, text.replace(part, by)).closed()
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

/// The name of an item's entry below a version.
pub(super) fn versioned_path(id: &str, version: &str) -> String {
    let path = path(id);
    let (resource, place) = path.split_at(path["resources/".len()..].find('/').unwrap() + 10);
    format!("{resource}/{version}{place}")
}

/// Compresses into one member.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A record of an extension header.
pub(super) fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let length = rest + (rest + 2).to_string().len();
    format!("{length} {key}={value}\n")
}

//! What the tests of this module share.

use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use bowline_api::{ByteStream, GroupResource, ItemId, StoreError, Upload};
use bytes::Bytes;
use futures::StreamExt as _;
use jiff::Timestamp;
use proptest::prelude::*;

use super::{Contents, Error, Limits, Writer, Written};
use crate::engine::model::kinds::built_in;

/// An upload into memory. It is visible once it is finished.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub(super) visible: Arc<Mutex<Option<Vec<u8>>>>,
    written: Vec<u8>,
}

#[async_trait]
impl Upload for Object {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.written.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        *self.visible.lock().unwrap() = Some(self.written);
        Ok(())
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// An item of some kind and size.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: ItemId,
    pub(super) version: String,
    pub(super) json: Vec<u8>,
}

impl Item {
    pub(super) fn new(id: &str, version: &str, filler: &str) -> Self {
        Self::of(id.parse().unwrap(), version, filler)
    }

    pub(super) fn of(id: ItemId, version: &str, filler: &str) -> Self {
        let group = &id.resource.group;
        let api_version =
            if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let json = serde_json::json!({
            "apiVersion": api_version,
            "data": filler,
            "kind": built_in(&id.resource).map_or("Thing", |known| known.kind),
            "metadata": { "name": id.name, "namespace": id.namespace },
        });
        Self { id, version: version.to_owned(), json: json.to_string().into_bytes() }
    }
}

/// Names of the whole grammar that Kubernetes has, short ones and the longest.
pub(super) fn any_id() -> impl Strategy<Value = ItemId> {
    let label = || prop_oneof![4 => "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", 1 => "[a-z0-9]{63}"];
    let group = prop_oneof![
        Just(String::new()),
        "[a-z]{2,8}(\\.[a-z0-9]{1,60}){0,4}",
        Just(format!("{}.{}", "g".repeat(63), "h.".repeat(94) + "h")),
    ];
    let name = prop_oneof![
        4 => "[a-z0-9]{1,12}(\\.[a-z0-9]{1,12})?",
        1 => "(system:)?[A-Za-z:._@+ äß日-]{3,40}x",
        1 => "[a-z0-9.-]{200,251}x",
        1 => Just("x".repeat(253)),
        1 => "日{84}x",
    ];
    (label(), group, proptest::option::of(label()), name).prop_map(
        |(resource, group, namespace, name)| ItemId {
            resource: GroupResource::new(group, resource),
            namespace,
            name,
        },
    )
}

/// Text that hardly compresses, so that members come out in different sizes.
pub(super) fn noise(length: usize) -> &'static str {
    static NOISE: LazyLock<String> = LazyLock::new(|| {
        let mut state = 88_172_645_463_325_252_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            format!("{state:016x}")
        };
        (0..(4 << 20) / 16).map(|_| next()).collect()
    });
    &NOISE[..length]
}

/// Runs a future that may use blocking threads.
pub(super) fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Writes items into an archive.
pub(super) async fn written(items: &[Item]) -> (Vec<u8>, Written) {
    let object = Object::default();
    let visible = Arc::clone(&object.visible);
    let mut writer = Writer::new(Box::new(object), Timestamp::UNIX_EPOCH, 2);
    for item in items {
        writer.append(&item.id, &item.version, &item.json).await.unwrap();
    }
    let written = writer.finish().await.unwrap();
    let archive = visible.lock().unwrap().take().unwrap();
    (archive, written)
}

/// An archive as a store delivers it, in chunks of this size.
pub(super) fn stream(archive: &[u8], chunk: usize) -> ByteStream {
    let chunks: Vec<_> =
        archive.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    futures::stream::iter(chunks).boxed()
}

/// Reads an archive with these limits.
pub(super) fn read_with(archive: &[u8], limits: Limits) -> Result<Contents, Error> {
    run(super::read(stream(archive, 4096), limits))
}

/// Reads an archive.
pub(super) fn read(archive: &[u8]) -> Result<Contents, Error> {
    read_with(archive, Limits::default())
}

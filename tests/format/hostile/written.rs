//! Archives as the writer makes them.

use std::sync::Arc;

use bowline::engine::archive::{Writer, Written};
use bowline_api::{ItemId, ObjectStore as _};
use bowline_local::MemoryStore;
use bytes::Bytes;
use futures::TryStreamExt as _;
use jiff::Timestamp;

use super::{craft, run};

/// An object with this text in it.
pub(super) fn object_of(id: &str, text: &str) -> (ItemId, Vec<u8>) {
    let mut object = craft::object(id);
    object["data"] = text.into();
    (id.parse().unwrap(), object.to_string().into_bytes())
}

/// Text that hardly packs.
pub(super) fn noise(length: usize) -> String {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    };
    (0..length / 16).map(|_| next()).collect()
}

/// Writes items of version `v1` into an archive.
pub(super) fn written(items: &[(ItemId, Vec<u8>)]) -> (Vec<u8>, Written) {
    run(async {
        let store = Arc::new(MemoryStore::new());
        let upload = store.start_upload("archive").await.unwrap();
        let mut writer = Writer::new(upload, Timestamp::UNIX_EPOCH, 2);
        for (id, json) in items {
            writer.append(id, "v1", json).await.unwrap();
        }
        let written = writer.finish().await.unwrap();
        let pieces: Vec<Bytes> = store.get("archive").await.unwrap().try_collect().await.unwrap();
        (pieces.concat(), written)
    })
}

//! Objects that are written only to see whether they can be.

use std::error::Error as _;

use bowline_api::{ObjectStore, StoreError};
use bytes::Bytes;
use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};

use crate::engine::report::chain;
use crate::engine::store::ProbeKeys;

/// What a step found, if that is worth telling, or why it failed.
pub(super) type Verdict = Result<Option<String>, String>;

const FIRST: Bytes = Bytes::from_static(b"bowline was here\n");
const SECOND: Bytes = Bytes::from_static(b"bowline was here again\n");
/// The size of the object that is written in parts.
const UPLOAD: usize = 1 << 20;
/// How old a probe is that a run left behind which was killed.
const LEFT_BEHIND: SignedDuration = SignedDuration::from_hours(1);

/// A probe below a key of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe<'a> {
    pub objects: &'a dyn ObjectStore,
    pub keys: ProbeKeys<'a>,
}

impl Probe<'_> {
    pub(super) async fn reach(self) -> Verdict {
        let found = self.objects.list_directories("").await.map_err(|error| why(&error))?;
        Ok((!found.is_empty()).then(|| format!("holds {}", some_of(&found))))
    }

    pub(super) async fn write(self) -> Verdict {
        self.objects.create(&self.keys.object(), FIRST).await.map_err(said)?;
        Ok(None)
    }

    pub(super) async fn create_only(self) -> Verdict {
        match self.objects.create(&self.keys.object(), SECOND).await {
            Err(StoreError::AlreadyExists { .. }) => Ok(None),
            Err(error) => Err(said(error)),
            Ok(()) => Err("an object that existed was overwritten".to_owned()),
        }
    }

    pub(super) async fn conditional(self) -> Verdict {
        let key = self.keys.object();
        let first = self.objects.head(&key).await.map_err(said)?.version;
        let second = self.objects.replace(&key, SECOND, &first).await.map_err(said)?;
        if second == first {
            return Err("an object that was replaced has its old version".to_owned());
        }
        match self.objects.replace(&key, FIRST, &first).await {
            Err(StoreError::Changed { .. }) => Ok(None),
            Err(error) => Err(said(error)),
            Ok(_) => Err("an object that had changed was replaced".to_owned()),
        }
    }

    pub(super) async fn read(self) -> Verdict {
        let content = self.content(&self.keys.object()).await?;
        if content == FIRST || content == SECOND { Ok(None) } else { Err(differs(&content)) }
    }

    pub(super) async fn read_range(self) -> Verdict {
        let content = self.objects.get_range(&self.keys.object(), 8..11).await.map_err(said)?;
        if content == FIRST.slice(8..11) { Ok(None) } else { Err(differs(&content)) }
    }

    pub(super) async fn upload(self) -> Verdict {
        let body = Bytes::from(vec![b'b'; UPLOAD]);
        let key = self.keys.upload();
        let mut upload = self.objects.start_upload(&key).await.map_err(said)?;
        if let Err(error) = upload.write(body.clone()).await {
            // What it leaves is cleared with the probe.
            drop(upload.abort().await);
            return Err(said(error));
        }
        upload.finish().await.map_err(said)?;
        let content = self.content(&key).await?;
        if content == body { Ok(None) } else { Err(differs(&content)) }
    }

    pub(super) async fn list(self) -> Verdict {
        let prefix = self.keys.prefix();
        let found: Vec<_> = self.objects.list(&prefix).try_collect().await.map_err(said)?;
        if found.iter().any(|object| object.key == self.keys.object()) {
            Ok(None)
        } else {
            Err("an object that was written is not listed".to_owned())
        }
    }

    pub(super) async fn delete(self) -> Verdict {
        let key = self.keys.object();
        self.objects.delete(&key).await.map_err(said)?;
        match self.objects.head(&key).await {
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(said(error)),
            Ok(_) => Err("an object that was deleted is still there".to_owned()),
        }
    }

    /// Removes all that is left of it, and what runs left behind that were killed.
    pub(super) async fn clear(self, now: Timestamp) -> Result<(), StoreError> {
        self.objects.abort_uploads(&self.keys.prefix()).await?;
        let found: Vec<_> = self.objects.list(ProbeKeys::all()).try_collect().await?;
        let own = self.keys.prefix();
        for object in found {
            if object.key.starts_with(&own) || now.duration_since(object.modified) > LEFT_BEHIND {
                self.objects.delete(&object.key).await?;
            }
        }
        Ok(())
    }

    async fn content(self, key: &str) -> Result<Bytes, String> {
        let stream = self.objects.get(key).await.map_err(said)?;
        let pieces: Vec<Bytes> = stream.try_collect().await.map_err(said)?;
        Ok(pieces.concat().into())
    }
}

/// How many directories a message names.
const NAMED: usize = 10;

/// Names directories; of many, the first.
pub(super) fn some_of(directories: &[String]) -> String {
    let named = directories.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match directories.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn said(error: StoreError) -> String {
    chain(&error)
}

/// Why the location as a whole cannot be reached. That the key is "" is not worth telling.
fn why(error: &StoreError) -> String {
    error.source().map_or_else(|| chain(error), chain)
}

fn differs(content: &Bytes) -> String {
    format!("other {} bytes were read than were written", content.len())
}

//! The files of a backup that its document vouches for: each is read once, and compared.

use futures::TryStreamExt as _;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::backup_store::{BackupStore, Digest, Digests, Error, malformed};
use super::document;
use super::layout::BackupKeys;
use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::digest;

impl BackupStore {
    /// Reads the digests that a backup's document vouches for; Velero's backups have none.
    ///
    /// One of ours that has lost its word for them is damaged, and not one of Velero's.
    pub async fn digests(&self, backup: &Backup) -> Result<Option<Digests>, Error> {
        let keys = BackupKeys(&backup.metadata.name);
        let Some(expected) = backup.annotation(annotations::DIGESTS_SHA256) else {
            if backup.is_ours() || self.exists(&keys.digests()).await? {
                let reason = format!("it does not vouch for \"{}\"", keys.digests());
                return Err(malformed(&keys.metadata(), reason));
            }
            return Ok(None);
        };
        let content = self.bytes(&keys.digests()).await?;
        if Digest::of(&content).sha256 != expected {
            return Err(Error::Differs { key: keys.digests() });
        }
        let digests = serde_json::from_slice(&content);
        digests.map(Some).map_err(|error| malformed(&keys.digests(), error))
    }

    /// Reads a packed JSON document beside the archive; where there are digests, it must be the one
    /// that was written.
    ///
    /// Without them one that does not exist, or is `null`, is the default.
    pub async fn side_file<T: DeserializeOwned + Default>(
        &self,
        digests: Option<&Digests>,
        key: &str,
    ) -> Result<T, Error> {
        let packed = match self.bytes(key).await {
            Err(error) if error.is_not_found() && digests.is_none() => return Ok(T::default()),
            other => other?,
        };
        if let Some(digests) = digests {
            digests.check(key, &Digest::of(&packed))?;
        }
        document::packed(key, &packed)
    }

    /// Reads a file of any size, and tells its digest; `seen` is told how many bytes came.
    pub async fn digest(&self, key: &str, seen: impl Fn(u64) + Send) -> Result<Digest, Error> {
        let mut stream = self.store.get(key).await?;
        let (mut size, mut sha256) = (0, Sha256::new());
        while let Some(piece) = stream.try_next().await? {
            size += piece.len() as u64;
            sha256.update(&piece);
            seen(piece.len() as u64);
        }
        Ok(Digest { size, sha256: digest::hex(&sha256.finalize()) })
    }
}

impl Digests {
    /// Checks that a file of this digest is the one that was written under this key.
    pub fn check(&self, key: &str, found: &Digest) -> Result<(), Error> {
        let file = key.rsplit('/').next().unwrap_or(key);
        if self.files.get(file) == Some(found) {
            Ok(())
        } else {
            Err(Error::Differs { key: key.to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name_its_size_and_its_digest() {
        let digests = Digests { files: [("a".to_owned(), Digest::of(b"content"))].into() };
        assert!(digests.check("backups/x/a", &Digest::of(b"content")).is_ok());
        for (key, found) in [("a", Digest::of(b"contend")), ("b", Digest::of(b"content"))] {
            assert!(matches!(digests.check(key, &found), Err(Error::Differs { .. })), "{key}");
        }
        let longer = Digest { size: 8, ..Digest::of(b"content") };
        assert!(digests.check("a", &longer).is_err());
    }
}

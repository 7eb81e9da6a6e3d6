//! Digests of what is written, and whether the store confirms them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use md5::Md5;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

/// What takes longer to hash keeps other work of its thread waiting.
const LONG: usize = 256 << 10;

/// How writes are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// `x-amz-checksum-sha256`, which the store keeps and tells.
    Sha256,
    /// `Content-MD5`, for stores that know nothing better.
    Md5,
}

/// A digest of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256([u8; 32]),
    Md5([u8; 16]),
}

/// What the reply to a write says of the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmation {
    /// The store has what was sent.
    Same,
    /// The store has something else, or counts otherwise.
    Other,
    /// The store knows no such checksum.
    Silent,
}

impl Digest {
    /// Digests `bytes`.
    pub(super) async fn of(algorithm: Algorithm, bytes: &Bytes) -> Self {
        if bytes.len() < LONG {
            return Self::compute(algorithm, bytes);
        }
        let shared = bytes.clone();
        match spawn_blocking(move || Self::compute(algorithm, &shared)).await {
            Ok(digest) => digest,
            // Only a runtime that is shutting down takes no more work.
            Err(_) => Self::compute(algorithm, bytes),
        }
    }

    pub(super) fn compute(algorithm: Algorithm, bytes: &[u8]) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::digest(bytes).into()),
            Algorithm::Md5 => Self::Md5(Md5::digest(bytes).into()),
        }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Md5(_) => Algorithm::Md5,
        }
    }

    /// The value of `x-amz-checksum-sha256`, if it is one.
    pub(super) fn sha256(&self) -> Option<String> {
        match self {
            Self::Sha256(digest) => Some(BASE64_STANDARD.encode(digest)),
            Self::Md5(_) => None,
        }
    }

    /// The value of `Content-MD5`, if it is one.
    pub(super) fn md5(&self) -> Option<String> {
        match self {
            Self::Md5(digest) => Some(BASE64_STANDARD.encode(digest)),
            Self::Sha256(_) => None,
        }
    }

    /// As an `ETag` has it.
    pub(super) fn hex(&self) -> String {
        let bytes: &[u8] = match self {
            Self::Sha256(digest) => digest,
            Self::Md5(digest) => digest,
        };
        bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// Compares with what the store replied.
    pub(super) fn confirmed_by(&self, sha256: Option<&str>, etag: Option<&str>) -> Confirmation {
        let same = match (self, sha256) {
            (Self::Sha256(_), None) => return Confirmation::Silent,
            (Self::Sha256(_), Some(told)) => self.sha256().as_deref() == Some(told),
            (Self::Md5(_), _) => etag.is_some_and(|etag| unquoted(etag) == self.hex()),
        };
        if same { Confirmation::Same } else { Confirmation::Other }
    }
}

/// The SHA-256 that S3 gives an object of several parts: of their digests, and how many.
///
/// None unless all parts have one
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>).
pub(super) fn composite<'a>(parts: impl Iterator<Item = &'a Digest>) -> Option<String> {
    let mut all = Sha256::new();
    let mut count = 0_u32;
    for part in parts {
        let Digest::Sha256(digest) = part else { return None };
        all.update(digest);
        count += 1;
    }
    Some(format!("{}-{count}", BASE64_STANDARD.encode(all.finalize())))
}

fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reply_confirms_a_digest_or_not() {
        let body = Bytes::from_static(b"hello");
        let sha256 = Digest::of(Algorithm::Sha256, &body).await;
        let told = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
        assert_eq!(sha256.confirmed_by(Some(told), None), Confirmation::Same);
        assert_eq!(sha256.confirmed_by(Some("LPJN="), None), Confirmation::Other);
        assert_eq!(sha256.confirmed_by(None, Some("\"5d41\"")), Confirmation::Silent);
        let md5 = Digest::of(Algorithm::Md5, &body).await;
        let etag = "\"5d41402abc4b2a76b9719d911017c592\"";
        assert_eq!(md5.confirmed_by(None, Some(etag)), Confirmation::Same);
        assert_eq!(md5.confirmed_by(None, Some("\"5d41\"")), Confirmation::Other);
    }

    /// By what AWS's own documentation computes: the digest of the digests.
    #[test]
    fn the_checksum_of_parts_is_that_of_their_checksums() {
        let parts = [b"a", b"b"].map(|part| Digest::compute(Algorithm::Sha256, part));
        let joined: Vec<u8> = parts
            .iter()
            .flat_map(|part| match part {
                Digest::Sha256(digest) => digest.to_vec(),
                Digest::Md5(_) => Vec::new(),
            })
            .collect();
        let expected = Digest::compute(Algorithm::Sha256, &joined).sha256().unwrap();
        assert_eq!(composite(parts.iter()), Some(format!("{expected}-2")));
        let weaker = Digest::compute(Algorithm::Md5, b"b");
        assert_eq!(composite([&parts[0], &weaker].into_iter()), None);
    }
}

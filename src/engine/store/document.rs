//! Documents beside an archive, which are trusted no more than it is.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use serde::de::{Deserialize, DeserializeOwned};

use super::backup_store::{Error, malformed};
use crate::engine::model::json::{self, Fields};

/// The largest file that is read into memory, in bytes as it is stored.
///
/// The index of two million objects has a third of that.
pub(super) const LARGEST_FILE: u64 = 64 << 20;

/// The largest document, unpacked: a list of two million objects.
const LARGEST_DOCUMENT: u64 = 128 << 20;

/// Unpacks a file, all of it.
pub(super) fn unpack(key: &str, packed: &[u8]) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    MultiGzDecoder::new(packed)
        .take(LARGEST_DOCUMENT + 1)
        .read_to_end(&mut content)
        .map_err(|error| malformed(key, error))?;
    if content.len() as u64 > LARGEST_DOCUMENT {
        return Err(Error::TooLarge { key: key.to_owned(), limit: LARGEST_DOCUMENT });
    }
    Ok(content)
}

/// Reads an object, with no key twice in it, and not too deep.
pub(super) fn object<T: DeserializeOwned>(key: &str, content: &[u8]) -> Result<T, Error> {
    parse(content).map(|Fields(document)| document).map_err(|error| malformed(key, error))
}

/// Reads whatever `T` is, or the default from `null`, as strictly.
pub(super) fn value<T: DeserializeOwned + Default>(key: &str, content: &[u8]) -> Result<T, Error> {
    let document: Option<T> = parse(content).map_err(|error| malformed(key, error))?;
    Ok(document.unwrap_or_default())
}

/// Reads a packed document: whatever `T` is, or the default from `null`.
pub(super) fn packed<T: DeserializeOwned + Default>(key: &str, packed: &[u8]) -> Result<T, Error> {
    value(key, &unpack(key, packed)?)
}

fn parse<'a, T: Deserialize<'a>>(content: &'a [u8]) -> Result<T, serde_json::Error> {
    json::check(content)?;
    serde_json::from_slice(content)
}

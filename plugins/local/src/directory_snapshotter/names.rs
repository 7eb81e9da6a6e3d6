//! Which names from requests and records may become parts of paths.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use bowline_api::SnapshotterError;

use super::error::refused;

/// The longest name of a persistent volume that leaves room for `.bowline.json` and the like in a
/// file name of 255 bytes.
const LONGEST_NAME: usize = 230;

/// The name of a snapshot, `local-<token>`: safe as a file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SnapshotId(String);

impl SnapshotId {
    /// The snapshot that a request with this token makes.
    pub(super) fn of_token(token: &str) -> Result<Self, SnapshotterError> {
        if is_token(token) {
            Ok(Self(format!("local-{token}")))
        } else {
            Err(refused(format!("token \"{token}\""), "it is not 1 to 64 of a-z, A-Z, 0-9, -"))
        }
    }

    /// Reads an id of unknown origin.
    pub(super) fn parse(id: &str) -> Result<Self, SnapshotterError> {
        id.strip_prefix("local-").and_then(|token| Self::of_token(token).ok()).ok_or_else(|| {
            refused(format!("snapshot \"{id}\""), "it is not an id of this provider")
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tells whether a token is what [`bowline_api::SnapshotRequest::token`] says it is.
fn is_token(token: &str) -> bool {
    (1..=64).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Reads the id of a volume: an absolute path in its plain form, without `.`, `..` or `//`.
pub(super) fn volume_path(id: &str) -> Result<PathBuf, SnapshotterError> {
    let path = Path::new(id.trim_end_matches('/'));
    let mut components = path.components();
    let plain = components.next() == Some(Component::RootDir)
        && components.clone().count() > 0
        && components.all(|component| matches!(component, Component::Normal(_)));
    // Components hides `.` and `//`: put together again they must give the same text.
    let same = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
    if plain && same && !id.contains(char::is_control) {
        Ok(path.to_owned())
    } else {
        Err(refused(format!("volume \"{id}\""), "it is not an absolute path of a directory"))
    }
}

/// Checks that the name of a persistent volume can name a directory: a DNS subdomain, as the API
/// server has it, and not too long.
pub(super) fn check_volume_name(name: &str) -> Result<(), SnapshotterError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let valid = (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| allowed(byte) || byte == b'-' || byte == b'.')
        && name.bytes().next().is_some_and(allowed);
    if valid {
        Ok(())
    } else {
        Err(refused(format!("volume \"{name}\""), "its name cannot be the one of a directory"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_that_climb_or_hide_are_refused() {
        for id in [
            "",
            "local-",
            "local-..",
            "local-../x",
            "../local-x",
            "local-a/b",
            "local-a\0",
            ".partial-local-a",
            "snap-1",
            "local-a.b",
            "local-é",
            "LOCAL-a",
            "local-a\n",
        ] {
            let refused = SnapshotId::parse(id);
            assert!(matches!(refused, Err(SnapshotterError::Refused { .. })), "{id:?}");
        }
        assert!(SnapshotId::parse(&format!("local-{}", "a".repeat(64))).is_ok());
        assert!(SnapshotId::parse(&format!("local-{}", "a".repeat(65))).is_err());
    }

    #[test]
    fn volume_ids_are_plain_absolute_paths() {
        for id in ["/data", "/data/pv 1", "/data/.hidden/ü", "/data/x/"] {
            assert!(volume_path(id).is_ok(), "{id}");
        }
        for id in
            ["", "/", "//", "data", "./data", "/data/..", "/a/../b", "/a/./b", "/a//b", "/a\n"]
        {
            assert!(volume_path(id).is_err(), "{id:?}");
        }
        assert_eq!(volume_path("/data/x/").unwrap(), Path::new("/data/x"));
    }

    proptest! {
        #[test]
        fn whatever_parses_is_one_part_of_a_path(id in ".{0,70}") {
            if let Ok(id) = SnapshotId::parse(&id) {
                let parts: Vec<_> = Path::new(id.as_str()).components().collect();
                prop_assert_eq!(parts, vec![Component::Normal(id.as_str().as_ref())]);
            }
            if check_volume_name(&id).is_ok() {
                let parts: Vec<_> = Path::new(&id).components().collect();
                prop_assert_eq!(parts, vec![Component::Normal(id.as_ref())]);
                prop_assert!(!id.starts_with('.'));
            }
        }

        #[test]
        fn every_token_gives_an_id_that_parses(token in "[a-zA-Z0-9-]{1,64}") {
            let id = SnapshotId::of_token(&token).unwrap();
            prop_assert_eq!(SnapshotId::parse(id.as_str()).unwrap(), id);
        }
    }
}

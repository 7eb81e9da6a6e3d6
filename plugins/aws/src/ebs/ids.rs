//! The names that EC2 gives to volumes and snapshots.
//!
//! They come from archives, and in a filter EC2 takes `*` and `?` as wildcards: what is no name
//! never gets there.

use bowline_api::SnapshotterError;

/// Refuses what is not the name of a volume.
pub(super) fn check_volume(id: &str) -> Result<(), SnapshotterError> {
    check("volume", "vol-", id)
}

/// Refuses what is not the name of a snapshot.
pub(super) fn check_snapshot(id: &str) -> Result<(), SnapshotterError> {
    check("snapshot", "snap-", id)
}

/// Tells whether this is the name of a volume.
pub(super) fn is_volume(id: &str) -> bool {
    is_id("vol-", id)
}

/// Tells whether this is the name of a snapshot.
pub(super) fn is_snapshot(id: &str) -> bool {
    is_id("snap-", id)
}

/// Refuses a token that EC2 would not take, or would take for a pattern.
pub(super) fn check_token(what: &str, token: &str) -> Result<(), SnapshotterError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=64).contains(&token.len()) && token.bytes().all(plain) {
        return Ok(());
    }
    Err(SnapshotterError::Refused {
        what: what.to_owned(),
        reason: format!("\"{token}\" is no token of a request"),
    })
}

fn check(kind: &str, prefix: &str, id: &str) -> Result<(), SnapshotterError> {
    if is_id(prefix, id) {
        return Ok(());
    }
    let reason = format!("EBS {kind}s are named {prefix} and hexadecimal digits");
    Err(SnapshotterError::Refused { what: format!("{kind} \"{id}\""), reason })
}

fn is_id(prefix: &str, id: &str) -> bool {
    let digits = id.strip_prefix(prefix).unwrap_or_default();
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (1..=40).contains(&digits.len()) && digits.bytes().all(hexadecimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_patterns_and_other_text() {
        for id in ["vol-0", "vol-049df61146c4d7901", "vol-ffffffff"] {
            assert!(check_volume(id).is_ok(), "{id}");
        }
        for id in
            ["", "vol-", "vol-*", "vol-12?", "vol-12g", "vol-AB", "snap-12", "/vol-1", "vol-1 "]
        {
            assert!(check_volume(id).is_err(), "{id}");
        }
        assert!(check_snapshot("snap-0f").is_ok());
        assert!(check_snapshot("vol-0f").is_err());
    }

    #[test]
    fn tokens_are_plain_and_not_too_long() {
        assert!(check_token("volume", &"a".repeat(64)).is_ok());
        for token in ["", "a*", "a b", &"a".repeat(65)] {
            assert!(check_token("volume", token).is_err(), "{token}");
        }
    }
}

//! File names are bytes, JSON is text: this goes from one to the other and back.

use std::fmt::Write as _;

/// Writes bytes as text: what is not UTF-8, `%` and control characters become `%xx`.
pub(super) fn to_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char == '%' || char.is_control() {
                escape(&mut text, char.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(char);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "%{byte:02x}");
    }
}

/// Reads what [`to_text`] wrote.
pub(super) fn from_text(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(hex_byte(digits)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

/// Writes bytes as hexadecimal digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Reads what [`to_hex`] wrote.
pub(super) fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| hex_byte(std::str::from_utf8(pair).ok()?)).collect()
}

fn hex_byte(digits: &str) -> Option<u8> {
    let valid = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if valid { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// Splits the path of an entry into its parts; none where it could leave the tree.
pub(super) fn parts(path: &[u8]) -> Option<Vec<&[u8]>> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let plain = |part: &&[u8]| !matches!(*part, b"" | b"." | b"..") && !part.contains(&0);
    parts.iter().all(plain).then_some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay_readable() {
        assert_eq!(to_text("data/größe 1".as_bytes()), "data/größe 1");
        assert_eq!(to_text(b"50%\n\xff"), "50%25%0a%ff");
    }

    #[test]
    fn paths_that_leave_the_tree_have_no_parts() {
        for path in ["", "/", "a/", "/a", "a//b", "a/./b", "..", "a/../b", "a\0b"] {
            assert_eq!(parts(path.as_bytes()), None, "{path:?}");
        }
        assert_eq!(parts(b"a/..b/\xff"), Some(vec![&b"a"[..], b"..b", b"\xff"]));
    }

    #[test]
    fn broken_escapes_are_noticed() {
        for text in ["%", "%1", "%g0", "a%+1", "%ü"] {
            assert_eq!(from_text(text), None, "{text}");
        }
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("zz"), None);
    }

    proptest! {
        #[test]
        fn every_name_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = to_text(&bytes);
            prop_assert!(!text.contains(char::is_control));
            prop_assert_eq!(from_text(&text), Some(bytes.clone()));
            prop_assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        }
    }
}

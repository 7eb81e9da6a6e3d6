//! SHA-256 in hexadecimal.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of these bytes, in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The first `length` hexadecimal digits of a text's SHA-256: enough to keep names apart.
pub fn short(text: &str, length: usize) -> String {
    let mut digits = sha256(text.as_bytes());
    digits.truncate(length);
    digits
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut digits, byte| {
        // Writing to a String does not fail.
        write!(digits, "{byte:02x}").unwrap_or_default();
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_everybody_else() {
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), of_abc);
        assert_eq!(short("abc", 8), "ba7816bf");
    }
}

//! Archives of ours that a bad disk, a bad line or a crash left behind.

use std::io::Read as _;

use bowline::engine::archive::Error;
use flate2::read::GzDecoder;
use serde_json::Value;

use super::read;
use super::written::{noise, object_of, written};

fn small() -> Vec<u8> {
    written(&[object_of("pods/shop/web", "one"), object_of("nodes/a", "two")]).0
}

#[test]
fn an_archive_that_is_cut_anywhere_is_refused_as_truncated() {
    let archive = small();
    assert!(read(&archive).is_ok());
    for length in 0..archive.len() {
        let error = read(&archive[..length]).unwrap_err();
        assert!(matches!(error, Error::Truncated(_)), "{length}: {error}");
    }
}

#[test]
fn an_archive_that_lacks_whole_members_is_refused_as_truncated() {
    let text = noise(600_000);
    let items = ["a", "b", "c"].map(|name| object_of(&format!("configmaps/shop/{name}"), &text));
    let (archive, written) = written(&items);
    let ends = ends_of_members(&written.index);
    assert!(ends.len() >= 3, "{ends:?}");
    for end in &ends[..ends.len() - 1] {
        let error = read(&archive[..*end]).unwrap_err();
        assert!(matches!(error, Error::Truncated(_)), "{error}");
    }
}

/// Where members end, by the index of their archive.
fn ends_of_members(index: &[u8]) -> Vec<usize> {
    let mut text = String::new();
    GzDecoder::new(index).read_to_string(&mut text).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let number = |line: &Value, key: &str| usize::try_from(line[key].as_u64()?).ok();
    let end = |line: Value| Some(number(&line, "offset")? + number(&line, "length")?);
    lines.filter_map(end).collect()
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let archive = small();
    let whole = read(&archive).unwrap();
    // Behind the fields of the gzip header that mean nothing: hints, time, operating system.
    for position in (0..3).chain(10..archive.len()) {
        for bit in [1, 0x10, 0x80] {
            let mut flipped = archive.clone();
            flipped[position] ^= bit;
            let Ok(contents) = read(&flipped) else { continue };
            // Runs of zeros can be compressed in several ways.
            assert_ne!(contents.sha256, whole.sha256);
            assert_eq!(contents.len(), whole.len());
            for (found, entry) in contents.entries().zip(whole.entries()) {
                assert_eq!(contents.read(found).unwrap(), whole.read(entry).unwrap());
            }
        }
    }
}

//! Archives of ours that a bad disk, a bad line or a crash left behind.

use bowline::engine::archive::{Error, Index, Limits};

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
    let index = Index::parse(&written.index, &Limits::default()).unwrap();
    let ends: Vec<_> = index.entries().map(|entry| index.locate(entry).range.end).collect();
    assert!(ends[0] < ends[2]);
    for end in ends {
        let error = read(&archive[..usize::try_from(end).unwrap()]).unwrap_err();
        assert!(matches!(error, Error::Truncated(_)), "{error}");
    }
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

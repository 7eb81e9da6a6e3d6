//! Archives that a bad disk, a bad line or a crash left behind.

use super::super::testing::{self, Item, run, written};
use super::super::{Contents, Error};
use super::craft::{Crafted, gzip};

fn small() -> Vec<u8> {
    let items = [Item::new("pods/shop/web", "v1", "one"), Item::new("nodes/a", "v1", "two")];
    run(written(&items)).0
}

fn web() -> Item {
    Item::new("pods/shop/web", "v1", "")
}

fn read(archive: &[u8]) -> Result<Contents, Error> {
    testing::read(archive)
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
    let text = "x".repeat(600_000);
    let items = ["a", "b", "c"].map(|name| Item::new(&format!("pods/shop/{name}"), "v1", &text));
    let (archive, written) = run(written(&items));
    let index = super::super::Index::parse(&written.index, &super::super::Limits::default());
    let index = index.unwrap();
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

#[test]
fn what_is_no_gzip_is_refused() {
    for bytes in [&b"not an archive at all"[..], &[0; 600]] {
        let error = read(bytes).unwrap_err();
        assert!(matches!(error, Error::Gzip(_)), "{error}");
    }
    let error = read(&gzip(&b"not a tar".repeat(100))).unwrap_err();
    assert!(matches!(error, Error::Tar { offset: 0, .. }), "{error}");
}

#[test]
fn a_header_with_a_wrong_checksum_is_refused() {
    let mut header = super::craft::header(b'0', b"metadata/version", 0);
    header[0] = b'M';
    let error = read(&Crafted::default().content(&header).closed()).unwrap_err();
    assert!(matches!(error, Error::Tar { reason: "has a wrong checksum", .. }), "{error}");
}

#[test]
fn a_tar_without_its_two_empty_blocks_is_refused() {
    let open = || Crafted::default().item(&web());
    assert!(matches!(read(&open().open()), Err(Error::Truncated(_))));
    assert!(matches!(read(&open().content(&[0; 512]).open()), Err(Error::Truncated(_))));
    assert!(read(&open().content(&[0; 1024]).open()).is_ok());
}

#[test]
fn padding_behind_the_end_is_fine_and_data_is_not() {
    let padded = |padding: &[u8]| {
        read(&Crafted::default().item(&web()).content(&[0; 1024]).content(padding).open())
    };
    assert!(padded(&[0; 9 << 10]).is_ok());
    let error = padded(&[&[0; 2000][..], b"more"].concat()).unwrap_err();
    assert!(matches!(error, Error::Trailing(_)), "{error}");

    let archive = Crafted::default().item(&web()).closed();
    let error = read(&[&archive[..], b"more than a gzip header"].concat()).unwrap_err();
    assert!(matches!(error, Error::Gzip(_)), "{error}");
    let second = Crafted::default().closed();
    let error = read(&[&archive[..], &second[..]].concat());
    assert!(error.is_ok(), "an empty tar is nothing but padding");
    let second = Crafted::default().item(&web()).closed();
    let error = read(&[archive, second].concat()).unwrap_err();
    assert!(matches!(error, Error::Trailing(_)), "{error}");
}

#[test]
fn an_archive_of_a_newer_format_is_refused_and_one_without_format_is_not() {
    let of = |version: &str| {
        read(&Crafted::default().file("metadata/version", version.as_bytes()).closed())
    };
    for version in ["1", "1.1.0\n", "1.9"] {
        assert!(of(version).is_ok(), "{version}");
    }
    for version in ["2.0.0\n", "10", "", "one"] {
        assert!(matches!(of(version), Err(Error::Format(_))), "{version}");
    }
    assert!(read(&Crafted::default().closed()).unwrap().is_empty());
}

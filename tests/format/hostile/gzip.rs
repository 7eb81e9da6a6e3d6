//! Gzip that is cut, altered, continued or none at all.

use super::Case;
use super::craft::{Tar, gzip};

fn sound() -> Vec<u8> {
    Tar::new().item("pods/shop/web").closed()
}

/// A sound archive with one byte exchanged, counted from the end if the position is negative.
fn altered(position: isize, byte: u8) -> Vec<u8> {
    let mut archive = sound();
    let position = position.rem_euclid(archive.len().cast_signed()).cast_unsigned();
    assert_ne!(archive[position], byte);
    archive[position] = byte;
    archive
}

fn cut(from_end: usize) -> Vec<u8> {
    let archive = sound();
    archive[..archive.len() - from_end].to_vec()
}

fn followed_by(rest: &[u8]) -> Vec<u8> {
    [&sound()[..], rest].concat()
}

const TRUNCATED: &str = "the archive is truncated: it ends inside its compressed data";

pub(super) const CASES: &[Case] = &[
    Case::new("nothing at all", Vec::new, TRUNCATED),
    Case::new("a gzip header alone", || sound()[..10].to_vec(), TRUNCATED),
    Case::new("half of a gzip header", || sound()[..5].to_vec(), TRUNCATED),
    Case::new("an archive without its last byte", || cut(1), TRUNCATED),
    Case::new("an archive without its checksum", || cut(8), TRUNCATED),
    Case::new("an archive without its end", || cut(40), TRUNCATED),
    Case::new(
        "an empty gzip",
        || gzip(b""),
        "the archive is truncated: it ends without the two empty blocks that close a tar",
    ),
    Case::new(
        "text instead of gzip",
        || b"not an archive at all".to_vec(),
        "the archive is not intact gzip: invalid gzip header",
    ),
    Case::new(
        "zeros instead of gzip",
        || vec![0; 600],
        "the archive is not intact gzip: invalid gzip header",
    ),
    Case::new(
        "a tar that is not compressed",
        || Tar::new().item("pods/shop/web").tar(),
        "the archive is not intact gzip: invalid gzip header",
    ),
    Case::new(
        "a zip",
        || b"PK\x03\x04 and more of it".to_vec(),
        "the archive is not intact gzip: invalid gzip header",
    ),
    Case::new(
        "a zstandard frame",
        || b"\x28\xb5\x2f\xfd and more".to_vec(),
        "the archive is not intact gzip: invalid gzip header",
    ),
    Case::new(
        "gzip within gzip",
        || gzip(&sound()),
        "the archive is truncated: it ends without the two empty blocks that close a tar",
    ),
    Case::new(
        "another method of compression",
        || altered(2, 7),
        "the archive is not intact gzip: invalid gzip header",
    ),
    Case::new(
        "a reserved flag",
        || altered(3, 0xe0),
        "the archive is not intact gzip: invalid gzip header",
    ),
    Case::new(
        "a header with a checksum that is none",
        || altered(3, 2),
        "the archive is not intact gzip: corrupt gzip stream does not have a matching checksum",
    ),
    Case::new(
        "a bad kind of block",
        || altered(10, 7),
        "the archive is not intact gzip: corrupt deflate stream",
    ),
    Case::new(
        "a wrong checksum",
        || altered(-8, 0x55),
        "the archive is not intact gzip: corrupt gzip stream does not have a matching checksum",
    ),
    Case::new(
        "a wrong size",
        || altered(-1, 0x55),
        "the archive is not intact gzip: corrupt gzip stream does not have a matching checksum",
    ),
    Case::new(
        "a byte behind the end",
        || followed_by(b"x"),
        "the archive is truncated: it ends inside its compressed data",
    ),
    Case::new(
        "text behind the end",
        || followed_by(b"more than a gzip header"),
        "the archive is not intact gzip: invalid gzip header",
    ),
    Case::new(
        "zeros behind the end",
        || followed_by(&[0; 512]),
        "the archive is not intact gzip: invalid gzip header",
    ),
    Case::new(
        "the beginning of another archive behind the end",
        || followed_by(&sound()[..20]),
        TRUNCATED,
    ),
    Case::new(
        "another archive behind the end",
        || followed_by(&sound()),
        "the archive has data behind its end, at byte 3072",
    ),
    Case::new(
        "text in another member behind the end",
        || followed_by(&gzip(b"x")),
        "the archive has data behind its end, at byte 3072",
    ),
    Case::new(
        "a second member that is damaged",
        || {
            let mut second = gzip(&[0; 512]);
            let last = second.len() - 5;
            second[last] ^= 1;
            followed_by(&second)
        },
        "the archive is not intact gzip: corrupt gzip stream does not have a matching checksum",
    ),
    Case::new(
        "a header with an endless name",
        || [&b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"[..], &[b'x'; 70_000]].concat(),
        "the archive is not intact gzip: gzip header field too long",
    ),
];

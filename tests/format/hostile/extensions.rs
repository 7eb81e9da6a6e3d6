//! Extension headers that contradict one another, or that readers understand differently.

use super::Case;
use super::craft::{Tar, object, path, record};

/// Only an extension header with these records, and an item after it.
fn extended(records: &[u8]) -> Vec<u8> {
    Tar::new().entry(b'x', "x", records).item("pods/shop/web").closed()
}

pub(super) const CASES: &[Case] = &[
    Case::new(
        "two long names",
        || Tar::new().long_name("a").long_name("b").item("pods/shop/web").closed(),
        "the extension header at byte 2048 is refused: it names the entry a second time",
    ),
    Case::new(
        "a long name and an extended one",
        || Tar::new().long_name("a").pax(&[("path", "b")]).item("pods/shop/web").closed(),
        "the extension header at byte 2048 is refused: it names the entry a second time",
    ),
    Case::new(
        "an extended name and a long one",
        || Tar::new().pax(&[("path", "b")]).long_name("a").item("pods/shop/web").closed(),
        "the extension header at byte 2048 is refused: it names the entry a second time",
    ),
    Case::new(
        "two extended names in one header",
        || Tar::new().pax(&[("path", "a"), ("path", "b")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: it names the entry a second time",
    ),
    Case::new(
        "two extension headers",
        || Tar::new().pax(&[("mtime", "1")]).pax(&[("path", "b")]).item("pods/shop/web").closed(),
        "the extension header at byte 2048 is refused: another one precedes it",
    ),
    Case::new(
        "two extended sizes",
        || Tar::new().pax(&[("size", "1"), ("size", "2")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: it sizes the entry a second time",
    ),
    Case::new(
        "an extended size with a sign",
        || Tar::new().pax(&[("size", "+1")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: its size is no number",
    ),
    Case::new(
        "an extended size that is negative",
        || Tar::new().pax(&[("size", "-1")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: its size is no number",
    ),
    Case::new(
        "an extended size that is empty",
        || Tar::new().pax(&[("size", "")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: its size is no number",
    ),
    Case::new(
        "an extended size beyond 64 bits",
        || Tar::new().pax(&[("size", "18446744073709551616")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: its size is no number",
    ),
    Case::new(
        "an extended size in hexadecimal",
        || Tar::new().pax(&[("size", "0x1")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: its size is no number",
    ),
    Case::new(
        "an extended size with a fraction",
        || Tar::new().pax(&[("size", "1.5")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: its size is no number",
    ),
    Case::new(
        "a sparse file of 0.1",
        || Tar::new().pax(&[("GNU.sparse.map", "1")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: sparse files are not accepted",
    ),
    Case::new(
        "a sparse file of 1.0",
        || Tar::new().pax(&[("GNU.sparse.major", "1")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: sparse files are not accepted",
    ),
    Case::new(
        "a name for a sparse file",
        || Tar::new().pax(&[("GNU.sparse.name", "1")]).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: sparse files are not accepted",
    ),
    Case::new(
        "a record that is longer than its header",
        || extended(b"99 path=x\n"),
        "the extension header at byte 1024 is refused: its records are damaged",
    ),
    Case::new(
        "a record with a rest",
        || extended(b"10 path=x\nrubbish"),
        "the extension header at byte 1024 is refused: its records are damaged",
    ),
    Case::new(
        "a record that is too short",
        || extended(b"8 path=x\n"),
        "the extension header at byte 1024 is refused: its records are damaged",
    ),
    Case::new(
        "a record of length zero",
        || extended(b"0 "),
        "the extension header at byte 1024 is refused: its records are damaged",
    ),
    Case::new(
        "a record without a length",
        || extended(b"\n9 path=x\n"),
        "the extension header at byte 1024 is refused: its records are damaged",
    ),
    Case::new(
        "a record with a negative length",
        || extended(b"-9 path=x\n"),
        "the extension header at byte 1024 is refused: its records are damaged",
    ),
    Case::new(
        "a record without a key",
        || extended(b"5 abc\n"),
        "the extension header at byte 1024 is refused: its records are damaged",
    ),
    Case::new(
        "a record with a length beyond 64 bits",
        || extended(b"99999999999999999999 path=x\n"),
        "the extension header at byte 1024 is refused: its records are damaged",
    ),
    Case::new(
        "a record without a line feed",
        || extended(b"9 path=x "),
        "the extension header at byte 1024 is refused: its records are damaged",
    ),
    Case::new(
        "an extension header of 65 KiB",
        || extended(&vec![b' '; 65 << 10]),
        "the extension header at byte 1024 is refused: it is too large",
    ),
    Case::new(
        "a long name of 65 KiB",
        || Tar::new().long_name("x".repeat(65 << 10)).item("pods/shop/web").closed(),
        "the extension header at byte 1024 is refused: it is too large",
    ),
    Case::new(
        "an extension header that promises terabytes",
        || Tar::new().patched(&[(124, b"\x80\0\0\0\0\0\x01\0\0\0\0\0"), (156, b"x")]).closed(),
        "the extension header at byte 1024 is refused: it is too large",
    ),
    Case::new(
        "a long name at the end",
        || Tar::new().item("pods/shop/web").long_name("a").closed(),
        "the extension header at byte 3072 is refused: no entry follows it",
    ),
    Case::new(
        "an extension at the end",
        || Tar::new().pax(&[("path", "a")]).closed(),
        "the extension header at byte 2048 is refused: no entry follows it",
    ),
    Case::new(
        "a size by an extension that leaves a header over",
        || {
            let text = object("pods/shop/web").to_string();
            Tar::new()
                .pax(&[("size", "3")])
                .file(path("pods/shop/web"), text.as_bytes())
                .raw(&record("path", "x").into_bytes())
                .closed()
        },
        "item pods/shop/web is not a valid object: EOF while parsing a string at line 1 column 3",
    ),
];

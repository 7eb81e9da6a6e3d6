//! Archives that are too much: too many, too large, too dense.

use bowline::engine::archive::Limits;

use super::Case;
use super::craft::{Tar, gzip, object};

/// Few of everything, so that small archives exceed them.
const FEW: Limits = Limits {
    entries: 20,
    item_bytes: 4 << 10,
    name_bytes: 2000,
    total_bytes: 64 << 10,
    ratio: 20,
    unsuspicious_bytes: 32 << 10,
};

fn many(count: usize, entry: fn(Tar, usize) -> Tar) -> Vec<u8> {
    (0..count).fold(Tar::new(), entry).closed()
}

/// An item that is as large as any, of nothing but blanks, which pack to nothing.
fn blown_up(name: &str) -> String {
    let text = object(name).to_string();
    format!("{}{}", " ".repeat((4 << 20) - text.len()), text)
}

/// Text that does not pack.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length / 8).flat_map(|_| next()).collect()
}

pub(super) const CASES: &[Case] = &[
    Case::new(
        "more entries than are read",
        || many(20, |tar, number| tar.item(&format!("nodes/a{number}"))),
        "the archive has more than 20 entries",
    )
    .within(FEW),
    Case::new(
        "more notes than are read",
        || many(20, |tar, number| tar.file(format!("notes/{number}"), b"")),
        "the archive has more than 20 entries",
    )
    .within(FEW),
    Case::new(
        "more directories than are read",
        || many(20, |tar, _| tar.entry(b'5', "resources/", b"")),
        "the archive has more than 20 entries",
    )
    .within(FEW),
    Case::new(
        "names that are too long together",
        || {
            many(10, |tar, number| {
                tar.long_name(super::craft::path(&format!("nodes/{number}{}", "x".repeat(240))))
                    .file(
                        "x",
                        object(&format!("nodes/{number}{}", "x".repeat(240)))
                            .to_string()
                            .as_bytes(),
                    )
            })
        },
        "the names in the archive have more than 2000 bytes",
    )
    .within(FEW),
    Case::new(
        "more places than are kept",
        || many(18, |tar, number| tar.item(&format!("pods/shop{number}/web"))),
        "the names in the archive have more than 2000 bytes",
    )
    .within(FEW),
    Case::new(
        "an item that is too large",
        || Tar::new().json("nodes/a", vec![b' '; 4097]).closed(),
        r#""resources/nodes/cluster/a.json" has 4097 bytes, at most 4096 are accepted"#,
    )
    .within(FEW),
    Case::new(
        "a note that is too large",
        || Tar::new().file("notes", &vec![b' '; 4097]).closed(),
        r#""notes" has 4097 bytes, at most 4096 are accepted"#,
    )
    .within(FEW),
    Case::new(
        "more than may be unpacked",
        || many(18, |tar, number| tar.file(format!("notes/{number}"), &noise(4096))),
        "the archive unpacks to more than 65536 bytes",
    )
    .within(FEW),
    Case::new(
        "more than may be unpacked, behind the end",
        || Tar::new().raw(&[0; 64 << 10]).closed(),
        "the archive unpacks to more than 65536 bytes",
    )
    .within(Limits { ratio: 1000, ..FEW }),
    Case::new(
        "a small bomb",
        || many(12, |tar, number| tar.file(format!("notes/{number}"), &[b' '; 4096])),
        "the archive unpacks to more than 20 times its size",
    )
    .within(FEW),
    Case::new(
        "a small bomb behind the end",
        || Tar::new().raw(&[0; 60 << 10]).closed(),
        "the archive unpacks to more than 20 times its size",
    )
    .within(FEW),
    Case::new(
        "a small bomb in many members",
        || {
            let tar = Tar::new().raw(&[0; 60 << 10]).tar();
            tar.chunks(8 << 10).flat_map(gzip).collect()
        },
        "the archive unpacks to more than 20 times its size",
    )
    .within(FEW),
    Case::new(
        "a bomb of items",
        || {
            let tar = (0..24).fold(Tar::new(), |tar, number| {
                let id = format!("nodes/a{number}");
                tar.json(&id, blown_up(&id))
            });
            tar.closed()
        },
        "the archive unpacks to more than 200 times its size",
    ),
    Case::new(
        "a bomb of zeros",
        || Tar::new().raw(&vec![0; 80 << 20]).open(),
        "the archive unpacks to more than 200 times its size",
    ),
];

#[test]
fn a_small_archive_of_blanks_is_no_bomb() {
    let tar = (0..12).fold(Tar::new(), |tar, number| {
        let id = format!("nodes/a{number}");
        tar.json(&id, blown_up(&id))
    });
    assert_eq!(super::read(&tar.closed()).unwrap().len(), 12);
}

#[test]
fn many_empty_members_are_read_one_after_the_other() {
    let tar = Tar::new().item("pods/shop/web").tar();
    let mut archive: Vec<u8> = gzip(b"").repeat(50_000);
    archive.extend(gzip(&tar));
    assert_eq!(super::read(&archive).unwrap().len(), 1);
}

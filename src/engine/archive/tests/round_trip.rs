//! What is written is read.

use std::collections::BTreeMap;
use std::future::ready;
use std::io::Read as _;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bowline_api::{ItemId, StoreError};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures::StreamExt as _;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::super::digest::hex;
use super::super::limits::RATIO;
use super::super::testing::{self, Item, Object, noise, run, stream, written};
use super::super::{Error, Index, Limits, Writer, read, read_parts};

fn unpacked(archive: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    MultiGzDecoder::new(archive).read_to_end(&mut tar).unwrap();
    tar
}

fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

fn any_items() -> impl Strategy<Value = BTreeMap<ItemId, Item>> {
    let filler = prop_oneof![19 => 0..2000_usize, 1 => 200_000..400_000_usize];
    let text = prop_oneof![
        filler.prop_map(|length| noise(length).to_owned()),
        "\\PC{0,40}",
        (0..400_000_usize).prop_map(|length| " ".repeat(length)),
    ];
    let item = (testing::any_id(), "v[1-9](beta[1-9])?", text)
        .prop_map(|(id, version, text)| Item::of(id, &version, &text));
    proptest::collection::vec(item, 0..30)
        .prop_map(|items| items.into_iter().map(|item| (item.id.clone(), item)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_item_comes_back_in_whatever_pieces_the_store_delivers(
        items in any_items(),
        seed: usize,
        chunk in 1..100_000_usize,
    ) {
        let mut shuffled: Vec<Item> = items.values().cloned().collect();
        let by = seed % shuffled.len().max(1);
        shuffled.rotate_left(by);
        let (archive, written) = run(written(&shuffled));
        prop_assert_eq!(written.items, items.len() as u64);
        prop_assert_eq!(written.size, archive.len() as u64);
        prop_assert_eq!(&written.sha256, &sha256(&archive));

        let contents = run(read(stream(&archive, chunk.max(archive.len() / 500)), Limits::default()));
        let contents = contents.unwrap();
        prop_assert_eq!(contents.size, written.size);
        prop_assert_eq!(&contents.sha256, &written.sha256);
        prop_assert_eq!(contents.ignored.count, 0);
        prop_assert_eq!(contents.len(), items.len());
        for (entry, (id, item)) in contents.entries().zip(&items) {
            prop_assert_eq!(&entry.id(), id);
            prop_assert_eq!(entry.version(), &item.version);
            prop_assert!(entry.preferred());
            prop_assert_eq!(&contents.read(entry).unwrap(), &item.json);
            prop_assert_eq!(contents.find(id).unwrap().row().offset, entry.row().offset);
        }
    }

    #[test]
    fn what_is_wanted_is_read_without_the_rest(items in any_items(), seed: u64) {
        let list: Vec<Item> = items.values().cloned().collect();
        let (archive, written) = run(written(&list));
        let index = Index::parse(&written.index, &Limits::default()).unwrap();
        prop_assert_eq!(index.archive_size(), written.size);
        prop_assert_eq!(index.archive_sha256(), &written.sha256);
        let listed: Vec<ItemId> = index.entries().map(|entry| entry.id()).collect();
        prop_assert_eq!(listed, items.keys().cloned().collect::<Vec<_>>());
        let mut bits = (0..64).cycle().map(|bit| seed >> bit & 1 == 1);
        let parts = index.parts(|_| bits.next() == Some(true)).unwrap();
        let (size, asked) = (parts.size(), AtomicU64::new(0));
        let get = |range: Range<u64>| {
            asked.fetch_add(range.end - range.start, Ordering::Relaxed);
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            ready(Ok(Bytes::copy_from_slice(&archive[range])))
        };
        let contents = run(read_parts(index, parts, get, Limits::default())).unwrap();
        prop_assert_eq!(asked.into_inner(), size);
        prop_assert!(size <= written.size);
        prop_assert_eq!((contents.size, &contents.sha256), (written.size, &written.sha256));
        let bits = (0..64).cycle().map(|bit| seed >> bit & 1 == 1);
        prop_assert_eq!(contents.len(), items.len());
        for ((entry, (id, item)), wanted) in contents.entries().zip(&items).zip(bits) {
            prop_assert_eq!((&entry.id(), entry.version()), (id, &item.version[..]));
            match contents.read(entry) {
                Ok(json) => prop_assert_eq!((wanted, &json), (true, &item.json)),
                Err(error) => prop_assert!(!wanted && matches!(error, Error::LeftOut(_))),
            }
        }
    }
}

#[test]
fn a_long_name_that_is_cut_short_after_two_dots_goes_both_ways() {
    let directory = "resources/things.example.com/namespaces/";
    for dots in [1, 2, 3] {
        // The cut comes right after the dots that the name begins with.
        let namespace = "n".repeat(100 - directory.len() - 1 - dots);
        let name = format!("{}{}", ".".repeat(dots), "a".repeat(100));
        let item = Item::new(&format!("things.example.com/{namespace}/{name}"), "v1", "");
        let (archive, _) = run(written(std::slice::from_ref(&item)));
        assert_eq!(testing::read(&archive).unwrap().find(&item.id).unwrap().name(), name);
    }
}

#[test]
fn what_packs_to_nothing_is_written_so_that_it_is_no_bomb() {
    let blanks = " ".repeat(1 << 20);
    let item = |number| Item::new(&format!("configmaps/shop/blanks-{number}"), "v1", &blanks);
    let items: Vec<Item> = (0..16).map(item).collect();
    let (archive, written) = run(written(&items));
    assert!(archive.len() * usize::from(RATIO) > 32 << 20, "{}", archive.len());
    let limits = Limits { unsuspicious_bytes: 10 << 20, ..Limits::default() };
    assert_eq!(testing::read_with(&archive, limits).unwrap().len(), items.len());
    // Every other tool skips what we fill up with.
    assert!(unpacked(&archive).len() > 32 << 20);
    let index = Index::parse(&written.index, &Limits::default()).unwrap();
    assert_eq!(index.len(), items.len());
}

#[test]
fn an_archive_without_items_is_written_and_read() {
    let (archive, written) = run(written(&[]));
    assert_eq!(written.items, 0);
    assert!(testing::read(&archive).unwrap().is_empty());
    assert!(Index::parse(&written.index, &Limits::default()).unwrap().is_empty());
}

#[test]
fn an_item_of_three_mebibytes_goes_both_ways_and_one_above_the_limit_neither() {
    let item = Item::new("configmaps/shop/big", "v1", noise(3 << 20));
    let small = Item::new("configmaps/shop/small", "v1", "");
    let (archive, _) = run(written(&[small, item.clone()]));
    let contents = testing::read(&archive).unwrap();
    let big = contents.find(&item.id).unwrap();
    assert_eq!(contents.read(big).unwrap(), item.json);

    let too_big = Item::new("configmaps/shop/bigger", "v1", noise(4 << 20));
    let mut writer = Writer::new(Box::new(Object::default()), jiff::Timestamp::UNIX_EPOCH, 1);
    let error = run(writer.append(&too_big.id, "v1", &too_big.json)).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn entries_are_what_velero_expects() {
    let long = format!("{}x", "y".repeat(240));
    let items = [
        Item::new("pods/shop/web", "v1", ""),
        Item::new(&format!("widgets.example.com/shop/{long}"), "v1beta1", ""),
    ];
    let (archive, _) = run(written(&items));
    let tar = unpacked(&archive);
    assert_eq!(tar.len() % 512, 0);
    assert_eq!(tar[tar.len() - 1024..], [0; 1024]);
    let mut names = Vec::new();
    let mut reader = tar::Archive::new(&tar[..]);
    for entry in reader.entries().unwrap() {
        let mut entry = entry.unwrap();
        names.push(entry.path().unwrap().to_str().unwrap().to_owned());
        let header = entry.header();
        assert!(header.as_ustar().is_some());
        assert_eq!(header.as_bytes()[156], b'0');
        assert_eq!(header.mode().unwrap(), 0o755);
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!(header.username_bytes().unwrap(), b"");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        match names.len() {
            1 => assert_eq!(content, b"1.1.0\n"),
            number => assert_eq!(content, items[number / 2 - 1].json),
        }
    }
    let widgets = "resources/widgets.example.com";
    assert_eq!(
        names,
        [
            "metadata/version".to_owned(),
            "resources/pods/namespaces/shop/web.json".to_owned(),
            "resources/pods/v1-preferredversion/namespaces/shop/web.json".to_owned(),
            format!("{widgets}/namespaces/shop/{long}.json"),
            format!("{widgets}/v1beta1-preferredversion/namespaces/shop/{long}.json"),
        ]
    );
}

#[test]
fn an_item_that_is_refused_leaves_no_trace() {
    let object = Object::default();
    let visible = Arc::clone(&object.visible);
    let good = Item::new("pods/shop/web", "v1", "");
    let appended = run(async {
        let mut writer = Writer::new(Box::new(object), jiff::Timestamp::UNIX_EPOCH, 1);
        for (id, version, json) in [
            ("pods/shop/web", "v1", &b"{"[..]),
            ("pods/shop/db", "v1", &good.json),
            ("pods/shop/web", "v2", &good.json),
            ("pods/shop/..", "v1", &good.json),
            ("pods/Shop/web", "v1", &good.json),
        ] {
            let error = writer.append(&id.parse().unwrap(), version, json).await.unwrap_err();
            assert!(error.is_of_item(), "{error}");
        }
        writer.append(&good.id, "v1", &good.json).await.unwrap();
        writer.finish().await.unwrap()
    });
    assert_eq!(appended.items, 1);
    let archive = visible.lock().unwrap().take().unwrap();
    assert_eq!(testing::read(&archive).unwrap().len(), 1);
}

#[test]
fn the_archive_is_visible_when_it_is_finished_and_not_before() {
    let item = Item::new("configmaps/shop/big", "v1", noise(2 << 20));
    let object = Object::default();
    let visible = Arc::clone(&object.visible);
    run(async {
        let mut writer = Writer::new(Box::new(object), jiff::Timestamp::UNIX_EPOCH, 1);
        writer.append(&item.id, "v1", &item.json).await.unwrap();
        assert!(visible.lock().unwrap().is_none());
        writer.abort().await.unwrap();
    });
    assert!(visible.lock().unwrap().is_none());
}

#[test]
fn a_transfer_that_fails_is_told_from_a_truncated_archive() {
    let (archive, _) = run(written(&[Item::new("pods/shop/web", "v1", noise(10_000))]));
    let lost = StoreError::NotFound { key: "backups/b/b.tar.gz".to_owned() };
    let start = stream(&archive[..archive.len() / 2], 100);
    let stream = start.chain(futures::stream::iter([Err(lost)])).boxed();
    let error = run(read(stream, Limits::default())).unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::NotFound { .. })), "{error}");
}

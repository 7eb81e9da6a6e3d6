//! Archives that are read in part, by indexes that may not be theirs.

use std::future::{Ready, ready};
use std::io::{Read as _, Write as _};
use std::ops::Range;

use bowline_api::{ItemId, StoreError};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::super::testing::{self, Item, Object, noise, run, written};
use super::super::{Contents, Error, Index, Limits, Unfit, Writer, read_parts};

/// Three objects, each in a member of its own, and a small one in the last.
fn items() -> Vec<Item> {
    let item = |(id, size): (&str, usize)| Item::new(id, "v1", noise(size));
    let big = 400_000;
    [("configmaps/a/x", big), ("configmaps/b/x", big), ("configmaps/c/x", big), ("pods/a/x", 9)]
        .map(item)
        .into()
}

fn parsed(index: &[u8]) -> Index {
    Index::parse(index, &Limits::default()).unwrap()
}

/// The index with its lines changed.
fn edited(index: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut text = String::new();
    GzDecoder::new(index).read_to_string(&mut text).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    for line in text.lines() {
        let mut line = serde_json::from_str(line).unwrap();
        change(&mut line);
        if !line.is_null() {
            gzip.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
    }
    gzip.finish().unwrap()
}

type Got = Ready<Result<Bytes, StoreError>>;

fn slice(archive: &[u8], range: Range<u64>) -> Got {
    let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
    ready(Ok(Bytes::copy_from_slice(&archive[range])))
}

/// What comes of it where everything is wanted, and what the store gives is this.
fn error_with(index: &[u8], get: impl Fn(Range<u64>) -> Got + Send + Sync) -> Error {
    let index = parsed(index);
    let parts = index.parts(|_| true).unwrap();
    run(read_parts(index, parts, get, Limits::default())).unwrap_err()
}

/// Reads one item by an index; the others are left out.
#[expect(clippy::unwrap_in_result, reason = "what is unwrapped is not what is tried")]
fn read_one(archive: &[u8], index: &[u8], wanted: &str) -> Result<Contents, Error> {
    let (index, wanted): (_, ItemId) = (parsed(index), wanted.parse().unwrap());
    let parts = index.parts(|entry| entry.id() == wanted).unwrap();
    run(read_parts(index, parts, |range| slice(archive, range), Limits::default()))
}

fn error_of(archive: &[u8], index: &[u8], wanted: &str) -> String {
    read_one(archive, index, wanted).unwrap_err().to_string()
}

#[test]
fn only_the_members_of_what_is_wanted_and_the_last_are_read() {
    let (archive, written) = run(written(&items()));
    let index = parsed(&written.index);
    let size = |wanted: &str| {
        let parts = index.parts(|entry| entry.id().to_string() == wanted).unwrap();
        parts.size()
    };
    let (first, last) = (size("configmaps/a/x"), size("pods/a/x"));
    assert!(last * 100 < first, "{last} {first}");
    assert!(first * 29 / 10 < written.size && written.size < first * 31 / 10, "{first}");
    assert_eq!(size("nodes/none"), 0);
    let contents = read_one(&archive, &written.index, "configmaps/b/x").unwrap();
    assert_eq!(contents.len(), 4);
    let left = |id: &str| contents.find(&id.parse().unwrap()).unwrap().is_left_out();
    assert!(!left("configmaps/b/x"));
    assert!(left("configmaps/a/x") && left("pods/a/x"), "although the last came along");
}

#[test]
fn what_was_left_out_is_remembered_when_it_is_asked_for_and_read_from_the_whole_archive() {
    let items = items();
    let (archive, written) = run(written(&items));
    let contents = read_one(&archive, &written.index, "configmaps/b/x").unwrap();
    let find = |item: &Item| contents.find(&item.id).unwrap();
    assert_eq!(contents.read(find(&items[1])).unwrap(), items[1].json);
    assert!(!contents.is_lacking());
    let error = contents.read(find(&items[0])).unwrap_err();
    assert!(matches!(error, Error::LeftOut(_)) && !error.is_damage(), "{error}");
    assert!(contents.is_lacking());

    let (other, _) = run(testing::written(&items[..3]));
    let error = contents.complete(testing::read(&other).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Member(_)), "{error}");
    assert!(contents.is_lacking());

    contents.complete(testing::read(&archive).unwrap()).unwrap();
    assert!(!contents.is_lacking());
    for item in &items {
        assert_eq!(contents.read(find(item)).unwrap(), item.json);
    }
}

#[test]
fn a_member_that_is_not_the_one_that_was_written_is_refused_if_it_is_read() {
    let (archive, written) = run(written(&items()));
    let mut flipped = archive.clone();
    flipped[archive.len() / 2] ^= 1;
    let differs = "the archive does not match its index: the digest of a part of it differs";
    assert_eq!(error_of(&flipped, &written.index, "configmaps/b/x"), differs);
    assert!(read_one(&flipped, &written.index, "configmaps/a/x").is_ok());

    let cut = |range: Range<u64>| slice(&archive, range.start..range.end - 1);
    let error = error_with(&written.index, cut).to_string();
    assert!(error.ends_with("a part of it is cut off"), "{error}");
    let end = written.size;
    let padded = [&archive[..], b"x"].concat();
    let long =
        |range: Range<u64>| slice(&padded, range.start..range.end + u64::from(range.end == end));
    let error = error_with(&written.index, long).to_string();
    assert!(error.ends_with("a part of it is too long"), "{error}");
}

#[test]
fn an_index_that_lies_of_what_a_member_holds_is_refused_if_that_is_read() {
    let (archive, written) = run(written(&items()));
    let with = |change: &dyn Fn(&mut Value)| edited(&written.index, change);
    let is_group = |line: &Value, namespace: &str| line["namespace"] == namespace;
    for (what, index) in [
        (
            "another namespace",
            with(&|line| {
                if is_group(line, "b") {
                    line["namespace"] = "bb".into();
                }
            }),
        ),
        (
            "another version",
            with(&|line| {
                if is_group(line, "b") {
                    line["version"] = "v2".into();
                }
            }),
        ),
        (
            "another size",
            with(&|line| {
                if let Some(size) = line.get_mut(2) {
                    *size = 9.into();
                }
            }),
        ),
        (
            "one object less",
            with(&|line| match line {
                Value::Array(item) if item[0] == "x" && item[2].as_u64() < Some(9_000) => {
                    *line = Value::Null;
                }
                line if is_group(line, "a") && line["resource"] == "pods" => *line = Value::Null,
                line if line.get("items").is_some() => line["items"] = 3.into(),
                _ => {}
            }),
        ),
    ] {
        let wanted = parsed(&index).entries().nth(1).unwrap().id().to_string();
        let error = read_one(&archive, &index, &wanted).unwrap_err();
        assert!(matches!(error, Error::Member(_)), "{what}: {error}");
    }
}

#[test]
fn the_index_of_another_archive_is_refused() {
    let (archive, _) = run(written(&items()));
    let mut others = items();
    others[1] = Item::new("configmaps/b/x", "v1", &noise(400_001)[1..]);
    let (_, other) = run(written(&others));
    assert!(read_one(&archive, &other.index, "configmaps/b/x").is_err());
}

#[test]
fn an_index_that_does_not_tell_of_all_is_not_gone_by() {
    let (_, written) = run(written(&items()));
    let without = |key: &str| {
        let stripped = edited(&written.index, |line| {
            // The digest of the archive stays.
            if let Some(line) = line.as_object_mut().filter(|_| key != "sha256") {
                line.remove(key);
            } else if line.get("member").is_some() {
                line.as_object_mut().unwrap().remove(key);
            }
        });
        parsed(&stripped).parts(|_| true).map(|parts| parts.size())
    };
    assert_eq!(without("nothing"), Ok(written.size));
    assert_eq!(without("sha256"), Err(Unfit), "as it was written of old");
    assert_eq!(without("further"), Err(Unfit), "as it was written of old");

    let object = Object::default();
    let item = Item::new("widgets.example.com/a/x", "v1", "");
    let further = Item::new("widgets.example.com/a/x", "v1beta1", "");
    let written = run(async {
        let mut writer = Writer::new(Box::new(object), jiff::Timestamp::UNIX_EPOCH, 1);
        writer.append(&item.id, "v1", &item.json).await.unwrap();
        writer.append_version(&further.id, "v1beta1", &further.json).await.unwrap();
        writer.finish().await.unwrap()
    });
    let index = parsed(&written.index);
    assert_eq!(index.parts(|_| true).map(|parts| parts.size()), Err(Unfit));
    assert_eq!(index.parts(|_| false).map(|parts| parts.size()), Ok(0), "names are told of all");
}

#[test]
fn a_store_that_fails_is_told_from_an_archive_that_does_not_match() {
    let (_, written) = run(written(&items()));
    let lost = |_| ready(Err(StoreError::NotFound { key: "a".to_owned() }));
    let error = error_with(&written.index, lost);
    assert!(matches!(error, Error::Store(StoreError::NotFound { .. })), "{error}");
}

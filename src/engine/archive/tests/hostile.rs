//! Archives that somebody made on purpose.

use super::super::testing::{self, Item, read, read_with};
use super::super::{Contents, Error, Limits};
use super::craft::{Crafted, copy_path, header, path};

fn web() -> Item {
    Item::new("pods/shop/web", "v1", "")
}

fn other() -> Item {
    Item::new("pods/shop/web", "v1", "another")
}

fn db() -> Item {
    Item::new("pods/shop/db", "v1", "")
}

fn refused(crafted: Crafted) -> Error {
    read(&crafted.closed()).unwrap_err()
}

fn accepted(crafted: Crafted) -> Contents {
    read(&crafted.closed()).unwrap()
}

#[test]
fn names_that_climb_are_refused_wherever_they_are_written() {
    for name in [
        "../../etc/passwd",
        "/etc/passwd",
        "notes/../../x",
        "resources/pods/namespaces/../x.json",
        "resources/pods/cluster/...json",
        "resources/pods/cluster/a\\b.json",
        "resources/pods/cluster/a\nb.json",
        "resources/pods",
    ] {
        let by_header = Crafted::default().file(name, b"");
        let by_long_name = Crafted::default().entry(b'L', "././@LongLink", name.as_bytes());
        let by_pax = Crafted::default().pax(&[("path", name)]);
        for crafted in [by_header, by_long_name.file("x", b""), by_pax.file("x", b"")] {
            let error = refused(crafted);
            assert!(matches!(&error, Error::Name { name: found, .. } if found == name), "{error}");
            assert!(!error.to_string().contains('\n'));
        }
        let error = refused(Crafted::default().entry(b'5', "../x/", b""));
        assert!(matches!(error, Error::Name { .. }), "{error}");
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_refused() {
    let crafted = Crafted::default().content(&header(b'0', b"resources/\xff\xfe", 0));
    let error = refused(crafted);
    assert!(matches!(error, Error::Name { reason: "it is not UTF-8", .. }), "{error}");
}

#[test]
fn links_devices_and_all_else_that_is_no_file_are_refused() {
    for kind in *b"1234678gKSVMNA" {
        let name = path("pods/shop/web");
        let error = refused(Crafted::default().entry(kind, &name, b""));
        let expected = matches!(&error, Error::Type { name: found, kind: k }
            if *found == name && *k == char::from(kind));
        assert!(expected, "{error}");
    }
}

#[test]
fn an_item_that_is_there_twice_is_refused() {
    let is_duplicate = |crafted| matches!(refused(crafted), Error::Duplicate(_));
    let crafted = Crafted::default;
    assert!(is_duplicate(crafted().item(&web()).item(&db()).item(&web())));
    assert!(is_duplicate(crafted().item(&web()).item(&web())));
    assert!(is_duplicate(
        crafted().item(&web()).file(&format!("./{}", path("pods/shop/web")), &web().json)
    ));
    assert!(is_duplicate(crafted().item(&web()).copy(&web()).copy(&web())));
    assert!(is_duplicate(crafted().item(&web()).copy(&web()).item(&db()).copy(&web())));
    assert!(is_duplicate(crafted().copy(&web()).copy(&web()).item(&web())));
    let additional = "resources/pods/v2/namespaces/shop/web.json";
    let twice = crafted().file(additional, &web().json).file(additional, &web().json);
    assert!(is_duplicate(twice));
    let between = crafted().item(&web()).file(additional, &web().json).copy(&web());
    assert!(is_duplicate(between.item(&db()).copy(&web())));
}

#[test]
fn copies_may_come_in_any_order_but_must_not_differ() {
    let crafted = Crafted::default;
    for good in [
        crafted().item(&web()).copy(&web()).item(&db()),
        crafted().copy(&web()).item(&web()).item(&db()).copy(&db()),
        crafted().item(&web()).item(&db()).copy(&db()).copy(&web()),
    ] {
        let contents = accepted(good);
        assert_eq!((contents.len(), contents.ignored.count), (2, 0));
    }
    let web_path = copy_path(&web());
    for bad in [
        crafted().item(&web()).file(&web_path, &other().json),
        crafted().file(&web_path, &other().json).item(&web()),
        crafted().item(&web()).item(&db()).file(&web_path, &other().json),
    ] {
        let error = refused(bad);
        assert!(matches!(error, Error::CopyDiffers(_)), "{error}");
    }
}

#[test]
fn a_copy_without_its_item_is_ignored_and_told() {
    let contents = accepted(Crafted::default().copy(&web()));
    assert!(contents.is_empty());
    assert_eq!(contents.ignored.names, [copy_path(&web())]);
}

#[test]
fn further_versions_of_an_item_are_kept_apart() {
    let mut newer = web();
    newer.json = String::from_utf8(newer.json).unwrap().replace("v1", "v2").into_bytes();
    let path = "resources/pods/v2/namespaces/shop/web.json";
    let contents = accepted(Crafted::default().file(path, &newer.json).item(&web()).copy(&web()));
    let preferred = contents.find(&web().id).unwrap();
    assert_eq!(contents.read(preferred).unwrap(), web().json);
    let versions: Vec<_> =
        contents.versions(&web().id).map(|entry| (entry.version(), entry.preferred())).collect();
    assert_eq!(versions, [("v1", true), ("v2", false)]);
    let second = contents.versions(&web().id).nth(1).unwrap();
    assert_eq!(contents.read(second).unwrap(), newer.json);
}

#[test]
fn an_object_that_is_not_what_its_name_says_is_refused() {
    let cases = [
        ("nodes/web", "metadata.namespace"),
        ("pods/prod/web", "metadata.namespace"),
        ("pods/shop/db", "metadata.name"),
        ("pods.metrics.k8s.io/shop/web", "the API group"),
    ];
    for (id, field) in cases {
        let error = refused(Crafted::default().file(&path(id), &web().json));
        let expected = matches!(&error, Error::Mismatch { item, field: f, .. }
            if item == id && *f == field);
        assert!(expected, "{error}");
    }
    for json in ["", "[]", "{}", r#"{"apiVersion":"v1","metadata":{"name":"web"}}"#] {
        let error = refused(Crafted::default().file(&path("pods/shop/web"), json.as_bytes()));
        assert!(matches!(error, Error::Json { .. }), "{json}: {error}");
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let deep = String::from_utf8(web().json).unwrap().replace("\"\"", &deep);
    let error = refused(Crafted::default().file(&path("pods/shop/web"), deep.as_bytes()));
    assert!(matches!(error, Error::Json { .. }), "{error}");
}

#[test]
fn a_header_that_promises_terabytes_is_refused_before_anything_is_read() {
    let name = path("pods/shop/web");
    for size in [(4 << 20) + 1, 1 << 33, 1 << 60, u64::MAX] {
        let error = refused(Crafted::default().content(&header(b'0', name.as_bytes(), size)));
        let expected = matches!(&error, Error::TooLarge { name: found, size: s, .. }
            if *found == name && *s == size);
        assert!(expected, "{size}: {error}");
    }
    let by_pax = Crafted::default().pax(&[("size", "1099511627776")]).item(&web());
    assert!(matches!(refused(by_pax), Error::TooLarge { .. }));
    let directory = Crafted::default().content(&header(b'5', b"resources/", 512));
    assert!(matches!(refused(directory), Error::TooLarge { limit: 0, .. }));
    let mut negative = header(b'0', name.as_bytes(), 0);
    negative[124..136].fill(0xff);
    let sum: u32 =
        32 * 8 + negative[..148].iter().chain(&negative[156..]).map(|&b| u32::from(b)).sum::<u32>();
    negative[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let error = refused(Crafted::default().content(&negative));
    assert!(matches!(error, Error::Tar { reason: "has no valid size", .. }), "{error}");
}

#[test]
fn a_bomb_is_refused_before_it_goes_off() {
    let bomb = || {
        let zeros = vec![b' '; 256 << 10];
        (0..12).fold(Crafted::default(), |crafted, number| {
            crafted.file(&format!("notes/{number}"), &zeros)
        })
    };
    let archive = bomb().closed();
    assert!(read(&archive).is_ok(), "a ratio of {}", (3 << 20) / archive.len());
    let with = |limits| read_with(&archive, limits).unwrap_err();
    let error = with(Limits { ratio: 100, ..Limits::default() });
    assert!(matches!(error, Error::Ratio(100)), "{error}");
    let error = with(Limits { total_bytes: 2 << 20, ..Limits::default() });
    assert!(matches!(error, Error::TooMuch(_)), "{error}");
    let error = with(Limits { entries: 11, ..Limits::default() });
    assert!(matches!(error, Error::TooMany(11)), "{error}");
    let error = with(Limits { item_bytes: 4 << 10, ..Limits::default() });
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    // Endless padding behind the end is a bomb, too.
    let padded = Crafted::default().content(&vec![0; 4 << 20]).open();
    let limits = Limits { ratio: 500, ..Limits::default() };
    assert!(matches!(read_with(&padded, limits), Err(Error::Ratio(_))));
}

#[test]
fn extension_headers_are_read_as_go_and_tar_write_them() {
    let item = Item::new(&format!("pods/shop/{}x", "y".repeat(200)), "v1", "");
    let name = path(&item.id.to_string());
    let size = item.json.len().to_string();
    let long_name = Crafted::default().entry(b'L', "././@LongLink", format!("{name}\0").as_bytes());
    let pax = Crafted::default().pax(&[("mtime", "1.5"), ("path", &name), ("size", &size)]);
    for crafted in [long_name, pax] {
        let contents = accepted(crafted.file("resources/pods/cut-off", &item.json));
        assert_eq!(contents.read(contents.find(&item.id).unwrap()).unwrap(), item.json);
    }
}

#[test]
fn extension_headers_that_readers_would_understand_differently_are_refused() {
    let name = path("pods/shop/web");
    let long = |crafted: Crafted| crafted.entry(b'L', "././@LongLink", name.as_bytes());
    let pax = |crafted: Crafted| crafted.pax(&[("path", &name)]);
    let raw = |records: &[u8]| Crafted::default().entry(b'x', "x", records);
    for (crafted, expected) in [
        (long(long(Crafted::default())), "a second time"),
        (pax(long(Crafted::default())), "a second time"),
        (long(pax(Crafted::default())), "a second time"),
        (pax(pax(Crafted::default())), "another one precedes it"),
        (Crafted::default().pax(&[("size", "1"), ("size", "2")]), "a second time"),
        (Crafted::default().pax(&[("size", "+1")]), "no number"),
        (Crafted::default().pax(&[("GNU.sparse.major", "1")]), "sparse"),
        (raw(b"99 path=x\n"), "damaged"),
        (raw(b"9 path=x\nrubbish"), "damaged"),
        (raw(b"8 path=x\n"), "damaged"),
        (raw(b"0 "), "damaged"),
        (raw(b"\n9 path=x\n"), "damaged"),
        (raw(&vec![b' '; 65 << 10]), "too large"),
    ] {
        let error = refused(crafted.item(&web())).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = refused(pax(Crafted::default()));
    assert!(error.to_string().contains("no entry follows it"), "{error}");
}

#[test]
fn a_repacked_archive_with_directories_and_notes_is_read() {
    let crafted = Crafted::default()
        .entry(b'5', "./", b"")
        .entry(b'5', "./resources/", b"")
        .entry(0, "./resources/pods/namespaces/shop/web.json", &web().json)
        .file("./README", b"taken apart and put together again")
        .file("metadata/revision", b"7");
    let contents = accepted(crafted);
    assert_eq!(contents.len(), 1);
    assert_eq!(contents.ignored.names, ["./README", "metadata/revision"]);
}

#[test]
fn of_many_ignored_entries_only_the_first_names_are_kept() {
    let many = (0..150).fold(Crafted::default(), |crafted, n| crafted.file(&format!("x/{n}"), b""));
    let ignored = accepted(many).ignored;
    assert_eq!((ignored.count, ignored.names.len()), (150, 100));
}

#[test]
fn a_reader_that_gives_up_does_not_read_the_rest() {
    use futures::StreamExt as _;
    let bad = Crafted::default().entry(b'2', "x", b"").closed();
    let endless = testing::stream(&bad, 100)
        .chain(futures::stream::repeat_with(|| Ok(bytes::Bytes::from_static(&[0; 1000]))));
    let error = testing::run(super::super::read(endless.boxed(), Limits::default())).unwrap_err();
    assert!(matches!(error, Error::Type { .. }), "{error}");
}

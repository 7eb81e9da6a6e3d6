//! Indexes that are damaged, or were written for another archive.

use super::super::testing::{Item, run, written};
use super::super::{Error, Index, Limits};
use super::craft::gzip;

const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parse(lines: &[&str]) -> Result<Index, Error> {
    let text = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
    let text = text.replace("SHA256", SHA256);
    Index::parse(&gzip(text.as_bytes()), &Limits::default())
}

const HEADER: &str = r#"{"version":1}"#;
const MEMBER: &str = r#"{"member":0,"offset":0,"length":100,"unpacked":4096}"#;
const GROUP: &str = r#"{"resource":"pods","namespace":"shop","version":"v1"}"#;
const ITEM: &str = r#"["web",1024,10]"#;
const END: &str = r#"{"items":1,"size":100,"sha256":"SHA256"}"#;

#[test]
fn the_documented_form_is_read() {
    let later = r#"{"version":1,"comment":"fields may be added"}"#;
    for header in [HEADER, later] {
        let index = parse(&[header, MEMBER, GROUP, ITEM, END]).unwrap();
        let entry = index.find(&"pods/shop/web".parse().unwrap()).unwrap();
        assert_eq!((entry.version(), entry.size()), ("v1", 10));
        assert_eq!(index.locate(entry).range, 0..100);
        assert_eq!(index.archive_sha256(), SHA256);
    }
}

#[test]
fn what_does_not_add_up_is_refused_with_its_line() {
    let second = r#"{"member":1,"offset":100,"length":5,"unpacked":512}"#;
    let cluster = r#"{"resource":"nodes","version":"v1"}"#;
    let end = |items, size| format!(r#"{{"items":{items},"size":{size},"sha256":"SHA256"}}"#);
    let cases: &[(u64, &str, &[&str])] = &[
        (1, "no header", &[]),
        (1, "no header", &[MEMBER]),
        (1, "version is not known", &[r#"{"version":2}"#]),
        (2, "end line is missing", &[HEADER]),
        (5, "end line is missing", &[HEADER, MEMBER, GROUP, ITEM]),
        (6, "follows the end", &[HEADER, MEMBER, GROUP, ITEM, END, ITEM]),
        (2, "known form", &[HEADER, r#"{"chapter":1}"#]),
        (2, "known form", &[HEADER, r#"["web"]"#]),
        (2, "first member", &[HEADER, ITEM]),
        (3, "first group", &[HEADER, MEMBER, ITEM]),
        (2, "out of order", &[HEADER, second]),
        (3, "out of order", &[HEADER, MEMBER, MEMBER]),
        (3, "does not follow", &[HEADER, MEMBER, &second.replace("100", "101")]),
        (2, "impossible size", &[HEADER, &MEMBER.replace("4096", "4096000000")]),
        (2, "impossible size", &[HEADER, &MEMBER.replace("4096", "0")]),
        (4, "outside of its member", &[HEADER, MEMBER, GROUP, r#"["web",4090,10]"#]),
        (
            4,
            "outside of its member",
            &[HEADER, MEMBER, GROUP, r#"["web",18446744073709551615,10]"#],
        ),
        (4, "climbs", &[HEADER, MEMBER, cluster, r#"["..",1024,10]"#]),
        (3, "resource", &[HEADER, MEMBER, r#"{"resource":"Pods","version":"v1"}"#]),
        (3, "namespace", &[HEADER, MEMBER, &GROUP.replace("shop", "../x")]),
        (3, "version", &[HEADER, MEMBER, &GROUP.replace("v1", "cluster")]),
        (5, "sums", &[HEADER, MEMBER, GROUP, ITEM, &end(2, 100)]),
        (5, "sums", &[HEADER, MEMBER, GROUP, ITEM, &end(1, 99)]),
        (5, "digest", &[HEADER, MEMBER, GROUP, ITEM, &END.replace("SHA256", "ABC")]),
        (4, "too long", &[HEADER, MEMBER, GROUP, &" ".repeat(4097)]),
    ];
    for (line, reason, lines) in cases {
        let error = parse(lines).unwrap_err();
        let found = matches!(&error, Error::Index { line: l, reason: r }
            if l == line && r.contains(reason));
        assert!(found, "{lines:?}: {error}");
    }
    let error = parse(&[HEADER, MEMBER, GROUP, ITEM, ITEM, &end(2, 100)]).unwrap_err();
    assert!(matches!(error, Error::Duplicate(_)), "{error}");
}

#[test]
fn an_index_with_more_items_than_allowed_is_refused() {
    let limits = Limits { entries: 2, ..Limits::default() };
    let items = ["a", "b", "c"].map(|name| Item::new(&format!("pods/shop/{name}"), "v1", ""));
    assert!(Index::parse(&run(written(&items[..2])).1.index, &limits).is_ok());
    let error = Index::parse(&run(written(&items)).1.index, &limits).unwrap_err();
    assert!(error.to_string().contains("too many items"), "{error}");
    let member = |n| format!("{{\"member\":{n},\"offset\":{n},\"length\":1,\"unpacked\":1}}\n");
    let members: String = (0..3).map(member).collect();
    let text = format!("{HEADER}\n{members}");
    let error = Index::parse(&gzip(text.as_bytes()), &limits).unwrap_err();
    assert!(error.to_string().contains("too many members"), "{error}");
}

#[test]
fn an_index_that_is_cut_or_altered_is_refused() {
    let (_, written) = run(written(&[Item::new("pods/shop/web", "v1", "")]));
    for length in 0..written.index.len() {
        let cut = Index::parse(&written.index[..length], &Limits::default());
        assert!(matches!(cut, Err(Error::Index { .. })), "{length}");
        if length >= 10 {
            let mut flipped = written.index.clone();
            flipped[length] ^= 0x10;
            assert!(Index::parse(&flipped, &Limits::default()).is_err(), "{length}");
        }
    }
}

#[test]
fn a_member_that_is_not_what_the_index_says_is_refused() {
    let web = Item::new("pods/shop/web", "v1", "one");
    let db = Item::new("pods/shop/db", "v1", "two");
    let (archive, own) = run(written(&[web.clone(), db.clone()]));
    let index = Index::parse(&own.index, &Limits::default()).unwrap();
    let location = index.locate(index.find(&web.id).unwrap());
    let member = location.unpack(&archive).unwrap();
    assert_eq!(location.find(&web.id, &member).unwrap(), web.json);

    let error = location.find(&db.id, &member).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    let error = location.find(&web.id, &member[..600]).unwrap_err();
    assert!(matches!(error, Error::Member(_)), "{error}");
    let (shorter, _) = run(written(std::slice::from_ref(&web)));
    let error = location.unpack(&shorter).unwrap_err();
    assert!(matches!(error, Error::Member("a part of it unpacks to another size")), "{error}");
    let error = location.unpack(&[&archive[..], b"x"].concat()).unwrap_err();
    assert!(matches!(error, Error::Member("its parts have other boundaries")), "{error}");
    let mut flipped = archive.clone();
    flipped[archive.len() - 6] ^= 1;
    assert!(matches!(location.unpack(&flipped), Err(Error::Gzip(_))));
    assert!(matches!(location.unpack(&archive[..archive.len() - 3]), Err(Error::Gzip(_))));
}

//! Indexes that are damaged, or were written for another archive.

use bowline::engine::archive::{Error, Index, Limits};
use bowline::engine::report::chain;

use super::craft::gzip;
use super::written::{object_of, written};

const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn packed(lines: &[&str]) -> Vec<u8> {
    let text = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
    gzip(text.replace("SHA256", SHA256).as_bytes())
}

fn parse(lines: &[&str]) -> Result<Index, Error> {
    Index::parse(&packed(lines), &Limits::default())
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
        assert_eq!(index.archive_size(), 100);
        assert_eq!(index.archive_sha256(), SHA256);
    }
}

/// The line that is refused, why, and the lines.
type Case = (u64, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    (1, "it is no header", &[]),
    (1, "it is no header", &[MEMBER]),
    (1, "it is no header", &["null"]),
    (1, "its version is not known", &[r#"{"version":2}"#]),
    (1, "it is no header", &[r#"{"version":1,"version":1}"#]),
    (1, "it is no header", &[r#"{"version":-1}"#]),
    (1, "it is no header", &["[1]"]),
    (2, "it is of no known form", &[HEADER, " [0,0,100,4096]"]),
    (2, "the end line is missing", &[HEADER]),
    (5, "the end line is missing", &[HEADER, MEMBER, GROUP, ITEM]),
    (6, "it follows the end", &[HEADER, MEMBER, GROUP, ITEM, END, ITEM]),
    (6, "it follows the end", &[HEADER, MEMBER, GROUP, ITEM, END, END]),
    (2, "it is of no known form", &[HEADER, r#"{"chapter":1}"#]),
    (2, "it is of no known form", &[HEADER, r#"["web"]"#]),
    (2, "it is of no known form", &[HEADER, ""]),
    (2, "it is of no known form", &[HEADER, "null"]),
    (4, "it is of no known form", &[HEADER, MEMBER, GROUP, r#"["web",1024,10,7]"#]),
    (4, "it is of no known form", &[HEADER, MEMBER, GROUP, r#"["web",-1,10]"#]),
    (4, "it is of no known form", &[HEADER, MEMBER, GROUP, r#"["web",1.5,10]"#]),
    (4, "it is of no known form", &[HEADER, MEMBER, GROUP, "[7,1024,10]"]),
    (
        2,
        "it is of no known form",
        &[HEADER, r#"{"member":0,"offset":0,"length":100,"length":9,"unpacked":4096}"#],
    ),
    (2, "it precedes the first member", &[HEADER, ITEM]),
    (3, "it precedes the first group", &[HEADER, MEMBER, ITEM]),
    (4, "the group before it is empty", &[HEADER, MEMBER, GROUP, GROUP]),
    (2, "its member is out of order", &[HEADER, SECOND]),
    (3, "its member is out of order", &[HEADER, MEMBER, MEMBER]),
    (
        3,
        "its member does not follow the one before",
        &[HEADER, MEMBER, r#"{"member":1,"offset":101,"length":5,"unpacked":512}"#],
    ),
    (
        3,
        "its member does not follow the one before",
        &[HEADER, MEMBER, r#"{"member":1,"offset":0,"length":5,"unpacked":512}"#],
    ),
    (
        2,
        "its member has an impossible size",
        &[HEADER, r#"{"member":0,"offset":0,"length":100,"unpacked":4096000000}"#],
    ),
    (
        2,
        "its member has an impossible size",
        &[HEADER, r#"{"member":0,"offset":0,"length":100,"unpacked":0}"#],
    ),
    (
        2,
        "its member has an impossible size",
        &[HEADER, r#"{"member":0,"offset":0,"length":0,"unpacked":4096}"#],
    ),
    (
        2,
        "its member has an impossible size",
        &[HEADER, r#"{"member":0,"offset":0,"length":18446744073709551615,"unpacked":4096}"#],
    ),
    (
        4,
        "its item lies outside of its member or is too large",
        &[HEADER, MEMBER, GROUP, r#"["web",4090,10]"#],
    ),
    (
        4,
        "its item lies outside of its member or is too large",
        &[HEADER, MEMBER, GROUP, r#"["web",18446744073709551615,10]"#],
    ),
    (
        4,
        "its item lies outside of its member or is too large",
        &[HEADER, MEMBER, GROUP, r#"["web",1,18446744073709551615]"#],
    ),
    (4, "the object's name climbs", &[HEADER, MEMBER, GROUP, r#"["..",1024,10]"#]),
    (4, "the object's name is empty", &[HEADER, MEMBER, GROUP, r#"["",1024,10]"#]),
    (
        4,
        "the object's name holds a character that names cannot have",
        &[HEADER, MEMBER, GROUP, r#"["a/b",1024,10]"#],
    ),
    (
        3,
        "the resource is not of the form RESOURCE.GROUP in lower case",
        &[HEADER, MEMBER, r#"{"resource":"Pods","version":"v1"}"#],
    ),
    (
        3,
        "the namespace is not a DNS label",
        &[HEADER, MEMBER, r#"{"resource":"pods","namespace":"../x","version":"v1"}"#],
    ),
    (
        3,
        "the version is not a DNS label",
        &[HEADER, MEMBER, r#"{"resource":"pods","namespace":"shop","version":"cluster"}"#],
    ),
    (5, SUMS, &[HEADER, MEMBER, GROUP, ITEM, r#"{"items":2,"size":100,"sha256":"SHA256"}"#]),
    (5, SUMS, &[HEADER, MEMBER, GROUP, ITEM, r#"{"items":1,"size":99,"sha256":"SHA256"}"#]),
    (2, "its digest is none", &[HEADER, UNCHECKED]),
    (
        5,
        "its digest is none",
        &[HEADER, MEMBER, GROUP, ITEM, r#"{"items":1,"size":100,"sha256":"ABC"}"#],
    ),
];

/// A member whose digest is none.
const UNCHECKED: &str =
    r#"{"member":0,"offset":0,"length":100,"unpacked":4096,"sha256":"SHA256ab"}"#;
const SECOND: &str = r#"{"member":1,"offset":100,"length":5,"unpacked":512}"#;
const SUMS: &str = "its sums are not those of the lines before it";

#[test]
fn what_does_not_add_up_is_refused_with_its_line() {
    for (line, reason, lines) in CASES {
        let found = parse(lines).map(|_| ()).map_err(|error| chain(&error));
        let expected = format!("line {line} of the archive's index is refused: {reason}");
        assert_eq!(found, Err(expected), "{lines:?}");
    }
}

#[test]
fn an_item_that_is_there_twice_is_refused() {
    let end = END.replace('1', "2").replace("200", "100");
    let error = parse(&[HEADER, MEMBER, GROUP, ITEM, ITEM, &end]).unwrap_err();
    assert_eq!(error.to_string(), "item pods/shop/web is there more than once");
}

#[test]
fn a_line_that_is_too_long_or_not_utf_8_is_refused() {
    let error = parse(&[HEADER, &" ".repeat(4097)]).unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("it is cut off or too long"), "{error}");
    let error =
        Index::parse(&gzip(b"{\"version\":1}\n\"\xff\"\n"), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("it is of no known form"), "{error}");
}

#[test]
fn an_index_with_more_than_allowed_is_refused() {
    let limits = Limits { entries: 2, ..Limits::default() };
    let items = ["a", "b", "c"].map(|name| object_of(&format!("pods/shop/{name}"), ""));
    assert!(Index::parse(&written(&items[..2]).1.index, &limits).is_ok());
    let error = Index::parse(&written(&items).1.index, &limits).unwrap_err();
    assert!(error.to_string().contains("there are too many items"), "{error}");
    let member = |n| format!("{{\"member\":{n},\"offset\":{n},\"length\":1,\"unpacked\":1}}\n");
    let members: String = (0..3).map(member).collect();
    let error = Index::parse(&gzip(format!("{HEADER}\n{members}").as_bytes()), &limits);
    assert!(error.unwrap_err().to_string().contains("there are too many members"));
    let limits = Limits { name_bytes: 10, ..Limits::default() };
    let error = Index::parse(&written(&items).1.index, &limits).unwrap_err();
    assert!(error.to_string().contains("there are too many items"), "{error}");
}

#[test]
fn an_index_that_is_cut_or_altered_is_refused() {
    let (_, written) = written(&[object_of("pods/shop/web", "")]);
    for length in 0..written.index.len() {
        let cut = Index::parse(&written.index[..length], &Limits::default());
        assert!(matches!(cut, Err(Error::Index { .. })), "{length}");
        if length >= 10 {
            let mut flipped = written.index.clone();
            flipped[length] ^= 0x10;
            // The last bits before the checksum may mean nothing.
            let Ok(index) = Index::parse(&flipped, &Limits::default()) else { continue };
            assert_eq!((index.len(), index.archive_sha256()), (1, &written.sha256[..]));
        }
    }
}

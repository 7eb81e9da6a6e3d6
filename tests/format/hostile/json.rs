//! JSON that two parsers read differently, or that none should be asked to.

use super::Case;
use super::craft::{Tar, object};

const POD: &str = "pods/shop/web";

/// A pod with this value in a field.
fn with(value: &str) -> Vec<u8> {
    let text = object(POD).to_string();
    let text = format!("{},\"spec\":{value}}}", text.strip_suffix('}').unwrap());
    Tar::new().json(POD, text).closed()
}

fn nested(open: &str, close: &str, depth: usize) -> Vec<u8> {
    with(&format!("{}{}", open.repeat(depth), close.repeat(depth)))
}

/// Any bytes in the place of a pod.
fn bytes(text: &[u8]) -> Vec<u8> {
    Tar::new().json(POD, text).closed()
}

fn twice(field: &str) -> Vec<u8> {
    let text = object(POD).to_string();
    Tar::new().json(POD, format!("{{{field},{}", &text[1..])).closed()
}

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a list of 127 levels",
        || nested("[", "]", 127),
        "item pods/shop/web is not a valid object: recursion limit exceeded at line 1 column 211",
    ),
    Case::new(
        "a list of a million levels",
        || nested("[", "]", 1_000_000),
        "item pods/shop/web is not a valid object: recursion limit exceeded at line 1 column 211",
    ),
    Case::new(
        "objects of 200 levels",
        || with(&format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200))),
        "item pods/shop/web is not a valid object: recursion limit exceeded at line 1 column 715",
    ),
    Case::new(
        "brackets that are never closed",
        || with(&"[".repeat(2_000_000)),
        "item pods/shop/web is not a valid object: recursion limit exceeded at line 1 column 211",
    ),
    Case::new(
        "the metadata twice",
        || twice(r#""metadata":{"name":"web","namespace":"shop"}"#),
        "item pods/shop/web is not a valid object: duplicate field \"metadata\" at line 1 column 122",
    ),
    Case::new(
        "the kind twice",
        || twice(r#""kind":"Secret""#),
        "item pods/shop/web is not a valid object: duplicate field \"kind\" at line 1 column 93",
    ),
    Case::new(
        "the kind twice, once in other characters",
        || twice(r#""\u006bind":"Secret""#),
        "item pods/shop/web is not a valid object: duplicate field \"kind\" at line 1 column 98",
    ),
    Case::new(
        "a field of the specification twice",
        || with(r#"{"nodeName":"a","nodeName":"b"}"#),
        "item pods/shop/web is not a valid object: duplicate field \"nodeName\" at line 1 column 115",
    ),
    Case::new(
        "a field twice far below",
        || with(r#"{"containers":[{"env":[{"name":"a","value":"1","name":"a"}]}]}"#),
        "item pods/shop/web is not a valid object: duplicate field \"name\" at line 1 column 142",
    ),
    Case::new(
        "an empty field twice",
        || with(r#"{"":1,"":1}"#),
        "item pods/shop/web is not a valid object: duplicate field \"\" at line 1 column 95",
    ),
    Case::new(
        "a number beyond all others",
        || with("1e999"),
        "item pods/shop/web is not a valid object: number out of range at line 1 column 89",
    ),
    Case::new(
        "a number that begins with zero",
        || with("01"),
        "item pods/shop/web is not a valid object: invalid number at line 1 column 86",
    ),
    Case::new(
        "a number in hexadecimal",
        || with("0x10"),
        "item pods/shop/web is not a valid object: expected `,` or `}` at line 1 column 86",
    ),
    Case::new(
        "a number that is none",
        || with("NaN"),
        "item pods/shop/web is not a valid object: expected value at line 1 column 85",
    ),
    Case::new(
        "a number that is infinite",
        || with("-Infinity"),
        "item pods/shop/web is not a valid object: invalid number at line 1 column 86",
    ),
    Case::new(
        "a number without a fraction behind its point",
        || with("1."),
        "item pods/shop/web is not a valid object: invalid number at line 1 column 87",
    ),
    Case::new(
        "half of a surrogate pair in a string",
        || with(r#""\ud800""#),
        "item pods/shop/web is not a valid object: unexpected end of hex escape at line 1 column 92",
    ),
    Case::new(
        "a surrogate pair in the wrong order",
        || with(r#""\udc00\ud800""#),
        "item pods/shop/web is not a valid object: lone leading surrogate in hex escape at line 1 column 91",
    ),
    Case::new(
        "an unknown escape",
        || with(r#""\x41""#),
        "item pods/shop/web is not a valid object: invalid escape at line 1 column 87",
    ),
    Case::new(
        "a control character in a string",
        || with("\"\u{1}\""),
        "item pods/shop/web is not a valid object: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 86",
    ),
    Case::new(
        "a string that is not UTF-8",
        || bytes(b"{\"apiVersion\":\"v1\",\"kind\":\"\xff\"}"),
        "item pods/shop/web is not a valid object: invalid unicode code point at line 1 column 28",
    ),
    Case::new(
        "a string in overlong UTF-8",
        || bytes(b"{\"apiVersion\":\"v1\",\"kind\":\"\xc0\x80\"}"),
        "item pods/shop/web is not a valid object: invalid unicode code point at line 1 column 28",
    ),
    Case::new(
        "UTF-16",
        || bytes(b"\xff\xfe{\0}\0"),
        "item pods/shop/web is not a valid object: expected value at line 1 column 1",
    ),
    Case::new(
        "a byte order mark",
        || bytes("\u{feff}{}".as_bytes()),
        "item pods/shop/web is not a valid object: expected value at line 1 column 1",
    ),
    Case::new(
        "a comment",
        || with("1 /* one */"),
        "item pods/shop/web is not a valid object: expected `,` or `}` at line 1 column 87",
    ),
    Case::new(
        "a comma at the end",
        || with("[1,]"),
        "item pods/shop/web is not a valid object: trailing comma at line 1 column 88",
    ),
    Case::new(
        "strings in single quotes",
        || with("'a'"),
        "item pods/shop/web is not a valid object: expected value at line 1 column 85",
    ),
    Case::new(
        "an object without its end",
        || bytes(br#"{"apiVersion":"v1""#),
        "item pods/shop/web is not a valid object: EOF while parsing an object at line 1 column 18",
    ),
    Case::new(
        "a second object behind the first",
        || bytes(format!("{0}{0}", object(POD)).as_bytes()),
        "item pods/shop/web is not a valid object: trailing characters at line 1 column 78",
    ),
    Case::new(
        "a zero byte behind the object",
        || bytes(format!("{}\0", object(POD)).as_bytes()),
        "item pods/shop/web is not a valid object: trailing characters at line 1 column 78",
    ),
    Case::new(
        "a kind of bytes that are all zero",
        || bytes(&[0; 64]),
        "item pods/shop/web is not a valid object: expected value at line 1 column 1",
    ),
];

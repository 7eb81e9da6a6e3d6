//! Names that lead elsewhere, or that no object can have.

use super::Case;
use super::craft::{Tar, object, path};

/// A file of that name, with an object in it that fits nothing.
fn named(name: &[u8]) -> Vec<u8> {
    Tar::new().file(name, object("pods/shop/web").to_string().as_bytes()).closed()
}

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a name that climbs out",
        || named(b"../../etc/passwd"),
        "the name \"../../etc/passwd\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "a name that climbs out of a directory",
        || named(b"notes/../../etc/passwd"),
        "the name \"notes/../../etc/passwd\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "a name that climbs and comes back",
        || named(b"resources/../resources/pods/cluster/a.json"),
        "the name \"resources/../resources/pods/cluster/a.json\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "a name that climbs at its end",
        || named(b"resources/pods/namespaces/shop/.."),
        "the name \"resources/pods/namespaces/shop/..\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "a namespace that climbs",
        || named(b"resources/pods/namespaces/../web.json"),
        "the name \"resources/pods/namespaces/../web.json\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "a resource that climbs",
        || named(b"resources/../cluster/web.json"),
        "the name \"resources/../cluster/web.json\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "a part that is a dot",
        || named(b"resources/./pods/namespaces/shop/web.json"),
        "the name \"resources/./pods/namespaces/shop/web.json\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "two leading dots",
        || named(b"././resources/pods/namespaces/shop/web.json"),
        "the name \"././resources/pods/namespaces/shop/web.json\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "an absolute name",
        || named(b"/etc/passwd"),
        "the name \"/etc/passwd\" is refused: it is absolute or has an empty part",
    ),
    Case::new(
        "an absolute item",
        || named(b"/resources/pods/namespaces/shop/web.json"),
        "the name \"/resources/pods/namespaces/shop/web.json\" is refused: it is absolute or has an empty part",
    ),
    Case::new(
        "an empty part",
        || named(b"resources/pods/namespaces//web.json"),
        "the name \"resources/pods/namespaces//web.json\" is refused: it is absolute or has an empty part",
    ),
    Case::new(
        "a file that is named as a directory",
        || named(b"resources/pods/namespaces/shop/"),
        "the name \"resources/pods/namespaces/shop/\" is refused: it is absolute or has an empty part",
    ),
    Case::new(
        "a name for Windows",
        || named(b"C:\\Windows\\x"),
        "the name \"C:\\\\Windows\\\\x\" is refused: it holds a control character or a backslash",
    ),
    Case::new(
        "a backslash in an object's name",
        || named(b"resources/pods/namespaces/shop/..\\x.json"),
        "the name \"resources/pods/namespaces/shop/..\\\\x.json\" is refused: it holds a control character or a backslash",
    ),
    Case::new(
        "a line feed in a name",
        || named(b"resources/pods/namespaces/shop/we\nb.json"),
        "the name \"resources/pods/namespaces/shop/we\\nb.json\" is refused: it holds a control character or a backslash",
    ),
    Case::new(
        "an escape sequence in a name",
        || named(b"resources/pods/namespaces/shop/\x1b[2Jweb.json"),
        "the name \"resources/pods/namespaces/shop/\\u{1b}[2Jweb.json\" is refused: it holds a control character or a backslash",
    ),
    Case::new(
        "a control character of Latin 1",
        || named("resources/pods/namespaces/shop/we\u{9b}b.json".as_bytes()),
        "the name \"resources/pods/namespaces/shop/we\\u{9b}b.json\" is refused: it holds a control character or a backslash",
    ),
    Case::new(
        "a delete character",
        || named(b"resources/pods/namespaces/shop/we\x7fb.json"),
        "the name \"resources/pods/namespaces/shop/we\\u{7f}b.json\" is refused: it holds a control character or a backslash",
    ),
    Case::new(
        "the resources as a file",
        || named(b"resources"),
        "the name \"resources\" is refused: it takes the place of a directory",
    ),
    Case::new(
        "a resource as a file",
        || named(b"resources/pods"),
        "the name \"resources/pods\" is refused: it takes the place of a directory",
    ),
    Case::new(
        "a scope as a file",
        || named(b"resources/pods/cluster"),
        "the name \"resources/pods/cluster\" is refused: it is neither below cluster/ nor below namespaces/NAMESPACE/",
    ),
    Case::new(
        "a namespace as a file",
        || named(b"resources/pods/namespaces/shop"),
        "the name \"resources/pods/namespaces/shop\" is refused: it is neither below cluster/ nor below namespaces/NAMESPACE/",
    ),
    Case::new(
        "an item below no scope",
        || named(b"resources/pods/web.json"),
        "the name \"resources/pods/web.json\" is refused: the version is not a DNS label",
    ),
    Case::new(
        "an item below a version without scope",
        || named(b"resources/pods/v1/web.json"),
        "the name \"resources/pods/v1/web.json\" is refused: it is neither below cluster/ nor below namespaces/NAMESPACE/",
    ),
    Case::new(
        "an item too deep",
        || named(b"resources/pods/namespaces/shop/web/web.json"),
        "the name \"resources/pods/namespaces/shop/web/web.json\" is refused: it is neither below cluster/ nor below namespaces/NAMESPACE/",
    ),
    Case::new(
        "a cluster-scoped item too deep",
        || named(b"resources/nodes/cluster/a/b.json"),
        "the name \"resources/nodes/cluster/a/b.json\" is refused: it is neither below cluster/ nor below namespaces/NAMESPACE/",
    ),
    Case::new(
        "an item below two versions",
        || named(b"resources/pods/v1/v2/namespaces/shop/web.json"),
        "the name \"resources/pods/v1/v2/namespaces/shop/web.json\" is refused: it is neither below cluster/ nor below namespaces/NAMESPACE/",
    ),
    Case::new(
        "a resource in capitals",
        || named(b"resources/Pods/namespaces/shop/web.json"),
        "the name \"resources/Pods/namespaces/shop/web.json\" is refused: the resource is not of the form RESOURCE.GROUP in lower case",
    ),
    Case::new(
        "a resource with an underscore",
        || named(b"resources/po_ds/namespaces/shop/web.json"),
        "the name \"resources/po_ds/namespaces/shop/web.json\" is refused: the resource is not of the form RESOURCE.GROUP in lower case",
    ),
    Case::new(
        "a group that is empty",
        || named(b"resources/pods./namespaces/shop/web.json"),
        "the name \"resources/pods./namespaces/shop/web.json\" is refused: the resource is not of the form RESOURCE.GROUP in lower case",
    ),
    Case::new(
        "a resource that is empty",
        || named(b"resources/.apps/namespaces/shop/web.json"),
        "the name \"resources/.apps/namespaces/shop/web.json\" is refused: the resource is not of the form RESOURCE.GROUP in lower case",
    ),
    Case::new(
        "a group with an empty part",
        || named(b"resources/pods.a..b/namespaces/shop/web.json"),
        "the name \"resources/pods.a..b/namespaces/shop/web.json\" is refused: the resource is not of the form RESOURCE.GROUP in lower case",
    ),
    Case::new(
        "a resource of 64 characters",
        || {
            named(b"resources/pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp/cluster/web.json")
        },
        "the name \"resources/pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp/cluster/web.json\" is refused: the resource is not of the form RESOURCE.GROUP in lower case",
    ),
    Case::new(
        "a namespace in capitals",
        || named(b"resources/pods/namespaces/Shop/web.json"),
        "the name \"resources/pods/namespaces/Shop/web.json\" is refused: the namespace is not a DNS label",
    ),
    Case::new(
        "a namespace with a dot",
        || named(b"resources/pods/namespaces/sh.op/web.json"),
        "the name \"resources/pods/namespaces/sh.op/web.json\" is refused: the namespace is not a DNS label",
    ),
    Case::new(
        "a namespace that begins with a dash",
        || named(b"resources/pods/namespaces/-shop/web.json"),
        "the name \"resources/pods/namespaces/-shop/web.json\" is refused: the namespace is not a DNS label",
    ),
    Case::new(
        "a namespace of 64 characters",
        || {
            named(b"resources/pods/namespaces/ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss/w.json")
        },
        "the name \"resources/pods/namespaces/ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss/w.json\" is refused: the namespace is not a DNS label",
    ),
    Case::new(
        "a version in capitals",
        || named(b"resources/pods/V1/namespaces/shop/web.json"),
        "the name \"resources/pods/V1/namespaces/shop/web.json\" is refused: the version is not a DNS label",
    ),
    Case::new(
        "a version that is preferred twice",
        || named(b"resources/pods/v1-preferredversion-preferredversion/cluster/web.json"),
        "the name \"resources/pods/v1-preferredversion-preferredversion/cluster/web.json\" is refused: the version is not a DNS label",
    ),
    Case::new(
        "a version that is empty",
        || named(b"resources/pods/-preferredversion/cluster/web.json"),
        "the name \"resources/pods/-preferredversion/cluster/web.json\" is refused: the version is not a DNS label",
    ),
    Case::new(
        "a file without a name but its ending",
        || named(b"resources/pods/namespaces/shop/.json"),
        "the name \"resources/pods/namespaces/shop/.json\" is refused: the object's name is empty",
    ),
    Case::new(
        "an object named dot",
        || named(b"resources/pods/namespaces/shop/..json"),
        "the name \"resources/pods/namespaces/shop/..json\" is refused: the object's name climbs",
    ),
    Case::new(
        "an object named dot dot",
        || named(b"resources/pods/namespaces/shop/...json"),
        "the name \"resources/pods/namespaces/shop/...json\" is refused: the object's name climbs",
    ),
    Case::new(
        "an encoded slash",
        || named(b"resources/pods/namespaces/shop/a%2fb.json"),
        "the name \"resources/pods/namespaces/shop/a%2fb.json\" is refused: the object's name holds a character that names cannot have",
    ),
    Case::new(
        "an object that is no JSON file",
        || named(b"resources/pods/namespaces/shop/web"),
        "the name \"resources/pods/namespaces/shop/web\" is refused: it does not end in .json",
    ),
    Case::new(
        "an object with its ending in capitals",
        || named(b"resources/pods/namespaces/shop/web.JSON"),
        "the name \"resources/pods/namespaces/shop/web.JSON\" is refused: it does not end in .json",
    ),
    Case::new(
        "an object of YAML",
        || named(b"resources/pods/namespaces/shop/web.yaml"),
        "the name \"resources/pods/namespaces/shop/web.yaml\" is refused: it does not end in .json",
    ),
    Case::new(
        "a name that is not UTF-8",
        || named(b"resources/\xff\xfe"),
        "the name \"resources/��\" is refused: it is not UTF-8",
    ),
    Case::new(
        "a name in overlong UTF-8",
        || named(b"resources/\xc0\xae\xc0\xae/x"),
        "the name \"resources/����/x\" is refused: it is not UTF-8",
    ),
    Case::new(
        "half of a surrogate pair",
        || named(b"resources/\xed\xa0\x80/x"),
        "the name \"resources/���/x\" is refused: it is not UTF-8",
    ),
    Case::new(
        "an entry without a name",
        || named(b""),
        "the name \"\" is refused: it is absolute or has an empty part",
    ),
    Case::new(
        "a long name that climbs",
        || Tar::new().long_name("../x").item("pods/shop/web").closed(),
        "the name \"../x\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "a long name with a zero byte",
        || Tar::new().long_name("resources/pods/cluster/a\0b.json").item("pods/shop/web").closed(),
        "the name \"resources/pods/cluster/a\\0b.json\" is refused: it holds a control character or a backslash",
    ),
    Case::new(
        "a long name that is empty",
        || Tar::new().long_name("").item("pods/shop/web").closed(),
        "the name \"\" is refused: it is absolute or has an empty part",
    ),
    Case::new(
        "an extended name that climbs",
        || Tar::new().pax(&[("path", "a/../../x")]).item("pods/shop/web").closed(),
        "the name \"a/../../x\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "an extended name that is empty",
        || Tar::new().pax(&[("path", "")]).item("pods/shop/web").closed(),
        "the name \"\" is refused: it is absolute or has an empty part",
    ),
    Case::new(
        "an extended name with a zero byte",
        || Tar::new().pax(&[("path", "x\0y")]).item("pods/shop/web").closed(),
        "the name \"x\\0y\" is refused: it holds a control character or a backslash",
    ),
    Case::new(
        "a prefix that climbs",
        || Tar::new().patched(&[(345, b"../..")]).closed(),
        "the name \"../../resources/pods/namespaces/shop/web.json\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "a directory that climbs",
        || Tar::new().entry(b'5', "../x/", b"").closed(),
        "the name \"../x/\" is refused: it climbs with . or ..",
    ),
    Case::new(
        "an absolute directory",
        || Tar::new().entry(b'5', "/etc/", b"").closed(),
        "the name \"/etc/\" is refused: it is absolute or has an empty part",
    ),
    Case::new(
        "a directory without a name",
        || Tar::new().entry(b'5', "", b"").closed(),
        "the name \"\" is refused: it is empty",
    ),
];

#[test]
fn a_refused_name_of_any_length_is_shown_in_part() {
    for name in ["x".repeat(60_000), format!("../{}", "y".repeat(60_000))] {
        let tar = Tar::new().long_name(&name).item("pods/shop/web").closed();
        let message = super::read(&tar).unwrap_err().to_string();
        assert!(message.len() < 400 && !message.contains('\n'), "{message}");
    }
}

#[test]
fn names_have_the_lengths_that_kubernetes_allows() {
    for (length, fits) in [(253, true), (254, false)] {
        let id = format!("pods/shop/{}", "x".repeat(length));
        let tar = Tar::new().long_name(path(&id)).file("x", object(&id).to_string().as_bytes());
        let refused = super::read(&tar.closed()).err().map(|error| error.to_string());
        assert_eq!(refused.is_none(), fits, "{refused:?}");
    }
}

//! Items that are there more than once, so that it depends on the reader which one is restored.

use super::Case;
use super::craft::{Tar, object, path, versioned_path};

const POD: &str = "pods/shop/web";
const WIDGET: &str = "widgets.example.com/shop/a";

fn copy(tar: Tar) -> Tar {
    versioned(tar, "v1-preferredversion", &object(POD).to_string())
}

fn other_copy(tar: Tar) -> Tar {
    let mut object = object(POD);
    object["spec"] = "another".into();
    versioned(tar, "v1-preferredversion", &object.to_string())
}

fn versioned(tar: Tar, version: &str, text: &str) -> Tar {
    tar.file(versioned_path(POD, version), text.as_bytes())
}

fn in_v2(tar: Tar) -> Tar {
    let text = object(POD).to_string().replace("v1", "v2");
    versioned(tar, "v2", &text)
}

fn item() -> Tar {
    Tar::new().item(POD)
}

const TWICE: &str = "item pods/shop/web is there more than once";
const DIFFERS: &str = "the two copies of item pods/shop/web differ";

pub(super) const CASES: &[Case] = &[
    Case::new("an item twice", || item().item(POD).closed(), TWICE),
    Case::new(
        "an item twice with another between",
        || item().item("nodes/a").item(POD).closed(),
        TWICE,
    ),
    Case::new(
        "an item twice with different content",
        || item().json(POD, object(POD).to_string().replace('}', " }")).closed(),
        TWICE,
    ),
    Case::new(
        "an item twice, once with a leading dot",
        || item().file(format!("./{}", path(POD)), object(POD).to_string().as_bytes()).closed(),
        TWICE,
    ),
    Case::new(
        "an item twice, once by a long name",
        || item().long_name(path(POD)).file("x", object(POD).to_string().as_bytes()).closed(),
        TWICE,
    ),
    Case::new(
        "an item twice, once by an extended name",
        || {
            let path = path(POD);
            item().pax(&[("path", &path)]).file("x", object(POD).to_string().as_bytes()).closed()
        },
        TWICE,
    ),
    Case::new(
        "an item twice, once by a prefix",
        || {
            let text = object(POD).to_string();
            let size = format!("{:011o}\0", text.len());
            let name = [&b"namespaces/shop/web.json"[..], &[0; 76]].concat();
            let patches = [(0, &name[..]), (124, size.as_bytes()), (345, b"resources/pods")];
            item().patched(&patches).raw(text.as_bytes()).closed()
        },
        TWICE,
    ),
    Case::new(
        "an item twice in different versions",
        || {
            let text = object(WIDGET).to_string().replace("example.com/v1", "example.com/v2");
            Tar::new().item(WIDGET).json(WIDGET, text).closed()
        },
        "item widgets.example.com/shop/a is there more than once",
    ),
    Case::new("a copy twice", || copy(copy(item())).closed(), TWICE),
    Case::new(
        "a copy twice with an item between",
        || copy(copy(item()).item("nodes/a")).closed(),
        TWICE,
    ),
    Case::new("two copies before their item", || copy(copy(Tar::new())).item(POD).closed(), TWICE),
    Case::new(
        "two copies in different versions",
        || versioned(copy(item()), "v2-preferredversion", &object(POD).to_string()).closed(),
        TWICE,
    ),
    Case::new("a further version twice", || in_v2(in_v2(item())).closed(), TWICE),
    Case::new(
        "a copy twice around a further version",
        || copy(copy(in_v2(copy(item())))).closed(),
        TWICE,
    ),
    Case::new("a copy that differs", || other_copy(item()).closed(), DIFFERS),
    Case::new(
        "a copy that differs, before its item",
        || other_copy(Tar::new()).item(POD).closed(),
        DIFFERS,
    ),
    Case::new(
        "a copy that differs, far behind its item",
        || other_copy(item().item("nodes/a")).closed(),
        DIFFERS,
    ),
    Case::new(
        "a copy that differs in white space",
        || versioned(item(), "v1-preferredversion", &format!("{} ", object(POD))).closed(),
        DIFFERS,
    ),
    Case::new(
        "a copy that is empty",
        || versioned(item(), "v1-preferredversion", "").closed(),
        DIFFERS,
    ),
];

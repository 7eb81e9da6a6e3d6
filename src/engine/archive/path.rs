//! The names of an archive's entries.
//!
//! | name | content |
//! |---|---|
//! | `metadata/version` | the version of the format |
//! | `resources/RESOURCE.GROUP/cluster/NAME.json` | an object |
//! | `resources/RESOURCE.GROUP/namespaces/NAMESPACE/NAME.json` | an object |
//! | `resources/RESOURCE.GROUP/VERSION-preferredversion/...` | the same object again |
//! | `resources/RESOURCE.GROUP/VERSION/...` | the object in a version that is not preferred |
//!
//! The source is Velero's `pkg/archive`. Reading is strict where Velero's is lax: names become keys
//! of plans and requests, and other tools make file names of them.

use std::fmt;

use bowline_api::{GroupResource, ItemId};

/// The entry that holds the version of the format.
pub(super) const VERSION: &str = "metadata/version";

/// The longest name of an entry in bytes; the grammar allows about 730.
const LONGEST: usize = 1024;

const PREFERRED: &str = "-preferredversion";

/// Which rule a name breaks.
pub(super) type Reason = &'static str;

/// What an entry is, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntryPath {
    /// The version of the format.
    Version,
    /// An object.
    Item(ItemPath),
    /// Nothing that a restore looks at.
    Unknown,
}

/// The name of an entry that holds an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ItemPath {
    pub(super) id: ItemId,
    pub(super) copy: Copy,
}

/// Which of an object's entries it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    /// The one that is restored.
    Item,
    /// The same bytes again, below the version they are in.
    Preferred(String),
    /// The object in another version.
    Other(String),
}

impl EntryPath {
    /// Reads the name of a regular file; one leading `./`, as `tar -C dir .` makes it, is dropped.
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        let text = text.strip_prefix("./").unwrap_or(text);
        check_segments(text)?;
        let segments: Vec<&str> = text.split('/').collect();
        match segments[..] {
            ["resources", resource, ref rest @ ..] => parse_item(resource, rest).map(Self::Item),
            ["resources"] => Err("it takes the place of a directory"),
            _ if text == VERSION => Ok(Self::Version),
            _ => Ok(Self::Unknown),
        }
    }
}

/// Checks the name of a directory, which has no other meaning.
pub(super) fn check_directory(text: &str) -> Result<(), Reason> {
    let text = text.strip_suffix('/').unwrap_or(text);
    match text.strip_prefix("./").unwrap_or(text) {
        "" => Err("it is empty"),
        "." => Ok(()),
        text => check_segments(text),
    }
}

/// Checks that entries can be named for this item in this version.
pub(super) fn check_item(id: &ItemId, version: &str) -> Result<(), Reason> {
    check_resource(&id.resource)?;
    id.namespace.as_deref().map_or(Ok(()), check_namespace)?;
    check_name(&id.name)?;
    check_version(version)
}

impl fmt::Display for ItemPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ItemId { resource, namespace, name } = &self.id;
        write!(f, "resources/{resource}/")?;
        match &self.copy {
            Copy::Item => {}
            Copy::Preferred(version) => write!(f, "{version}{PREFERRED}/")?,
            Copy::Other(version) => write!(f, "{version}/")?,
        }
        match namespace {
            Some(namespace) => write!(f, "namespaces/{namespace}/{name}.json"),
            None => write!(f, "cluster/{name}.json"),
        }
    }
}

fn parse_item(resource: &str, rest: &[&str]) -> Result<ItemPath, Reason> {
    let (copy, place) = match *rest {
        ["cluster" | "namespaces", ..] => (Copy::Item, rest),
        [version, ref place @ ..] => (parse_copy(version)?, place),
        [] => return Err("it takes the place of a directory"),
    };
    let (namespace, file) = match *place {
        ["cluster", file] => (None, file),
        ["namespaces", namespace, file] => (Some(namespace), file),
        _ => return Err("it is neither below cluster/ nor below namespaces/NAMESPACE/"),
    };
    let name = file.strip_suffix(".json").ok_or("it does not end in .json")?;
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    if group.is_empty() && resource.contains('.') {
        return Err(BAD_RESOURCE);
    }
    let resource = GroupResource::new(group, plural);
    check_resource(&resource)?;
    namespace.map_or(Ok(()), check_namespace)?;
    check_name(name)?;
    let id = ItemId { resource, namespace: namespace.map(str::to_owned), name: name.to_owned() };
    Ok(ItemPath { id, copy })
}

fn parse_copy(segment: &str) -> Result<Copy, Reason> {
    let preferred = segment.strip_suffix(PREFERRED);
    let version = preferred.unwrap_or(segment);
    check_version(version)?;
    let version = version.to_owned();
    Ok(if preferred.is_some() { Copy::Preferred(version) } else { Copy::Other(version) })
}

const BAD_RESOURCE: Reason = "the resource is not of the form RESOURCE.GROUP in lower case";

/// Checks that a resource is a DNS label, and its group a DNS subdomain or empty.
pub(super) fn check_resource(resource: &GroupResource) -> Result<(), Reason> {
    let group = &resource.group;
    let valid_group = group.is_empty() || (group.len() <= 253 && group.split('.').all(is_label));
    if is_label(&resource.resource) && valid_group { Ok(()) } else { Err(BAD_RESOURCE) }
}

/// Checks that a namespace is a DNS label.
pub(super) fn check_namespace(namespace: &str) -> Result<(), Reason> {
    if is_label(namespace) { Ok(()) } else { Err("the namespace is not a DNS label") }
}

/// Checks a version without its group: `v1beta1`.
pub(super) fn check_version(version: &str) -> Result<(), Reason> {
    let reserved = matches!(version, "cluster" | "namespaces") || version.ends_with(PREFERRED);
    if is_label(version) && !reserved { Ok(()) } else { Err("the version is not a DNS label") }
}

/// Checks a kind as definitions of custom resources may name it: a DNS label but for its case.
///
/// The source is `ValidateCustomResourceDefinitionNames`; the API server's own are like that, too.
pub(super) fn check_kind(kind: &str) -> Result<(), Reason> {
    let letter = kind.starts_with(|c: char| c.is_ascii_alphabetic());
    if letter && is_label(&kind.to_ascii_lowercase()) { Ok(()) } else { Err("it is no kind") }
}

/// Checks the name of an object.
///
/// The widest rule in Kubernetes is that of RBAC (`ValidatePathSegmentName`): no `/`, no `%`, neither
/// `.` nor `..`. Control characters and backslashes are refused beyond that.
pub(super) fn check_name(name: &str) -> Result<(), Reason> {
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | '%');
    match name {
        "" => Err("the object's name is empty"),
        "." | ".." => Err("the object's name climbs"),
        _ if name.len() > 253 => Err("the object's name is longer than 253 bytes"),
        _ if name.contains(odd) => {
            Err("the object's name holds a character that names cannot have")
        }
        _ => Ok(()),
    }
}

fn check_segments(text: &str) -> Result<(), Reason> {
    if text.len() > LONGEST {
        return Err("it is too long");
    }
    if text.contains(|c: char| c.is_control() || c == '\\') {
        return Err("it holds a control character or a backslash");
    }
    text.split('/').try_for_each(|segment| match segment {
        "" => Err("it is absolute or has an empty part"),
        "." | ".." => Err("it climbs with . or .."),
        _ => Ok(()),
    })
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing;
    use super::*;

    #[test]
    fn entries_are_named_as_velero_names_them() {
        let node = ItemId::cluster(
            GroupResource::new("rbac.authorization.k8s.io", "clusterroles"),
            "system:node",
        );
        let web = ItemId::namespaced(GroupResource::core("pods"), "shop", "web-0");
        let path = |id: &ItemId, copy| ItemPath { id: id.clone(), copy }.to_string();
        let v1 = || "v1".to_owned();
        assert_eq!(
            path(&node, Copy::Item),
            "resources/clusterroles.rbac.authorization.k8s.io/cluster/system:node.json"
        );
        assert_eq!(
            path(&web, Copy::Preferred(v1())),
            "resources/pods/v1-preferredversion/namespaces/shop/web-0.json"
        );
        assert_eq!(path(&web, Copy::Other(v1())), "resources/pods/v1/namespaces/shop/web-0.json");
    }

    #[test]
    fn what_is_not_below_resources_is_known_or_ignored() {
        assert_eq!(EntryPath::parse("metadata/version"), Ok(EntryPath::Version));
        assert_eq!(EntryPath::parse("./metadata/version"), Ok(EntryPath::Version));
        for text in ["metadata/revision", "README", "notes/resources/pods/cluster/x.json"] {
            assert_eq!(EntryPath::parse(text), Ok(EntryPath::Unknown), "{text}");
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for text in [
            "",
            ".",
            "./",
            "././metadata/version",
            "/metadata/version",
            "metadata//version",
            "notes/../../etc/passwd",
            "notes/a\\b",
            "notes/a\nb",
            "resources",
            "resources/pods",
            "resources/pods/cluster",
            "resources/pods/cluster/.json",
            "resources/pods/cluster/..json",
            "resources/pods/cluster/...json",
            "resources/pods/cluster/x",
            "resources/pods/cluster/x.JSON",
            "resources/pods/cluster/a/b.json",
            "resources/pods/cluster/a%2fb.json",
            "resources/pods/cluster/a\\b.json",
            "resources/pods/cluster/a\nb.json",
            "resources/pods/namespaces/x.json",
            "resources/pods/namespaces/Shop/x.json",
            "resources/pods/namespaces/sh.op/x.json",
            "resources/pods/namespaces/shop/x/y.json",
            "resources/pods/v1/x.json",
            "resources/pods/V1/cluster/x.json",
            "resources/pods/-preferredversion/cluster/x.json",
            "resources/pods/v1-preferredversion-preferredversion/cluster/x.json",
            "resources/pods/v1/v2/cluster/x.json",
            "resources/Pods/cluster/x.json",
            "resources/pods./cluster/x.json",
            "resources/.apps/cluster/x.json",
            "resources/pods.a..b/cluster/x.json",
        ] {
            assert!(EntryPath::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_have_the_lengths_that_kubernetes_allows() {
        let named = |length| format!("resources/pods/cluster/{}.json", "x".repeat(length));
        assert!(EntryPath::parse(&named(253)).is_ok());
        assert!(EntryPath::parse(&named(254)).is_err());
        let spaced = |length| format!("resources/pods/namespaces/{}/x.json", "x".repeat(length));
        assert!(EntryPath::parse(&spaced(63)).is_ok());
        assert!(EntryPath::parse(&spaced(64)).is_err());
        assert!(EntryPath::parse(&"x".repeat(LONGEST)).is_ok());
        assert!(EntryPath::parse(&"x".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn directories_may_be_anywhere_but_outside() {
        for text in ["./", ".", "resources/", "./resources/pods/", "notes"] {
            assert_eq!(check_directory(text), Ok(()), "{text}");
        }
        for text in ["", "/", "../", "./..", "resources/../..", "/etc/", "a//b"] {
            assert!(check_directory(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_name_reads_back_as_it_was_written(
            id in testing::any_id(),
            version in "v[1-9]((alpha|beta)[1-9])?",
            form in 0..3,
        ) {
            let copy = match form {
                0 => Copy::Item,
                1 => Copy::Preferred(version.clone()),
                _ => Copy::Other(version.clone()),
            };
            prop_assert_eq!(check_item(&id, &version), Ok(()));
            let path = ItemPath { id, copy };
            prop_assert_eq!(EntryPath::parse(&path.to_string()), Ok(EntryPath::Item(path)));
        }

        #[test]
        fn a_name_that_climbs_is_never_read(
            before in proptest::collection::vec("[a-z]{1,5}", 0..4),
            hostile in prop_oneof![
                Just(String::new()), Just("..".to_owned()), Just(".".to_owned()),
                "[a-z]{0,3}[\\x00-\\x1f\\x7f\\\\][a-z]{0,3}",
            ],
            after in proptest::collection::vec("[a-z]{1,5}", 1..4),
            resources: bool,
        ) {
            let mut segments = if resources { vec!["resources".to_owned()] } else { Vec::new() };
            segments.extend(before);
            // A single leading "./" is harmless and dropped.
            prop_assume!(!(segments.is_empty() && hostile == "."));
            segments.push(hostile);
            segments.extend(after);
            let path = segments.join("/");
            prop_assert!(EntryPath::parse(&path).is_err(), "{:?}", path);
            let file = format!("{path}.json");
            prop_assert!(EntryPath::parse(&file).is_err(), "{:?}", file);
        }

        #[test]
        fn whatever_is_read_as_an_item_is_written_the_same(
            text in "(\\./)?resources/[a-z.]{1,9}/(v1(-preferredversion)?/)?(cluster|namespaces/[a-z-]{1,4})/[ -~]{0,6}(\\.json)?"
        ) {
            if let Ok(EntryPath::Item(path)) = EntryPath::parse(&text) {
                prop_assert_eq!(path.to_string(), text.trim_start_matches("./"));
                prop_assert_eq!(check_item(&path.id, "v1"), Ok(()));
            }
        }
    }
}

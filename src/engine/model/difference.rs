//! Where two objects differ, field by field. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use bowline_api::GroupResource;
use serde::Serialize;
use serde_json::{Map, Value};

use super::entries::Pairing;
use super::{Object, digest, entries};

/// What stands for a value that is not shown.
pub const HIDDEN: &str = "(not shown)";

/// How many bytes of JSON a value may have to be told whole.
const LARGEST_VALUE: usize = 4 << 10;
/// How many bytes the values of one object may have together before the rest is told in short.
const LARGEST_SUM: usize = 16 << 10;
/// How much is told of a value that is too large.
const BEGINNING: usize = 64;
/// How much of that comes before the first difference, where that is not near the beginning.
const BEFORE: usize = 24;

/// How many differences of one list are told one by one.
const MOST_OF_A_LIST: usize = 1000;
/// How many hexadecimal digits a mark has.
const MARK: usize = 32;

/// What of a Secret may be told: nothing that could hold one.
const TOLD_OF_SECRETS: &[&str] = &["/immutable", "/metadata/labels/", "/type"];

/// A field in which the object of a backup and another one differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// The field, as a JSON pointer (RFC 6901), in which an entry of a list is named by what tells it
    /// from the others where something does: `/spec/containers[name=web]/image`.
    pub path: String,
    /// What the backup holds there; `null`: nothing. Never a value of a Secret.
    pub backup: Value,
    /// What the cluster holds there; `null`: nothing. Never a value of a Secret.
    pub cluster: Value,
}

impl Difference {
    /// The difference in words, with names for the two sides.
    pub fn between<'a>(&'a self, backup: &'a str, cluster: &'a str) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            write!(f, "{}: ", self.path)?;
            let both = (&self.backup, &self.cluster);
            let at = first_difference(&both.0.to_string(), &both.1.to_string());
            match both {
                (ours, Value::Null) => write!(f, "{} in {backup} only", Short(ours, 0)),
                (Value::Null, theirs) => write!(f, "{} in {cluster} only", Short(theirs, 0)),
                (ours, theirs) if is_hidden(ours) && is_hidden(theirs) => write!(f, "{HIDDEN}"),
                (ours, theirs) => {
                    let (ours, theirs) = (Short(ours, at), Short(theirs, at));
                    write!(f, "{ours} in {backup}, {theirs} in {cluster}")
                }
            }
        })
    }
}

fn is_hidden(value: &Value) -> bool {
    value == HIDDEN
}

/// A value as a line of a table holds it: of a long one the part from which on it differs.
struct Short<'a>(&'a Value, usize);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_hidden(self.0) {
            return f.write_str(HIDDEN);
        }
        f.write_str(&cut(&self.0.to_string(), self.1))
    }
}

/// The part of a text that shows its character `differing`, with how it begins if that is near.
fn cut(text: &str, differing: usize) -> String {
    let start = if differing < BEGINNING { 0 } else { differing - BEFORE };
    let part: String = text.chars().skip(start).take(BEGINNING).collect();
    let (before, after) = (if start > 0 { "..." } else { "" }, start + BEGINNING);
    let after = if text.chars().nth(after).is_some() { "..." } else { "" };
    format!("{before}{part}{after}")
}

/// The first character in which two texts differ.
fn first_difference(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

/// Compares two objects of a kind, field by field.
///
/// Entries of lists are held against those of the same name; of lists whose entries have none, against
/// those in the same place. Lists of unequal length without names, those whose entries come in another
/// order, and those that differ in very much are told as wholes.
///
/// Values of Secrets are left out, and large ones are told by their beginning.
pub fn differences(resource: &GroupResource, backup: &Object, cluster: &Object) -> Vec<Difference> {
    marked(resource, backup, cluster).0
}

/// Compares as [`differences`] does, with a mark for each: a digest of the field and of what the cluster
/// holds there.
pub fn marked(
    resource: &GroupResource,
    backup: &Object,
    cluster: &Object,
) -> (Vec<Difference>, Vec<String>) {
    let is_secret = *resource == GroupResource::core("secrets");
    let mut walk = Walk { is_secret, ..Walk::default() };
    walk.maps(backup, cluster);
    (walk.found, walk.marks)
}

#[derive(Default)]
struct Walk {
    is_secret: bool,
    /// How many bytes of values were told.
    told: usize,
    path: String,
    found: Vec<Difference>,
    /// One for each that was found.
    marks: Vec<String>,
}

impl Walk {
    fn maps(&mut self, ours: &Map<String, Value>, theirs: &Map<String, Value>) {
        let only_theirs = theirs.keys().filter(|key| !ours.contains_key(*key));
        for key in ours.keys().chain(only_theirs) {
            self.within(&format!("/{}", entries::escaped(key)), |walk| {
                match (ours.get(key), theirs.get(key)) {
                    (Some(ours), Some(theirs)) => walk.values(ours, theirs),
                    (ours, theirs) => walk.tell(ours, theirs),
                }
            });
        }
    }

    fn values(&mut self, ours: &Value, theirs: &Value) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => self.maps(ours, theirs),
            (ours, theirs) if ours == theirs => {}
            (Value::Array(ours), Value::Array(theirs)) => self.lists(ours, theirs),
            (ours, theirs) => self.tell(Some(ours), Some(theirs)),
        }
    }

    fn lists(&mut self, ours: &[Value], theirs: &[Value]) {
        let (found, told) = (self.found.len(), self.told);
        match entries::pairing(ours, theirs) {
            Pairing::By(key) => self.entries(key, ours, theirs),
            Pairing::ByPlace if ours.len() == theirs.len() => self.places(ours, theirs),
            Pairing::ByPlace | Pairing::Reordered(_) => self.whole(ours, theirs),
        }
        // Each is looked up in the list again where it is changed.
        if self.found.len() - found > MOST_OF_A_LIST {
            self.found.truncate(found);
            self.marks.truncate(found);
            self.told = told;
            self.whole(ours, theirs);
        }
    }

    fn whole(&mut self, ours: &[Value], theirs: &[Value]) {
        self.tell(Some(&ours.into()), Some(&theirs.into()));
    }

    fn places(&mut self, ours: &[Value], theirs: &[Value]) {
        for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            self.within(&format!("/{index}"), |walk| walk.values(ours, theirs));
        }
    }

    fn entries(&mut self, key: &str, ours: &[Value], theirs: &[Value]) {
        let named = |entry| Some((entries::name(entry, key)?, entry));
        let mut left: HashMap<Cow<'_, str>, &Value> = theirs.iter().filter_map(named).collect();
        for (name, ours) in ours.iter().filter_map(named) {
            self.within(&entries::part(key, &name), |walk| match left.remove(&name) {
                Some(theirs) => walk.values(ours, theirs),
                None => walk.tell(Some(ours), None),
            });
        }
        for (name, theirs) in theirs.iter().filter_map(named) {
            if left.contains_key(&name) {
                self.within(&entries::part(key, &name), |walk| walk.tell(None, Some(theirs)));
            }
        }
    }

    fn within(&mut self, part: &str, visit: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(part);
        visit(self);
        self.path.truncate(length);
    }

    fn tell(&mut self, ours: Option<&Value>, theirs: Option<&Value>) {
        let texts = [ours, theirs].map(|it| it.map(Value::to_string).unwrap_or_default());
        self.marks.push(digest::short(&format!("{}\n{}", self.path, texts[1]), MARK));
        let at = if ours.is_some() && theirs.is_some() {
            first_difference(&texts[0], &texts[1])
        } else {
            0
        };
        let (backup, cluster) = (self.told(ours, at), self.told(theirs, at));
        self.found.push(Difference { path: self.path.clone(), backup, cluster });
    }

    fn told(&mut self, value: Option<&Value>, differing: usize) -> Value {
        let Some(value) = value else { return Value::Null };
        if self.is_secret && !TOLD_OF_SECRETS.iter().any(|told| self.path.starts_with(told)) {
            return Value::from(HIDDEN);
        }
        let text = value.to_string();
        if text.len() <= LARGEST_VALUE && self.told + text.len() <= LARGEST_SUM {
            self.told += text.len();
            return value.clone();
        }
        Value::from(format!("{} ({} bytes)", cut(&text, differing), text.len()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    fn found(resource: &str, ours: Value, theirs: Value) -> Vec<Difference> {
        differences(&resource.parse().unwrap(), &object(ours), &object(theirs))
    }

    fn words(found: &[Difference]) -> Vec<String> {
        found.iter().map(|it| it.between("the backup", "the cluster").to_string()).collect()
    }

    #[test]
    fn fields_are_told_with_what_both_sides_hold() {
        let ours = json!({"spec": {"replicas": 2, "paused": true, "list": [1, 2], "same": {}}});
        let theirs = json!({"spec": {"replicas": 3, "list": [1, 4], "same": {}, "a/b~": "x"}});
        let found = found("deployments.apps", ours, theirs);
        assert_eq!(
            words(&found),
            [
                "/spec/list/1: 2 in the backup, 4 in the cluster",
                "/spec/paused: true in the backup only",
                "/spec/replicas: 2 in the backup, 3 in the cluster",
                "/spec/a~1b~0: \"x\" in the cluster only",
            ]
        );
        assert_eq!(
            serde_json::to_value(&found[1]).unwrap(),
            json!({"path": "/spec/paused", "backup": true, "cluster": null})
        );
    }

    #[test]
    fn an_entry_is_held_against_that_of_its_name_and_one_more_is_told_alone() {
        let container = |name: &str, image: &str| json!({"name": name, "image": image});
        let of = |list: Value| json!({"spec": {"containers": list}});
        let ours = of(json!([container("proxy", "p"), container("web", "w:1")]));
        let theirs = of(json!([container("web", "w:2"), container("log", "l")]));
        assert_eq!(
            words(&found("deployments.apps", ours, theirs)),
            [
                "/spec/containers[name=proxy]: {\"image\":\"p\",\"name\":\"proxy\"} in the backup only",
                "/spec/containers[name=web]/image: \"w:1\" in the backup, \"w:2\" in the cluster",
                "/spec/containers[name=log]: {\"image\":\"l\",\"name\":\"log\"} in the cluster only",
            ]
        );
    }

    #[test]
    fn lists_of_unequal_length_whose_entries_have_no_names_are_told_as_wholes() {
        let found = found("widgets.example.com", json!({"l": [1, 2]}), json!({"l": [1]}));
        assert_eq!(words(&found), ["/l: [1,2] in the backup, [1] in the cluster"]);
    }

    #[test]
    fn a_list_whose_entries_come_in_another_order_is_told_as_a_whole() {
        let port = |name: &str| json!({"name": name, "port": 80});
        let of = |one: &str, other: &str| json!({"spec": {"ports": [port(one), port(other)]}});
        let found = found("services", of("http", "https"), of("https", "http"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "/spec/ports");
    }

    #[test]
    fn a_list_that_differs_in_very_much_is_told_as_a_whole() {
        let of = |count: usize, v: u8| {
            let list: Vec<_> =
                (0..count).map(|n| json!({"name": format!("n{n}"), "v": v})).collect();
            json!({"a": v, "l": list})
        };
        let most = found("widgets.example.com", of(MOST_OF_A_LIST, 1), of(MOST_OF_A_LIST, 2));
        assert_eq!(most.len(), 1 + MOST_OF_A_LIST);
        let objects = [1, 2].map(|v| object(of(MOST_OF_A_LIST + 1, v)));
        let id = "widgets.example.com".parse().unwrap();
        let (found, marks) = marked(&id, &objects[0], &objects[1]);
        assert_eq!(found.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(), ["/a", "/l"]);
        assert_eq!(marks.len(), 2);
    }

    #[test]
    fn a_mark_is_another_where_the_cluster_holds_something_else() {
        let marks = |live: &str| {
            let of = |v: &str| object(json!({"a[0]": [{"name": "x", "v": v}]}));
            marked(&"widgets.example.com".parse().unwrap(), &of("ours"), &of(live)).1
        };
        assert_eq!(marks("one"), marks("one"));
        assert_ne!(marks("one"), marks("two"));
    }

    #[test]
    fn a_long_value_is_told_in_short_and_a_huge_one_nowhere_whole() {
        let text = |letter: &str, length: usize| json!({"data": {"k": letter.repeat(length)}});
        let found = found("configmaps", text("v", 100), text("w", LARGEST_VALUE));
        assert_eq!(found[0].backup, text("v", 100)["data"]["k"]);
        let short = |letter: &str| format!("\"{}", letter.repeat(63));
        assert_eq!(found[0].cluster, format!("{}... (4098 bytes)", short("w")));
        let shown = &words(&found)[0];
        assert!(
            shown.starts_with(&format!("/data/k: {}... in the backup, ", short("v"))),
            "{shown}"
        );
    }

    #[test]
    fn values_that_begin_alike_are_told_from_where_they_differ() {
        for length in [100, LARGEST_VALUE] {
            let text = |end: &str| json!({"data": {"k": format!("{}{end}", "ß".repeat(length))}});
            let found = found("configmaps", text("one"), text("two"));
            let shown = &words(&found)[0];
            let alike = "ß".repeat(BEFORE);
            for side in ["one", "two"] {
                assert!(shown.contains(&format!("...{alike}{side}")), "{shown}");
            }
        }
    }

    #[test]
    fn many_values_of_one_object_are_not_all_told_whole() {
        let ours: Map<String, Value> =
            (0..100).map(|n| (format!("k{n:03}"), json!("v".repeat(1000)))).collect();
        let found = found("configmaps", json!({"data": ours}), json!({}));
        assert_eq!(found.len(), 1);
        let found = differences(&GroupResource::core("configmaps"), &ours, &Map::new());
        assert_eq!(found.len(), 100);
        let told: usize = found.iter().map(|it| it.backup.to_string().len()).sum();
        assert!(told < LARGEST_SUM + 100 * 128, "{told}");
    }

    fn leaf() -> impl Strategy<Value = String> {
        "[a-z]{1,6}".prop_map(|word| format!("s3cret{word}"))
    }

    /// Secrets with texts in every place that may hold one.
    fn secret() -> impl Strategy<Value = Value> {
        (prop::option::of(leaf()), prop::option::of(leaf()), prop::option::of(leaf())).prop_map(
            |(data, text, annotation)| {
                json!({"type": "Opaque", "data": data.map(|v| json!({"k": v})),
                    "stringData": {"k": text, "more": [text]},
                    "metadata": {"labels": {"app": "web"}, "annotations": {"last-applied": annotation}}})
            },
        )
    }

    proptest! {
        #[test]
        fn nothing_is_told_of_what_a_secret_holds(ours in secret(), theirs in secret(), parts in 0..3) {
            let theirs = match parts {
                0 => theirs,
                1 => json!({}),
                _ => json!({"metadata": {}}),
            };
            let found = found("secrets", ours.clone(), theirs.clone());
            prop_assert_eq!(found.is_empty(), ours == theirs);
            let told = format!("{}{:?}", serde_json::to_string(&found).unwrap(), words(&found));
            prop_assert!(!told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn a_changed_secret_is_told_by_its_pointers_and_labels_as_they_are() {
        let secret = |value: &str, label: &str| json!({"data": {"password": value}, "metadata": {"labels": {"app": label}}});
        let found = found("secrets", secret("aHVudGVy", "a"), secret("b3RoZXI=", "b"));
        assert_eq!(
            words(&found),
            [
                "/data/password: (not shown)",
                "/metadata/labels/app: \"a\" in the backup, \"b\" in the cluster",
            ]
        );
    }
}

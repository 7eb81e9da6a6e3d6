//! Where two objects differ, field by field. Pure.

use std::fmt;

use bowline_api::GroupResource;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Object;

/// What stands for a value that is not shown.
pub const HIDDEN: &str = "(not shown)";

/// How many bytes of JSON a value may have to be told whole.
const LARGEST_VALUE: usize = 4 << 10;
/// How many bytes the values of one object may have together before the rest is told in short.
const LARGEST_SUM: usize = 16 << 10;
/// How much is told of a value that is too large.
const BEGINNING: usize = 64;

/// What of a Secret may be told: nothing that could hold one.
const TOLD_OF_SECRETS: &[&str] = &["/immutable", "/metadata/labels/", "/type"];

/// A field in which the object of a backup and another one differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// The field, as a JSON pointer (RFC 6901).
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
            match (&self.backup, &self.cluster) {
                (ours, Value::Null) => write!(f, "{} in {backup} only", Short(ours)),
                (Value::Null, theirs) => write!(f, "{} in {cluster} only", Short(theirs)),
                (ours, theirs) if is_hidden(ours) && is_hidden(theirs) => write!(f, "{HIDDEN}"),
                (ours, theirs) => {
                    write!(f, "{} in {backup}, {} in {cluster}", Short(ours), Short(theirs))
                }
            }
        })
    }
}

fn is_hidden(value: &Value) -> bool {
    value == HIDDEN
}

/// A value as a line of a table holds it.
struct Short<'a>(&'a Value);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_hidden(self.0) {
            return f.write_str(HIDDEN);
        }
        let text = self.0.to_string();
        match text.char_indices().nth(BEGINNING) {
            None => f.write_str(&text),
            Some((end, _)) => write!(f, "{}...", &text[..end]),
        }
    }
}

/// Compares two objects of a kind, field by field; lists of unequal length as wholes.
///
/// Values of Secrets are left out, and large ones are told by their beginning.
pub fn differences(resource: &GroupResource, backup: &Object, cluster: &Object) -> Vec<Difference> {
    let is_secret = *resource == GroupResource::core("secrets");
    let mut walk = Walk { is_secret, told: 0, path: String::new(), found: Vec::new() };
    walk.maps(backup, cluster);
    walk.found
}

struct Walk {
    is_secret: bool,
    /// How many bytes of values were told.
    told: usize,
    path: String,
    found: Vec<Difference>,
}

impl Walk {
    fn maps(&mut self, ours: &Map<String, Value>, theirs: &Map<String, Value>) {
        let only_theirs = theirs.keys().filter(|key| !ours.contains_key(*key));
        for key in ours.keys().chain(only_theirs) {
            let token = key.replace('~', "~0").replace('/', "~1");
            self.within(&token, |walk| match (ours.get(key), theirs.get(key)) {
                (Some(ours), Some(theirs)) => walk.values(ours, theirs),
                (ours, theirs) => walk.tell(ours, theirs),
            });
        }
    }

    fn values(&mut self, ours: &Value, theirs: &Value) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => self.maps(ours, theirs),
            (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
                for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                    self.within(&index.to_string(), |walk| walk.values(ours, theirs));
                }
            }
            (ours, theirs) if ours == theirs => {}
            (ours, theirs) => self.tell(Some(ours), Some(theirs)),
        }
    }

    fn within(&mut self, token: &str, visit: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(token);
        visit(self);
        self.path.truncate(length);
    }

    fn tell(&mut self, ours: Option<&Value>, theirs: Option<&Value>) {
        let (backup, cluster) = (self.told(ours), self.told(theirs));
        self.found.push(Difference { path: self.path.clone(), backup, cluster });
    }

    fn told(&mut self, value: Option<&Value>) -> Value {
        let Some(value) = value else { return Value::Null };
        if self.is_secret && !TOLD_OF_SECRETS.iter().any(|told| self.path.starts_with(told)) {
            return Value::from(HIDDEN);
        }
        let text = value.to_string();
        if text.len() <= LARGEST_VALUE && self.told + text.len() <= LARGEST_SUM {
            self.told += text.len();
            return value.clone();
        }
        let beginning: String = text.chars().take(BEGINNING).collect();
        Value::from(format!("{beginning}... ({} bytes)", text.len()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn found(resource: &str, ours: Value, theirs: Value) -> Vec<Difference> {
        let object = |value: Value| serde_json::from_value::<Object>(value).unwrap();
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
    fn lists_of_unequal_length_are_told_as_wholes() {
        let found = found("widgets.example.com", json!({"l": [1, 2]}), json!({"l": [1]}));
        assert_eq!(words(&found), ["/l: [1,2] in the backup, [1] in the cluster"]);
    }

    #[test]
    fn a_long_value_is_told_in_short_and_a_huge_one_nowhere_whole() {
        let text = |length: usize| json!({"data": {"k": "v".repeat(length)}});
        let found = found("configmaps", text(100), text(LARGEST_VALUE));
        assert_eq!(found[0].backup, text(100)["data"]["k"]);
        let short = format!("\"{}", "v".repeat(63));
        assert_eq!(found[0].cluster, format!("{short}... (4098 bytes)"));
        let shown = &words(&found)[0];
        assert!(shown.starts_with(&format!("/data/k: {short}... in the backup, ")), "{shown}");
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

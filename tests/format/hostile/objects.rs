//! Objects that are not the ones that their entries name.

use super::Case;
use super::craft::{Tar, altered, object, path, versioned_path};

/// The object of one item under the name of another.
fn mislaid(id: &str, held: &str) -> Vec<u8> {
    Tar::new().json(id, object(held).to_string()).closed()
}

const POD: &str = "pods/shop/web";

pub(super) const CASES: &[Case] = &[
    Case::new(
        "an object of another name",
        || mislaid("pods/shop/db", POD),
        r#"item pods/shop/db holds an object with metadata.name "web" instead of "db""#,
    ),
    Case::new(
        "an object whose name differs in case",
        || mislaid("pods/shop/WEB", POD),
        r#"item pods/shop/WEB holds an object with metadata.name "web" instead of "WEB""#,
    ),
    Case::new(
        "an object whose name looks the same",
        || altered(POD, r#""web""#, r#""w\u0435b""#),
        "item pods/shop/web holds an object with metadata.name \"w\u{435}b\" instead of \"web\"",
    ),
    Case::new(
        "an object of another namespace",
        || mislaid("pods/prod/web", POD),
        r#"item pods/prod/web holds an object with metadata.namespace "shop" instead of "prod""#,
    ),
    Case::new(
        "an object without its namespace",
        || altered(POD, r#""shop""#, "null"),
        r#"item pods/shop/web holds an object with metadata.namespace "" instead of "shop""#,
    ),
    Case::new(
        "a cluster-scoped object with a namespace",
        || altered("nodes/a", "null", r#""kube-system""#),
        r#"item nodes/a holds an object with metadata.namespace "kube-system" instead of """#,
    ),
    Case::new(
        "an object of another group",
        || mislaid("pods.metrics.k8s.io/shop/web", POD),
        r#"item pods.metrics.k8s.io/shop/web holds an object with the API group "" instead of "metrics.k8s.io""#,
    ),
    Case::new(
        "a custom object in the place of the API server's own",
        || mislaid("deployments.apps/shop/web", "deployments.example.com/shop/web"),
        r#"item deployments.apps/shop/web holds an object with the API group "example.com" instead of "apps""#,
    ),
    Case::new(
        "a group with a part too many",
        || altered("deployments.apps/shop/web", "apps/v1", "apps/v1/x"),
        r#"item deployments.apps/shop/web holds an object with apiVersion "apps/v1/x" instead of "a version""#,
    ),
    Case::new(
        "an object without a version",
        || altered("deployments.apps/shop/web", "apps/v1", "apps/"),
        r#"item deployments.apps/shop/web holds an object with apiVersion "apps/" instead of "a version""#,
    ),
    Case::new(
        "an object with a version that climbs",
        || altered(POD, r#""v1""#, r#""..""#),
        r#"item pods/shop/web holds an object with apiVersion ".." instead of "a version""#,
    ),
    Case::new(
        "an object of another kind",
        || altered(POD, r#""Pod""#, r#""Secret""#),
        r#"item pods/shop/web holds an object with kind "Secret" instead of "Pod""#,
    ),
    Case::new(
        "a list in the place of an object",
        || altered(POD, r#""Pod""#, r#""PodList""#),
        r#"item pods/shop/web holds an object with kind "PodList" instead of "Pod""#,
    ),
    Case::new(
        "an object of no kind",
        || altered("widgets.example.com/shop/a", r#""Widget""#, r#""""#),
        r#"item widgets.example.com/shop/a holds an object with kind "" instead of "a kind""#,
    ),
    Case::new(
        "a kind that is a path",
        || altered("widgets.example.com/shop/a", r#""Widget""#, r#""../Widget""#),
        r#"item widgets.example.com/shop/a holds an object with kind "../Widget" instead of "a kind""#,
    ),
    Case::new(
        "a pod outside of namespaces",
        || mislaid("pods/web", "pods/web"),
        r#"item pods/web holds an object with the scope "the cluster" instead of "a namespace""#,
    ),
    Case::new(
        "a node in a namespace",
        || mislaid("nodes/shop/a", "nodes/shop/a"),
        r#"item nodes/shop/a holds an object with the scope "a namespace" instead of "the cluster""#,
    ),
    Case::new(
        "an object in another version than its further version",
        || {
            let text = object(POD).to_string();
            Tar::new().item(POD).file(versioned_path(POD, "v2"), text.as_bytes()).closed()
        },
        r#"item pods/shop/web holds an object with the API version "v1" instead of "v2""#,
    ),
    Case::new(
        "a very long name in an object",
        || altered(POD, "web", &"w".repeat(9000)),
        concat!(
            "item pods/shop/web holds an object with metadata.name \"",
            "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww",
            "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww",
            "\" instead of \"web\"",
        ),
    ),
    Case::new(
        "an empty file",
        || Tar::new().json(POD, "").closed(),
        "item pods/shop/web is not a valid object: EOF while parsing a value at line 1 column 0",
    ),
    Case::new(
        "a list instead of an object",
        || Tar::new().json(POD, "[]").closed(),
        "item pods/shop/web is not a valid object: invalid type: sequence, expected an object at line 1 column 0",
    ),
    Case::new(
        "an object with nothing in it",
        || Tar::new().json(POD, "{}").closed(),
        "item pods/shop/web is not a valid object: missing field `apiVersion` at line 1 column 2",
    ),
    Case::new(
        "an object without a kind",
        || altered(POD, "kind", "mind"),
        "item pods/shop/web is not a valid object: missing field `kind` at line 1 column 77",
    ),
    Case::new(
        "an object without metadata",
        || altered(POD, "metadata", "data"),
        "item pods/shop/web is not a valid object: missing field `metadata` at line 1 column 73",
    ),
    Case::new(
        "an object without a name",
        || altered(POD, "name\":\"web", "label\":\"web"),
        "item pods/shop/web is not a valid object: missing field `name` at line 1 column 77",
    ),
    Case::new(
        "a name that is a number",
        || altered(POD, r#""web""#, "7"),
        "item pods/shop/web is not a valid object: invalid type: integer `7`, expected a string at line 1 column 52",
    ),
    Case::new(
        "a namespace that is a list",
        || altered(POD, r#""shop""#, r#"["shop"]"#),
        "item pods/shop/web is not a valid object: invalid type: sequence, expected a string at line 1 column 69",
    ),
    Case::new(
        "metadata that is a list",
        || {
            Tar::new()
                .json(POD, r#"{"apiVersion":"v1","kind":"Pod","metadata":["web","shop"]}"#)
                .closed()
        },
        "item pods/shop/web is not a valid object: invalid type: sequence, expected an object at line 1 column 43",
    ),
    Case::new(
        "an object that is a list of its fields",
        || Tar::new().json(POD, r#"["v1","Pod",{"name":"web","namespace":"shop"}]"#).closed(),
        "item pods/shop/web is not a valid object: invalid type: sequence, expected an object at line 1 column 0",
    ),
    Case::new(
        "YAML",
        || Tar::new().json(POD, "apiVersion: v1\nkind: Pod\n").closed(),
        "item pods/shop/web is not a valid object: expected value at line 1 column 1",
    ),
    Case::new(
        "the copy of an object alone that is another one",
        || {
            Tar::new()
                .file(
                    versioned_path(POD, "v1-preferredversion"),
                    object("pods/shop/db").to_string().as_bytes(),
                )
                .closed()
        },
        r#"item pods/shop/web holds an object with metadata.name "db" instead of "web""#,
    ),
];

#[test]
fn names_are_those_of_velero() {
    assert_eq!(path("nodes/a"), "resources/nodes/cluster/a.json");
    assert_eq!(versioned_path("nodes/a", "v1"), "resources/nodes/v1/cluster/a.json");
}

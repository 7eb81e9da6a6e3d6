//! What every object in an archive must be.

use std::borrow::Cow;

use bowline_api::ItemId;

use super::{Error, path};
use crate::engine::model::json::{self, Fields};
use crate::engine::model::kinds::built_in;

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    metadata: Fields<Metadata<'a>>,
}

#[derive(serde::Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    namespace: Option<Cow<'a, str>>,
}

/// Checks that `object` is the object that `id` names, and tells its version without the group.
///
/// What passes can be parsed into a [`serde_json::Value`] later (see [`json::check`]). Writer and
/// reader share this check, so that what was written can be read.
pub(super) fn check(id: &ItemId, object: &[u8]) -> Result<String, Error> {
    let invalid = |source| Error::Json { item: id.to_string(), source };
    json::check(object).map_err(invalid)?;
    let Fields(head): Fields<Head<'_>> = serde_json::from_slice(object).map_err(invalid)?;
    let Fields(metadata) = head.metadata;
    let (group, version) = head.api_version.split_once('/').unwrap_or(("", &head.api_version));
    expect(id, "the API group", &id.resource.group, group)?;
    expect(id, "metadata.name", &id.name, &metadata.name)?;
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    expect(id, "metadata.namespace", id.namespace.as_deref().unwrap_or_default(), namespace)?;
    check_kind(id, &head.kind)?;
    path::check_version(version)
        .map_err(|_| mismatch(id, "apiVersion", "a version", &head.api_version))?;
    Ok(version.to_owned())
}

/// Checks that `object` is the object that `id` names, in this version.
pub(super) fn check_version(id: &ItemId, object: &[u8], version: &str) -> Result<(), Error> {
    expect(id, "the API version", version, &check(id, object)?)
}

/// Checks that the kind can be one, and that a resource of the API server's own holds what it always
/// does, where it always does.
fn check_kind(id: &ItemId, kind: &str) -> Result<(), Error> {
    path::check_kind(kind).map_err(|_| mismatch(id, "kind", "a kind", kind))?;
    let Some(known) = built_in(&id.resource) else { return Ok(()) };
    expect(id, "kind", known.kind, kind)?;
    let scope = |namespaced: bool| if namespaced { "a namespace" } else { "the cluster" };
    expect(id, "the scope", scope(known.namespaced), scope(id.namespace.is_some()))
}

fn expect(id: &ItemId, field: &'static str, expected: &str, found: &str) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(mismatch(id, field, expected, found)) }
}

fn mismatch(id: &ItemId, field: &'static str, expected: &str, found: &str) -> Error {
    // The found text is the archive's; a message needs no more than its beginning.
    let found = found.chars().take(100).collect();
    Error::Mismatch { item: id.to_string(), field, expected: expected.to_owned(), found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(text: &str) -> ItemId {
        text.parse().unwrap()
    }

    fn checked(id: &str, json: &str) -> Result<String, String> {
        check(&id_of(id), json.as_bytes()).map_err(|error| match error {
            Error::Mismatch { field, .. } => field.to_owned(),
            Error::Json { source, .. } => source.to_string(),
            other => panic!("{other}"),
        })
    }

    #[test]
    fn an_object_tells_its_version_if_it_is_the_one_that_its_name_says() {
        let deployment = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"}}"#;
        assert_eq!(checked("deployments.apps/shop/web", deployment), Ok("v1".to_owned()));
        let fails = |id, field: &str| assert_eq!(checked(id, deployment), Err(field.to_owned()));
        fails("deployments.extensions/shop/web", "the API group");
        fails("deployments/shop/web", "the API group");
        fails("deployments.apps/shop/db", "metadata.name");
        fails("deployments.apps/prod/web", "metadata.namespace");
        fails("deployments.apps/web", "metadata.namespace");
    }

    #[test]
    fn a_cluster_scoped_object_may_say_so_in_three_ways() {
        for namespace in ["", r#","namespace":"""#, r#","namespace":null"#] {
            let json = format!(
                r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"a"{namespace}}}}}"#
            );
            assert_eq!(checked("nodes/a", &json), Ok("v1".to_owned()));
        }
    }

    #[test]
    fn an_object_without_kind_or_version_is_refused() {
        let of = |kind: &str, version: &str| {
            let json = format!(
                r#"{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"name":"a"}}}}"#
            );
            checked("nodes/a", &json)
        };
        assert_eq!(of("", "v1"), Err("kind".to_owned()));
        assert_eq!(of("Node", ""), Err("apiVersion".to_owned()));
        let json = r#"{"apiVersion":"v1","metadata":{"name":"a"}}"#;
        assert!(checked("nodes/a", json).unwrap_err().contains("missing field `kind`"));
    }

    #[test]
    fn a_field_given_twice_is_refused() {
        let json =
            r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"},"metadata":{"name":"b"}}"#;
        assert!(checked("nodes/a", json).unwrap_err().contains("duplicate field \"metadata\""));
    }

    #[test]
    fn an_object_of_another_kind_or_scope_than_its_resource_has_is_refused() {
        let of = |id: &str, kind: &str| {
            let id = id_of(id);
            let group = &id.resource.group;
            let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
            let json = serde_json::json!({"apiVersion": version, "kind": kind,
                "metadata": {"name": id.name, "namespace": id.namespace}});
            checked(&id.to_string(), &json.to_string())
        };
        let (fine, kind, scope) =
            (Ok("v1".to_owned()), Err("kind".to_owned()), Err("the scope".to_owned()));
        assert_eq!(of("deployments.apps/shop/a", "Deployment"), fine);
        assert_eq!(of("deployments.apps/shop/a", "StatefulSet"), kind);
        assert_eq!(of("deployments.apps/shop/a", "deployment"), kind);
        assert_eq!(of("pods/a", "Pod"), scope);
        assert_eq!(of("clusterroles.rbac.authorization.k8s.io/shop/a", "ClusterRole"), scope);
        assert_eq!(of("widgets.example.com/a", "Widget"), fine);
        assert_eq!(of("widgets.example.com/shop/a", "Gadget"), fine);
        for odd in ["Wid get", "wid/get", "9Lives", "", "W\u{e4}sche", &"W".repeat(64)] {
            assert_eq!(of("widgets.example.com/a", odd), kind, "{odd}");
        }
    }
}

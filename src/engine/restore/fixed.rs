//! What no update can change of an object that is there. Pure.

use bowline_api::ItemId;
use serde_json::Value;

use super::claim_retention;
use crate::engine::model::Object;
use crate::engine::model::entries::is_within;
use crate::engine::model::fields::{at, maps_at, text_at};

/// Which fields of a kind an update can change, as JSON pointers; each stands for all below it.
enum Rule {
    /// These and no others.
    Only(&'static [&'static str]),
    /// All but these.
    AllBut(&'static [&'static str]),
}

/// The kinds whose fields the API server does not let change at will; it tells of all others itself.
///
/// A claim's or a volume's specification is its data: what could be changed of it stays, too.
const RULES: &[(&[&str], Rule)] = &[
    (
        &["persistentvolumeclaims", "persistentvolumes", "pods", "namespaces"],
        Rule::Only(&["/metadata"]),
    ),
    (
        &["jobs.batch"],
        Rule::Only(&[
            "/metadata",
            "/spec/activeDeadlineSeconds",
            "/spec/backoffLimit",
            "/spec/parallelism",
            "/spec/suspend",
            "/spec/ttlSecondsAfterFinished",
        ]),
    ),
    (
        &["statefulsets.apps"],
        Rule::Only(&[
            "/metadata",
            "/spec/minReadySeconds",
            "/spec/ordinals",
            "/spec/persistentVolumeClaimRetentionPolicy",
            "/spec/replicas",
            "/spec/revisionHistoryLimit",
            "/spec/template",
            "/spec/updateStrategy",
        ]),
    ),
    (&["controllerrevisions.apps"], Rule::Only(&["/metadata", "/revision"])),
    (
        &["deployments.apps", "daemonsets.apps", "replicasets.apps"],
        Rule::AllBut(&["/spec/selector"]),
    ),
    (&["services"], Rule::AllBut(&["/spec/clusterIP", "/spec/clusterIPs"])),
    (&["secrets"], Rule::AllBut(&["/type"])),
    (
        &[
            "rolebindings.rbac.authorization.k8s.io",
            "clusterrolebindings.rbac.authorization.k8s.io",
        ],
        Rule::AllBut(&["/roleRef"]),
    ),
    (
        &["storageclasses.storage.k8s.io"],
        Rule::AllBut(&["/parameters", "/provisioner", "/reclaimPolicy", "/volumeBindingMode"]),
    ),
    (&["volumeattributesclasses.storage.k8s.io"], Rule::AllBut(&["/driverName", "/parameters"])),
    (
        &["csidrivers.storage.k8s.io"],
        Rule::AllBut(&["/spec/attachRequired", "/spec/volumeLifecycleModes"]),
    ),
    (&["priorityclasses.scheduling.k8s.io"], Rule::AllBut(&["/preemptionPolicy", "/value"])),
    (&["runtimeclasses.node.k8s.io"], Rule::AllBut(&["/handler"])),
    (&["ingressclasses.networking.k8s.io"], Rule::AllBut(&["/spec/controller"])),
    (&["endpointslices.discovery.k8s.io"], Rule::AllBut(&["/addressType"])),
    (
        &[DEFINITIONS],
        Rule::AllBut(&["/spec/group", "/spec/names/kind", "/spec/names/plural", "/spec/scope"]),
    ),
];

const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// What a `ConfigMap` or Secret that is marked immutable still lets change.
const OF_IMMUTABLE: Rule = Rule::Only(&["/metadata"]);

impl Rule {
    /// Whether an update can change what is at this pointer, and all of it.
    fn allows(&self, pointer: &str) -> bool {
        match self {
            Self::Only(some) => some.iter().any(|it| is_within(pointer, it)),
            Self::AllBut(some) => {
                !some.iter().any(|it| is_within(pointer, it) || is_within(it, pointer))
            }
        }
    }
}

/// Tells why `live` cannot be changed into ours, if so; `differing` says where they differ.
pub(super) fn obstacle(
    id: &ItemId,
    ours: &Object,
    live: &Object,
    differing: &[String],
) -> Option<String> {
    let resource = id.resource.to_string();
    let mut rules: Vec<&Rule> = RULES
        .iter()
        .filter(|(kinds, _)| kinds.contains(&resource.as_str()))
        .map(|(_, rule)| rule)
        .collect();
    if is_immutable(&resource, live) {
        rules.push(&OF_IMMUTABLE);
    }
    let is_fixed = |pointer: &&String| rules.iter().any(|rule| !rule.allows(pointer));
    match differing.iter().find(is_fixed) {
        Some(fixed) => Some(format!("{fixed} cannot be changed")),
        None if resource == DEFINITIONS => lost_version(ours, live),
        None => claim_retention::obstacle(id, ours, live),
    }
}

fn is_immutable(resource: &str, live: &Object) -> bool {
    ["configmaps", "secrets"].contains(&resource) && live.get("immutable") == Some(&true.into())
}

/// A version that would be taken from a definition although the target serves it or stores objects in it.
fn lost_version(ours: &Object, live: &Object) -> Option<String> {
    let has = |name: &str, key: &str| {
        let mut versions = maps_at(ours, &["spec", "versions"]);
        versions.any(|it| text_at(it, &["name"]) == Some(name) && is_set(it, key))
    };
    for version in maps_at(live, &["spec", "versions"]) {
        let name = text_at(version, &["name"]).unwrap_or_default();
        if is_set(version, "served") && !has(name, "served") {
            return Some(format!("the target serves version {name}, which the backup's does not"));
        }
    }
    let stored = at(live, &["status", "storedVersions"]).and_then(Value::as_array);
    let mut stored = stored.into_iter().flatten().filter_map(Value::as_str);
    let lost = stored.find(|name| !has(name, "name"))?;
    Some(format!("the target may hold objects in version {lost}, which the backup's lacks"))
}

/// Whether a version has this mark; every version has a name.
fn is_set(version: &Object, key: &str) -> bool {
    key == "name" || version.get(key) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::object;
    use super::*;

    fn why(id: &str, live: Value, differing: &[&str]) -> Option<String> {
        let differing: Vec<String> = differing.iter().map(ToString::to_string).collect();
        obstacle(&id.parse().unwrap(), &Object::new(), &object(live), &differing)
    }

    #[test]
    fn what_the_api_server_holds_fast_is_named() {
        for (id, fixed, free) in [
            ("deployments.apps/shop/web", "/spec/selector/matchLabels/app", "/spec/replicas"),
            ("deployments.apps/shop/web", "/spec", "/spec/selectors"),
            ("statefulsets.apps/shop/db", "/spec/volumeClaimTemplates", "/spec/template/spec"),
            ("statefulsets.apps/shop/db", "/spec/serviceName", "/spec/replicas"),
            ("jobs.batch/shop/j", "/spec/template/spec/containers/0/image", "/spec/suspend"),
            ("services/shop/web", "/spec/clusterIP", "/spec/ports"),
            ("secrets/shop/s", "/type", "/data/password"),
            ("persistentvolumeclaims/shop/d", "/spec/resources", "/metadata/labels/app"),
            ("rolebindings.rbac.authorization.k8s.io/shop/r", "/roleRef/name", "/subjects"),
            ("storageclasses.storage.k8s.io/s", "/parameters/type", "/allowVolumeExpansion"),
        ] {
            let expected = Some(format!("{fixed} cannot be changed"));
            assert_eq!(why(id, json!({}), &["/metadata/labels/a", fixed]), expected, "{id}");
            assert_eq!(why(id, json!({}), &["/metadata/labels/a", free]), None, "{id} {free}");
        }
        assert_eq!(why("widgets.example.com/shop/w", json!({}), &["/spec"]), None);
    }

    #[test]
    fn what_is_marked_immutable_keeps_its_data() {
        let id = "configmaps/shop/c";
        let fixed = || json!({"immutable": true});
        assert!(why(id, fixed(), &["/data/a"]).is_some());
        assert_eq!(why(id, fixed(), &["/metadata/labels/a"]), None);
        assert_eq!(why(id, json!({"immutable": false}), &["/data/a"]), None);
    }

    #[test]
    fn a_definition_keeps_the_versions_that_are_served_and_stored() {
        let id = "customresourcedefinitions.apiextensions.k8s.io/widgets.example.com";
        let of = |versions: &[(&str, bool)], stored: &[&str]| {
            let versions =
                versions.iter().map(|(name, served)| json!({"name": name, "served": served}));
            object(json!({"spec": {"versions": versions.collect::<Vec<_>>()},
                "status": {"storedVersions": stored}}))
        };
        let id = id.parse().unwrap();
        let why = |ours: &Object, live: &Object| {
            obstacle(&id, ours, live, &["/spec/versions".to_owned()])
        };
        let ours = of(&[("v1", true), ("v2", false)], &[]);
        assert_eq!(why(&ours, &of(&[("v1", true)], &["v1", "v2"])), None);
        let served = why(&ours, &of(&[("v1", true), ("v2", true)], &["v1"])).unwrap();
        assert!(served.contains("serves version v2"), "{served}");
        let stored = why(&ours, &of(&[("v1", true), ("v3", false)], &["v1", "v3"])).unwrap();
        assert!(stored.contains("objects in version v3"), "{stored}");
    }
}

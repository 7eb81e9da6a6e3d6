//! Whether what a restore would create is what the cluster has already. Pure.

use bowline_api::{GroupResource, ItemId};
use serde_json::Value;

use super::Preparation;
use super::insignificant::drop_insignificant;
use super::jobs;
use super::prepare::prepare;
use super::quiesce;
use crate::engine::model::Object;
use crate::engine::model::difference::{self, Difference};
use crate::engine::model::entries::counterparts;
use crate::engine::model::fields::{at, map_at_mut, remove, text_at};

/// How many fields a message names.
const NAMED: usize = 8;

/// Tells where a prepared object and the live one of the same name differ in what somebody meant.
///
/// What the server and controllers fill in, defaults, and the marks of restores do not count. An archived
/// object is the same as the live one it was read from.
pub(super) fn differences(id: &ItemId, ours: &Object, live: &Object) -> Vec<Difference> {
    let (ours, live) = significant(id, ours, live);
    difference::differences(&id.resource, &ours, &live)
}

/// Where two objects differ, and what the live one holds there.
pub(super) struct Compared {
    pub differences: Vec<Difference>,
    /// A digest of each field and what is live there: the same as long as nobody changes that.
    pub marks: Vec<String>,
}

/// Compares as [`differences`] does, and marks what was seen.
pub(super) fn compared(id: &ItemId, ours: &Object, live: &Object) -> Compared {
    let (ours, live) = significant(id, ours, live);
    let (differences, marks) = difference::marked(&id.resource, &ours, &live);
    Compared { differences, marks }
}

/// What somebody meant, of both.
fn significant(id: &ItemId, ours: &Object, live: &Object) -> (Object, Object) {
    // Who chose a node port was decided when ours was prepared.
    let context = Preparation { preserve_node_ports: true, ..Preparation::default() };
    let was = live;
    let is_bound = text_at(live, &["status", "phase"]) == Some("Bound");
    let mut ours = ours.clone();
    let mut live = prepare(id, live.clone(), &context).object;
    quiesce::as_noted(&mut live);
    if id.resource == GroupResource::core("services") {
        drop_allocated_ports(&ours, &mut live);
    }
    if id.resource == GroupResource::core("persistentvolumeclaims") && is_bound {
        // A bound claim cannot shrink, and may have grown.
        for claim in [&mut ours, &mut live] {
            remove(claim, &["spec", "resources", "requests", "storage"]);
        }
    }
    jobs::drop_suspension(id, &mut ours, &mut live, was);
    drop_insignificant(&id.resource, &mut ours, &mut live);
    (ours, live)
}

/// The fields of some differences, as JSON pointers.
pub(super) fn pointers(differences: &[Difference]) -> Vec<String> {
    differences.iter().map(|difference| difference.path.clone()).collect()
}

/// Fields in a message; of many, the first.
pub(super) fn named(pointers: &[String]) -> String {
    let named = pointers.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match pointers.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Takes out of the live Service the node ports that ours leaves to the cluster.
fn drop_allocated_ports(ours: &Object, live: &mut Object) {
    let Some(ours) = at(ours, &["spec", "ports"]).and_then(Value::as_array) else { return };
    let live = map_at_mut(live, &["spec"]).and_then(|spec| spec.get_mut("ports")?.as_array_mut());
    let Some(live) = live else { return };
    let counterparts = counterparts(ours, live);
    for (live, place) in live.iter_mut().zip(counterparts) {
        let is_left = place.is_some_and(|place| ours[place].get("nodePort").is_none());
        if let Some(live) = live.as_object_mut().filter(|_| is_left) {
            live.remove("nodePort");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{Sample, object, samples};
    use super::*;
    use crate::engine::model::entries;

    fn context() -> Preparation {
        Preparation {
            backup: "nightly".to_owned(),
            restore: "rescue".to_owned(),
            restore_uid: "11111111-2222-4333-8444-555555555555".to_owned(),
            ..Preparation::default()
        }
    }

    fn ours(sample: &Sample) -> Object {
        prepare(&sample.id, sample.object.clone(), &context()).object
    }

    /// The fields in which what a restore would make differs from the live object.
    fn paths(id: &ItemId, ours: &Object, live: &Object) -> Vec<String> {
        differences(id, ours, live).into_iter().map(|it| it.path).collect()
    }

    fn between(id: &str, ours: Value, live: Value) -> Vec<String> {
        let id: ItemId = id.parse().unwrap();
        paths(&id, &prepare(&id, object(ours), &context()).object, &object(live))
    }

    /// What another life in the same cluster changes about an object.
    fn touched(object: &Object) -> Object {
        let mut touched = object.clone();
        touched.insert("status".to_owned(), json!({"phase": "Bound", "observedGeneration": 7}));
        let metadata = touched["metadata"].as_object_mut().unwrap();
        for (key, value) in [
            ("uid", json!("other")),
            ("resourceVersion", json!("99999")),
            ("generation", json!(12)),
            ("creationTimestamp", json!("2027-01-01T00:00:00Z")),
            ("managedFields", json!([])),
            ("finalizers", json!(["example.com/added"])),
        ] {
            metadata.insert(key.to_owned(), value);
        }
        touched
    }

    #[test]
    fn restoring_into_the_cluster_it_came_from_finds_no_differences() {
        for sample in samples() {
            for live in [sample.object.clone(), touched(&sample.object)] {
                let found = differences(&sample.id, &ours(&sample), &live);
                assert!(found.is_empty(), "{}: {found:?}", sample.id);
            }
        }
    }

    #[test]
    fn what_a_restore_made_is_no_different_from_what_it_would_make() {
        for sample in samples() {
            let made = ours(&sample);
            assert!(differences(&sample.id, &made, &touched(&made)).is_empty(), "{}", sample.id);
        }
    }

    /// Every leaf below `value`, by its pointer.
    fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    leaves(value, &format!("{path}/{}", entries::escaped(key)), found);
                }
            }
            Value::Array(list) if !list.is_empty() => {
                for (index, value) in list.iter().enumerate() {
                    leaves(value, &format!("{path}/{index}"), found);
                }
            }
            _ => found.push(path.to_owned()),
        }
    }

    fn change(value: &mut Value) {
        *value = match value.take() {
            Value::String(text) => json!(format!("{text}-changed")),
            Value::Number(number) => match number.as_i64() {
                Some(number) => json!(number + 1),
                None => json!(number.as_f64().unwrap() + 1.0),
            },
            Value::Bool(flag) => json!(!flag),
            _ => json!({"changed": true}),
        };
    }

    /// Leaves that a change may happen to without anybody having meant it.
    fn is_insignificant(id: &ItemId, pointer: &str) -> bool {
        let of_a_bound_claim = ["/spec/volumeName", "/spec/resources/requests/storage"];
        pointer.starts_with("/metadata")
            || (id.resource.resource == "persistentvolumeclaims"
                && of_a_bound_claim.contains(&pointer))
    }

    /// Changes one leaf of what we would create: exactly that is found.
    fn check_leaf(sample: &Sample, ours: &Value, pointer: &str) {
        let mut changed = ours.clone();
        change(changed.pointer_mut(pointer).unwrap());
        let found = paths(&sample.id, &object(changed.clone()), &sample.object);
        // An entry that has another name is another entry: one less and one more.
        assert!((1..=2).contains(&found.len()), "{} {pointer}: {found:?}", sample.id);
        for found in found {
            let place = [&changed, ours].iter().find_map(|object| entries::pointer(object, &found));
            let place = place.unwrap_or_else(|| panic!("{} {pointer}: {found}", sample.id));
            // A default that is no longer one is told as a whole.
            let is_there = place.starts_with(pointer) || pointer.starts_with(place.as_str());
            assert!(is_there, "{} {pointer}: {found}", sample.id);
        }
    }

    #[test]
    fn every_changed_leaf_is_found_and_nothing_else() {
        let mut tried = 0;
        for sample in samples() {
            let ours = Value::Object(ours(&sample));
            let mut pointers = Vec::new();
            leaves(&ours, "", &mut pointers);
            pointers.retain(|pointer| !is_insignificant(&sample.id, pointer));
            tried += pointers.len();
            for pointer in pointers {
                check_leaf(&sample, &ours, &pointer);
            }
        }
        assert!(tried > 200, "only {tried} leaves were changed");
    }

    #[test]
    fn labels_and_annotations_that_somebody_set_count() {
        let shape = |labels: Value| json!({"metadata": {"labels": labels}});
        let found =
            between("configmaps/shop/c", shape(json!({"a/b": "1"})), shape(json!({"c": "1"})));
        assert_eq!(found, ["/metadata/labels/a~1b", "/metadata/labels/c"]);
    }

    #[test]
    fn an_entry_more_or_less_is_told_of_the_list() {
        let shape = |list: Value| json!({"spec": {"list": list}});
        let id = "widgets.example.com/shop/w";
        assert_eq!(between(id, shape(json!([1, 2])), shape(json!([1]))), ["/spec/list"]);
        assert_eq!(between(id, shape(json!([1, 2])), shape(json!([1, 3]))), ["/spec/list/1"]);
    }

    #[test]
    fn what_is_null_or_an_empty_list_is_absent() {
        let id = "deployments.apps/shop/web";
        let empty = json!({"metadata": {"annotations": {}}, "spec": {"a": null, "tolerations": [],
            "template": {"metadata": {"creationTimestamp": null}, "spec": {"securityContext": {}}}}});
        assert!(between(id, empty, json!({"spec": {"template": {"spec": {}}}})).is_empty());
    }

    #[test]
    fn an_empty_selector_is_not_the_absence_of_one() {
        let from = |peer: Value| json!({"spec": {"ingress": [{"from": [peer]}]}});
        let found = between(
            "networkpolicies.networking.k8s.io/shop/p",
            from(json!({"podSelector": {}, "namespaceSelector": {}})),
            from(json!({"podSelector": {}})),
        );
        assert_eq!(found, ["/spec/ingress/0/from/0/namespaceSelector"]);
        let version = |subresources: Value| json!({"spec": {"versions": [subresources]}});
        let found = between(
            "customresourcedefinitions.apiextensions.k8s.io/w",
            version(json!({"subresources": {"status": {}}})),
            version(json!({"subresources": {}})),
        );
        assert_eq!(found, ["/spec/versions/0/subresources/status"]);
    }

    #[test]
    fn a_default_that_a_newer_server_fills_in_is_no_difference_but_another_value_is() {
        let id = "statefulsets.apps/shop/db";
        let live = |policy: &str| {
            json!({"spec": {"persistentVolumeClaimRetentionPolicy":
                {"whenDeleted": policy, "whenScaled": "Retain"}}})
        };
        assert!(between(id, json!({"spec": {}}), live("Retain")).is_empty());
        let found = between(id, json!({"spec": {}}), live("Delete"));
        assert_eq!(found, ["/spec/persistentVolumeClaimRetentionPolicy"]);
    }

    #[test]
    fn what_a_pod_template_leaves_open_is_filled_in_wherever_it_lies() {
        let open = json!({"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]});
        let filled = json!({"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "containers": [
            {"name": "a", "terminationMessagePolicy": "File",
                "ports": [{"containerPort": 80, "protocol": "TCP"}]}]});
        let deployment = |spec: &Value| json!({"spec": {"template": {"spec": spec}}});
        let cron_job = |spec: &Value| json!({"spec": {"jobTemplate": deployment(spec)}});
        assert!(between("pods/shop/p", json!({"spec": open}), json!({"spec": filled})).is_empty());
        let id = "deployments.apps/shop/web";
        assert!(between(id, deployment(&open), deployment(&filled)).is_empty());
        assert!(between("cronjobs.batch/shop/n", cron_job(&open), cron_job(&filled)).is_empty());
        let found = between("widgets.example.com/shop/w", deployment(&open), deployment(&filled));
        assert_eq!(found.len(), 4, "{found:?}");
    }

    #[test]
    fn ports_left_to_the_cluster_are_no_difference_and_chosen_ones_are() {
        let service = |node_port: Value| json!({"spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": node_port}]}});
        let id = "services/shop/web";
        assert!(between(id, service(json!(30080)), service(json!(31000))).is_empty());
        let chosen = json!({"metadata": {"annotations": {
                "kubectl.kubernetes.io/last-applied-configuration":
                    r#"{"spec": {"ports": [{"port": 80, "nodePort": 30080}]}}"#}},
            "spec": service(json!(30080))["spec"]});
        assert!(between(id, chosen.clone(), service(json!(30080))).is_empty());
        let found = between(id, chosen, service(json!(31000)));
        assert_eq!(found, ["/spec/ports[port=80]/nodePort"]);
    }

    #[test]
    fn ports_left_to_the_cluster_are_those_of_the_same_port_wherever_it_stands() {
        let service = |ports: Value| json!({"spec": {"type": "NodePort", "ports": ports}});
        let ours = service(json!([{"port": 80}, {"port": 443}]));
        let live = service(json!([{"port": 443, "nodePort": 31000}]));
        assert_eq!(between("services/shop/web", ours, live), ["/spec/ports[port=80]"]);
    }

    #[test]
    fn ports_left_to_the_cluster_are_told_by_what_the_entries_are_known_by() {
        let port = |name: &str, port: u16| json!({"name": name, "port": port});
        let with = |mut port: Value, node_port: u16| {
            port["nodePort"] = json!(node_port);
            port
        };
        let chosen = r#"{"spec": {"ports": [{"name": "web", "port": 80, "nodePort": 30080}]}}"#;
        let ours = json!({"metadata": {"annotations":
                {"kubectl.kubernetes.io/last-applied-configuration": chosen}},
            "spec": {"type": "NodePort",
                "ports": [with(port("web", 80), 30080), with(port("alt", 8080), 31111)]}});
        let live = json!({"spec": {"type": "NodePort",
            "ports": [with(port("web", 8080), 30080), with(port("alt", 80), 31999)]}});
        let found = between("services/shop/web", ours, live);
        assert_eq!(found, ["/spec/ports[name=web]/port", "/spec/ports[name=alt]/port"]);
    }

    #[test]
    fn the_size_of_a_claim_counts_only_until_it_is_bound() {
        let claim = |size: &str, phase: &str| {
            json!({"spec": {"resources": {"requests": {"storage": size}}, "volumeName": size},
                "status": {"phase": phase}})
        };
        let id = "persistentvolumeclaims/shop/data";
        assert!(between(id, claim("1Gi", "Bound"), claim("2Gi", "Bound")).is_empty());
        let found = between(id, claim("1Gi", "Bound"), claim("2Gi", "Pending"));
        assert_eq!(found, ["/spec/resources/requests/storage"]);
    }

    #[test]
    fn a_secret_is_told_by_its_key_and_never_by_its_value() {
        let secret = |password: &str| json!({"type": "Opaque", "data": {"password": password}});
        let found = between("secrets/shop/s", secret("c2VjcmV0"), secret("b3RoZXI="));
        assert_eq!(found, ["/data/password"]);
    }

    #[test]
    fn what_clusters_add_to_an_account_does_not_count() {
        let account = json!({"secrets": [{"name": "own"}]});
        let live = json!({"secrets": [{"name": "web-token-x7f2k"}, {"name": "own"}],
            "imagePullSecrets": [{"name": "added"}]});
        assert!(between("serviceaccounts/shop/web", account, live).is_empty());
    }
}

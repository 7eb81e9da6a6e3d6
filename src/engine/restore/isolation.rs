//! What a drill must not do: reach beyond its namespaces, touch what is the original's, or leave
//! something that cannot be taken down.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};

use super::Preparation;
use super::plan::{Row, Verdict};
use crate::engine::model::kinds;

/// Why a claim gets no volume that is not a copy.
pub(super) const NOT_COPIED: &str =
    "its data is not in the backup, and a drill does not touch the volume of the original";

const OUTSIDE: &str = "it is in no namespace: a drill changes nothing outside of its own";

const OWN: &str = "the drill makes namespaces of its own, closed off";

const ELSEWHERE: &str = "its namespace is no part of the drill";

const POLICY: &str = "policies add up: it could open what closes the drill off";

/// The finalizers that the cluster itself sees to, whoever made the object.
const OF_THE_CLUSTER: &[&str] = &["kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"];

/// Leaves out what a drill must not make, and the pods of what is left out.
pub(super) fn leave_out(preparation: &Preparation, rows: &mut [Row<'_>]) {
    let mut left = BTreeSet::new();
    for row in rows.iter_mut().filter(|row| row.verdict == Verdict::Create) {
        let (id, is_mapped) = (row.entry.id(), |it: &str| preparation.is_mapped(it));
        let Some(reason) = reason(&id, is_mapped) else { continue };
        row.decide(Verdict::Skip, reason);
        if is_job(row.entry.resource()) {
            left.insert(row.uid.clone());
        }
    }
    for row in rows.iter_mut().filter(|row| row.verdict == Verdict::Create) {
        let mut owners = row.child.iter().flat_map(|meta| &meta.owner_references);
        if owners.any(|owner| left.contains(&owner.uid)) {
            row.decide(Verdict::Skip, "belongs to a job, which a drill does not run");
        }
    }
}

fn is_job(resource: &GroupResource) -> bool {
    *resource == GroupResource::new("batch", "jobs")
}

/// Why an object is not made in a drill, if it is not.
fn reason(id: &ItemId, is_mapped: impl Fn(&str) -> bool) -> Option<String> {
    let resource = &id.resource;
    if *resource == GroupResource::core("persistentvolumes") {
        return None;
    }
    if *resource == GroupResource::core("namespaces") {
        return Some(OWN.to_owned());
    }
    let Some(namespace) = &id.namespace else { return Some(OUTSIDE.to_owned()) };
    if !is_mapped(namespace) {
        return Some(ELSEWHERE.to_owned());
    }
    if *resource == GroupResource::new("networking.k8s.io", "networkpolicies") {
        return Some(POLICY.to_owned());
    }
    kinds::acts_outward(resource).map(|does| format!("acts outward: {does}"))
}

/// Whether an object comes without this finalizer: who would see to it is no part of the drill.
pub(super) fn drops_finalizer(finalizer: &str) -> bool {
    !OF_THE_CLUSTER.contains(&finalizer)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::prepare::{Prepared, prepare};
    use super::*;

    fn drilled(id: &str, object: &Value) -> Prepared {
        let namespaces = [("shop".to_owned(), "shop-drill-1".to_owned())].into();
        let context = Preparation {
            namespaces,
            beside: ["shop".to_owned()].into(),
            isolated: true,
            ..Preparation::default()
        };
        prepare(&id.parse().unwrap(), object.as_object().cloned().unwrap(), &context)
    }

    #[test]
    fn only_what_stays_inside_of_a_namespace_and_opens_nothing_is_made() {
        let is_made = |id: &str| reason(&id.parse().unwrap(), |it| it == "shop").is_none();
        for made in [
            "configmaps/shop/a",
            "statefulsets.apps/shop/a",
            "persistentvolumeclaims/shop/a",
            "services/shop/a",
            "persistentvolumes/a",
        ] {
            assert!(is_made(made), "{made}");
        }
        for left in [
            "networkpolicies.networking.k8s.io/shop/a",
            "ingresses.networking.k8s.io/shop/a",
            "jobs.batch/shop/a",
            "cronjobs.batch/shop/a",
            "widgets.example.com/shop/a",
            "clusterroles.rbac.authorization.k8s.io/a",
            "storageclasses.storage.k8s.io/a",
            // It would come back into the namespace of the original.
            "configmaps/other/a",
            "namespaces/shop",
        ] {
            assert!(!is_made(left), "{left}");
        }
    }

    #[test]
    fn finalizers_of_those_who_are_not_there_are_dropped() {
        let finalizers = ["example.com/hold", "kubernetes.io/pvc-protection"];
        let object = json!({"metadata": {"finalizers": finalizers}});
        let made = drilled("persistentvolumeclaims/shop/data", &object);
        let kept = json!(["kubernetes.io/pvc-protection"]);
        assert_eq!(made.object["metadata"]["finalizers"], kept);
        assert!(made.changes.iter().any(|it| it == "finalizer example.com/hold dropped"));
    }

    #[test]
    fn a_service_is_reached_from_inside_only() {
        for kind in ["NodePort", "LoadBalancer"] {
            let object = json!({"spec": {"type": kind, "externalIPs": ["192.0.2.1"],
                "externalTrafficPolicy": "Cluster", "ports": [{"port": 80, "nodePort": 30080}]}});
            let made = drilled("services/shop/web", &object);
            let expected = json!({"type": "ClusterIP", "ports": [{"port": 80}]});
            assert_eq!(made.object["spec"], expected, "{kind}");
        }
    }

    #[test]
    fn a_volume_is_retained_for_its_maker_to_remove() {
        let object = json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}});
        let made = drilled("persistentvolumes/pv-1", &object);
        assert_eq!(made.object["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    }
}

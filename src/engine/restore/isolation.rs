//! What a drill must not do: reach beyond its namespaces, touch what is the original's, or leave
//! something that cannot be taken down.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};

use super::Preparation;
use super::actions::{Draft, keep_disk, stay_inside};
use super::outward;
use super::plan::Verdict;
use super::row::Row;
use crate::engine::model::fields::map_at_mut;
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

/// What pods would be preferred to others by. Admission refuses the latter two without the first.
const PRECEDENCE: &[(&str, &str)] = &[
    ("priorityClassName", "priority class"),
    ("priority", "priority"),
    ("preemptionPolicy", "preemption policy"),
];

const OF_JOB: &str = "belongs to a job, which a drill does not run";

/// Leaves out what a drill must not make, and the pods of what is left out.
pub(super) fn leave_out(preparation: &Preparation, rows: &mut [Row<'_>]) {
    let mut left = BTreeSet::new();
    for row in rows.iter_mut().filter(|row| row.verdict == Verdict::Create) {
        let (id, is_mapped) = (row.entry.id(), |it: &str| preparation.is_mapped(it));
        let Some(reason) = reason(&id, is_mapped) else { continue };
        row.decide(Verdict::Skip, reason);
        if is_job(row.entry.resource()) {
            left.extend(row.uid().map(str::to_owned));
        }
    }
    for row in rows.iter_mut().filter(|row| row.verdict == Verdict::Create) {
        if row.owners().iter().any(|owner| left.contains(&owner.uid)) {
            row.decide(Verdict::Skip, OF_JOB);
        }
    }
}

fn is_job(resource: &GroupResource) -> bool {
    *resource == GroupResource::new("batch", "jobs")
}

/// Whether a row is left out for nothing but that this is a drill.
pub(super) fn is_left_out(preparation: &Preparation, row: &Row<'_>) -> bool {
    let reason = || reason(&row.entry.id(), |it| preparation.is_mapped(it));
    preparation.isolated
        && row.verdict == Verdict::Skip
        && (row.reason() == OF_JOB || reason().is_some_and(|reason| row.reason() == reason))
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

/// Closes off what is made in a drill. Last: nothing that a person wants changed may open it again.
pub(super) fn close(draft: &mut Draft<'_>) {
    if !draft.context.isolated {
        return;
    }
    outward::close(draft);
    if draft.id.resource == GroupResource::core("services") {
        stay_inside(draft);
    }
    if draft.id.resource == GroupResource::core("persistentvolumes") {
        // What a drill made goes by its identity, not by what is said of it.
        keep_disk(draft);
    }
    demote(draft);
    // Who would see to the others is no part of the drill.
    draft.drop_finalizers(|it| !OF_THE_CLUSTER.contains(&it));
}

/// Takes from pods what would have others evicted, which are no part of the drill.
fn demote(draft: &mut Draft<'_>) {
    let path = kinds::pod_spec(&draft.id.resource);
    let Some(spec) = path.and_then(|path| map_at_mut(&mut draft.object, path)) else { return };
    let dropped: Vec<_> = PRECEDENCE
        .iter()
        .filter_map(|(key, word)| {
            let value = spec.remove(*key)?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(format!("{word} {text}"))
        })
        .collect();
    if !dropped.is_empty() {
        draft.note(format!("{} dropped: its pods have the target's default", dropped.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::prepare::{Prepared, prepare};
    use super::*;
    use crate::engine::model::modifier::Modifiers;
    use crate::engine::model::policy::Origin;

    fn drilled(id: &str, object: &Value) -> Prepared {
        modified(id, object, Modifiers::default())
    }

    fn modified(id: &str, object: &Value, modifiers: Modifiers) -> Prepared {
        let namespaces = [("shop".to_owned(), "shop-drill-1".to_owned())].into();
        let context = Preparation {
            namespaces,
            beside: ["shop".to_owned()].into(),
            isolated: true,
            modifiers,
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
    fn pods_come_without_the_class_by_which_they_would_displace_others() {
        let pods = json!({"priorityClassName": "shop-critical", "priority": 7, "hostname": "a"});
        let spec = json!({"priorityClassName": "shop-critical", "priority": 7,
            "preemptionPolicy": "Never"});
        let template = json!({"template": {"spec": spec}});
        let made = drilled("deployments.apps/shop/web", &json!({"spec": template}));
        assert_eq!(made.object["spec"], json!({"template": {"spec": {}}}));
        let told = "priority class shop-critical, priority 7, preemption policy Never dropped: its \
                    pods have the target's default";
        assert!(made.changes.iter().any(|it| it == told), "{:?}", made.changes);
        let made = drilled("pods/shop/web", &json!({"spec": pods}));
        assert_eq!(made.object["spec"], json!({"hostname": "a"}));
    }

    /// What a JSON patch replaces must be there, as it is in the restore that is rehearsed.
    #[test]
    fn what_a_modifier_opens_is_closed_again() {
        let dns = "external-dns.alpha.kubernetes.io/hostname";
        let service = json!({"metadata": {"annotations": {dns: "shop.example.com"}},
            "spec": {"type": "LoadBalancer", "externalIPs": ["192.0.2.1"], "ports": [{"port": 80}]}});
        let deployment = json!({"spec": {"template": {"spec": {"priorityClassName": "high"}}}});
        let volume = json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}});
        let at_dns = "/metadata/annotations/external-dns.alpha.kubernetes.io~1hostname";
        let class = "/spec/template/spec/priorityClassName";
        for (id, object, path, value) in [
            ("services/shop/web", &service, at_dns, json!("dr.example.com")),
            ("services/shop/web", &service, "/spec/type", json!("NodePort")),
            ("services/shop/web", &service, "/spec/externalIPs", json!(["192.0.2.2"])),
            ("services/shop/web", &service, "/metadata/finalizers", json!(["example.com/hold"])),
            ("deployments.apps/shop/web", &deployment, class, json!("higher")),
            (
                "persistentvolumes/pv-1",
                &volume,
                "/spec/persistentVolumeReclaimPolicy",
                json!("Delete"),
            ),
        ] {
            let operation = if path.ends_with("finalizers") { "add" } else { "replace" };
            let patch = json!({"operation": operation, "path": path, "value": value.to_string()});
            let rule = json!({"conditions": {"groupResource": "*.*"}, "patches": [patch]});
            let rules = json!({"version": "v1", "resourceModifierRules": [rule]}).to_string();
            let modifiers = Modifiers::read(Origin::File("m.yaml".to_owned()), &rules).unwrap();
            let made = modified(id, object, modifiers);
            assert_eq!(made.fault, None, "{path}");
            let followed = format!("modifier rule 1: {path}");
            assert!(made.changes.iter().any(|it| it.starts_with(&followed)), "{:?}", made.changes);
            assert_eq!(made.object, drilled(id, object).object, "{path}");
        }
    }

    #[test]
    fn a_volume_is_retained_for_its_maker_to_remove() {
        let object = json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}});
        let made = drilled("persistentvolumes/pv-1", &object);
        assert_eq!(made.object["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    }
}

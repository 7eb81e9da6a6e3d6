//! What a clone must not do beside its original: draw its traffic, do its work a second time, or pass
//! for it.

use std::collections::BTreeSet;

use bowline_api::GroupResource;

use super::actions::Draft;
use super::plan::{Plan, Verdict};
use crate::engine::model::fields::{map_at, maps_at, text_at};
use crate::engine::model::{Object, kinds};

/// What would bring it after all.
const UNLESS: &str = "--include-outward brings it";

/// Annotations by which something outside of the cluster is made: names for DNS, load balancers.
const OUTWARD: &[&str] = &[
    "cloud.google.com/",
    "external-dns.alpha.kubernetes.io/",
    "external-dns.kubernetes.io/",
    "io.cilium/lb-",
    "kube-vip.io/",
    "lbipam.cilium.io/",
    "load-balancer.hetzner.cloud/",
    "loadbalancer.openstack.org/",
    "metallb.io/",
    "metallb.universe.tf/",
    "networking.gke.io/",
    "service.beta.kubernetes.io/",
];

/// By which Argo CD knows what is its own: it would prune the clone as a leftover of the original.
/// <https://github.com/vmware-tanzu/velero/issues/7848>
const TRACKING_ANNOTATION: &str = "argocd.argoproj.io/tracking-id";
const TRACKING_LABEL: &str = "argocd.argoproj.io/instance";
/// Argo CD's label unless it is told otherwise, and everybody else's, too.
const COMMON_LABEL: &str = "app.kubernetes.io/instance";

/// Leaves out what acts outward, and the pods of its jobs.
pub(super) fn leave_out(plan: &mut Plan<'_>) {
    let Plan { rows, preparation, .. } = plan;
    let jobs = GroupResource::new("batch", "jobs");
    let mut left = BTreeSet::new();
    for row in rows.iter_mut().filter(|row| row.verdict == Verdict::Create) {
        let id = row.entry.id();
        let does = kinds::acts_outward(&id.resource).filter(|_| preparation.is_beside(&id));
        let Some(does) = does else { continue };
        row.decide(Verdict::Skip, format!("acts outward: {does}; {UNLESS}"));
        if id.resource == jobs {
            left.extend(row.uid().map(str::to_owned));
        }
    }
    for row in rows.iter_mut().filter(|row| row.verdict == Verdict::Create) {
        if row.owners().iter().any(|owner| left.contains(&owner.uid)) {
            row.decide(Verdict::Skip, format!("belongs to a job, which acts outward; {UNLESS}"));
        }
    }
}

/// Takes from an object of a clone what acts outward, and what makes it pass for its original.
pub(super) fn detach(draft: &mut Draft<'_>) {
    if !is_of_clone(draft) {
        return;
    }
    // A drill is closed off last, so that modifiers meet what they would meet in the restore.
    if draft.context.is_beside(draft.id) && !draft.context.isolated {
        drop_outward(draft);
    }
    leave_argo(draft);
}

/// Takes the same from an object of a drill, a person's modifiers notwithstanding.
pub(super) fn close(draft: &mut Draft<'_>) {
    if is_of_clone(draft) {
        drop_outward(draft);
        leave_argo(draft);
    }
}

fn is_of_clone(draft: &Draft<'_>) -> bool {
    let namespace = draft.id.namespace.as_deref();
    namespace.is_some_and(|namespace| draft.context.is_mapped(namespace))
}

fn drop_outward(draft: &mut Draft<'_>) {
    let outward: Vec<String> = annotations(&draft.object)
        .filter(|key| OUTWARD.iter().any(|prefix| key.starts_with(prefix)))
        .map(str::to_owned)
        .collect();
    for key in outward {
        draft.drop_annotations(&[&key]);
        draft.note(format!("annotation {key} dropped, as it acts outward"));
    }
}

fn annotations(object: &Object) -> impl Iterator<Item = &str> {
    map_at(object, &["metadata", "annotations"]).into_iter().flatten().map(|(key, _)| key.as_str())
}

fn leave_argo(draft: &mut Draft<'_>) {
    // The common label is taken only from what Argo CD itself applied.
    let label = if is_of_argo(&draft.object) { COMMON_LABEL } else { TRACKING_LABEL };
    let is_tracked = draft.drop_annotations(&[TRACKING_ANNOTATION])
        | draft.drop_labels(&["metadata", "labels"], &[TRACKING_LABEL, label]);
    if is_tracked {
        draft.note("Argo CD's tracking dropped: it would prune the clone");
    }
}

fn is_of_argo(object: &Object) -> bool {
    maps_at(object, &["metadata", "managedFields"])
        .any(|entry| text_at(entry, &["manager"]).is_some_and(|name| name.starts_with("argocd-")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Preparation;
    use super::super::prepare::prepare;

    fn beside() -> Preparation {
        let namespaces = [("shop".to_owned(), "copy".to_owned())].into();
        Preparation { namespaces, beside: ["shop".to_owned()].into(), ..Preparation::default() }
    }

    fn metadata(recorded: &Value, context: &Preparation) -> (Value, Vec<String>) {
        let Value::Object(object) = json!({"metadata": recorded}) else { unreachable!() };
        let prepared = prepare(&"services/shop/web".parse().unwrap(), object, context);
        let changes = prepared.changes.into_iter().filter(|it| !it.starts_with("namespace"));
        (prepared.object["metadata"].clone(), changes.collect())
    }

    #[test]
    fn beside_its_original_a_clone_asks_for_no_names_and_no_load_balancers() {
        let recorded = json!({"annotations": {"own": "kept",
            "external-dns.alpha.kubernetes.io/hostname": "shop.example.com",
            "service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}});
        let (found, changes) = metadata(&recorded, &beside());
        assert_eq!(found["annotations"], json!({"own": "kept"}));
        assert_eq!(changes.len(), 2, "{changes:?}");
        let elsewhere = Preparation { beside: [].into(), ..beside() };
        let (found, changes) = metadata(&recorded, &elsewhere);
        assert_eq!((&found["annotations"], changes.len()), (&recorded["annotations"], 0));
    }

    #[test]
    fn a_clone_does_not_pass_for_what_argo_cd_made() {
        let applied = |manager: &str| {
            json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:/Service:shop/web"},
                "labels": {"app.kubernetes.io/instance": "shop", "argocd.argoproj.io/instance": "shop"},
                "managedFields": [{"manager": manager}]})
        };
        let labels = |manager: &str| {
            let (found, changes) = metadata(&applied(manager), &beside());
            assert_eq!(found.get("annotations"), None);
            assert_eq!(found["labels"].get("argocd.argoproj.io/instance"), None);
            assert_eq!(changes, ["Argo CD's tracking dropped: it would prune the clone"]);
            found["labels"].get("app.kubernetes.io/instance").cloned()
        };
        assert_eq!(labels("argocd-controller"), None);
        assert_eq!(labels("helm"), Some(json!("shop")));
        let (found, changes) = metadata(&applied("argocd-controller"), &Preparation::default());
        assert_eq!(found["labels"]["app.kubernetes.io/instance"], "shop");
        assert!(changes.is_empty());
    }
}

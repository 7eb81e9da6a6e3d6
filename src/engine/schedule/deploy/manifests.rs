//! All objects of a deployment, in the order in which they are made.

use std::collections::BTreeSet;

use bowline_api::GroupResource;
use serde_json::{Value, json};

use super::{Error, Wish, cron_job, rbac};
use crate::engine::backup::Need;
use crate::engine::cluster::Object;
use crate::engine::model::Kind;
use crate::engine::model::names::label_value;
use crate::engine::model::schedule::Schedule;

/// The label that names the schedule, as far as a label can.
const SCHEDULE: &str = "bowline.io/schedule";
/// The annotation with the identity of the schedule; of the `CronJob` alone.
pub(super) const SCHEDULE_UID: &str = "bowline.io/schedule-uid";
/// The annotation with the URL of the schedule's location; of the `CronJob` alone.
pub(super) const LOCATION: &str = "bowline.io/location";
/// The annotation with the identity of the cluster.
const CLUSTER_UID: &str = "bowline.io/cluster-uid";
/// The longest name of a `CronJob`, whose Jobs have eleven characters more.
const LONGEST: usize = 52;

/// Kind, plural name, group and whether it is in a namespace: everything that is made.
const KINDS: [(&str, &str, &str, bool); 7] = [
    ("Namespace", "namespaces", "", false),
    ("ServiceAccount", "serviceaccounts", "", true),
    ("ClusterRole", "clusterroles", rbac::GROUP, false),
    ("ClusterRoleBinding", "clusterrolebindings", rbac::GROUP, false),
    ("Role", "roles", rbac::GROUP, true),
    ("RoleBinding", "rolebindings", rbac::GROUP, true),
    ("CronJob", "cronjobs", "batch", true),
];

/// An object to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; none if it is in none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// All of it.
    pub object: Object,
}

/// All objects of a deployment; what runs the others comes last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifests {
    /// The schedule.
    pub schedule: String,
    /// The objects.
    pub items: Vec<Manifest>,
}

impl Manifests {
    /// All of them as one object, as `kubectl apply` takes it.
    pub fn list(&self) -> Value {
        let items: Vec<_> = self.items.iter().map(|it| &it.object).collect();
        json!({"apiVersion": "v1", "kind": "List", "items": items})
    }

    /// Leaves the namespace as it is, since others have made it.
    pub(super) fn leave_out_namespace(&mut self) {
        self.items.retain(|it| it.kind.kind != "Namespace");
    }
}

/// What selects everything that was made for a schedule.
pub fn selector(schedule: &str) -> String {
    format!("app.kubernetes.io/managed-by=bowline,{SCHEDULE}={}", label_value(schedule))
}

/// The command that removes everything that was made for a schedule.
pub fn removal(schedule: &str) -> String {
    format!(
        "kubectl delete cronjobs,serviceaccounts,roles,rolebindings,clusterroles,\
         clusterrolebindings -A -l {}",
        selector(schedule)
    )
}

/// The kinds of what is made.
pub(super) fn kinds() -> impl Iterator<Item = Kind> {
    KINDS.iter().map(|(kind, plural, group, namespaced)| Kind {
        resource: GroupResource::new(*group, *plural),
        version: "v1".to_owned(),
        kind: (*kind).to_owned(),
        singular: kind.to_lowercase(),
        short_names: Vec::new(),
        namespaced: *namespaced,
        verbs: Vec::new(),
    })
}

/// Makes all manifests of a schedule.
pub(super) fn of(
    schedule: &Schedule,
    wish: &Wish,
    needs: &BTreeSet<Need>,
) -> Result<Manifests, Error> {
    let name = name(schedule.name());
    let account = wish.service_account.clone().unwrap_or_else(|| name.clone());
    let mut objects = vec![
        json!({"kind": "Namespace", "metadata": {"name": wish.namespace}}),
        json!({"kind": "ServiceAccount", "metadata": {
            "name": account, "namespace": wish.namespace, "annotations": wish.account_annotations}}),
    ];
    objects.extend(rbac::of(&name, (&wish.namespace, &account), needs));
    let mut cron_job = cron_job::of(schedule, wish, (&name, &account))?;
    cron_job["metadata"]["annotations"] =
        json!({SCHEDULE_UID: schedule.metadata.uid, LOCATION: wish.location});
    objects.push(cron_job);
    let items = objects.into_iter().filter_map(|object| manifest(schedule, object)).collect();
    Ok(Manifests { schedule: schedule.name().to_owned(), items })
}

/// The name of what is made: not longer than a `CronJob`'s may be.
pub(super) fn name(schedule: &str) -> String {
    let name = format!("bowline-{schedule}");
    if name.len() <= LONGEST {
        return name;
    }
    // Of a longer name the value of a label is 57 characters and six of its digest.
    let padded = format!("{name:-<64}");
    let digest = &label_value(&padded)[57..];
    format!("{}-{digest}", name[..LONGEST - 7].trim_end_matches(['-', '.']))
}

/// Says what it is and whose.
fn manifest(schedule: &Schedule, mut object: Value) -> Option<Manifest> {
    let kind = kinds().find(|kind| object["kind"] == kind.kind)?;
    object["apiVersion"] = kind.api_version().into();
    mark(&mut object["metadata"], schedule);
    let text = |key: &str| object["metadata"][key].as_str().map(str::to_owned);
    let (namespace, name) = (text("namespace"), text("name")?);
    // The namespace may be that of several schedules.
    if kind.kind == "Namespace" {
        object["metadata"]["labels"].as_object_mut()?.remove(SCHEDULE);
        object["metadata"].as_object_mut()?.remove("annotations");
    }
    let Value::Object(object) = object else { return None };
    Some(Manifest { kind, namespace, name, object })
}

/// Labels and annotations of everything that is made; no backup takes it.
pub(super) fn mark(metadata: &mut Value, schedule: &Schedule) {
    let labels = [
        ("app.kubernetes.io/name", "bowline"),
        ("app.kubernetes.io/managed-by", "bowline"),
        ("velero.io/exclude-from-backup", "true"),
        (SCHEDULE, &*label_value(schedule.name())),
    ];
    for (key, value) in labels {
        metadata["labels"][key] = value.into();
    }
    metadata["annotations"][SCHEDULE] = schedule.name().into();
    metadata["annotations"][CLUSTER_UID] = schedule.bowline.cluster_uid.clone().into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_as_long_as_a_cron_job_may_have_it_and_two_long_ones_differ() {
        assert_eq!(name("nightly"), "bowline-nightly");
        let (a, b) = (name(&format!("{}a", "x".repeat(60))), name(&format!("{}b", "x".repeat(60))));
        assert_eq!((a.len(), b.len()), (52, 52));
        assert_ne!(a, b);
        let fits = "y".repeat(44);
        assert_eq!(name(&fits), format!("bowline-{fits}"));
        assert_ne!(name(&"y".repeat(45)), name(&"y".repeat(46)));
    }

    #[test]
    fn everything_says_whose_it_is_and_is_in_no_backup_and_what_runs_comes_last() {
        let schedule = serde_json::from_value(json!({
            "apiVersion": "velero.io/v1", "kind": "Schedule",
            "metadata": {"name": "nightly", "namespace": "velero", "uid": "u1"},
            "spec": {"template": {}, "schedule": "0 2 * * *", "paused": false},
            "bowline": {"clusterUid": "c1", "since": "2026-11-01T00:00:00Z"},
        }));
        let wish = Wish { namespace: "bowline".to_owned(), ..Wish::default() };
        let needs = ["namespaces", "nodes"].map(|resource| Need {
            namespace: None,
            resource: GroupResource::core(resource),
            name: None,
            verb: "list",
        });
        let made = of(&schedule.unwrap(), &wish, &BTreeSet::from(needs)).unwrap();
        let kinds: Vec<_> = made.items.iter().map(|it| it.kind.kind.as_str()).collect();
        assert_eq!(
            kinds,
            ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "CronJob"]
        );
        for it in &made.items {
            let metadata = &it.object["metadata"];
            assert_eq!(metadata["labels"]["velero.io/exclude-from-backup"], "true");
            // The namespace is not this schedule's alone.
            let is_namespace = it.kind.kind == "Namespace";
            assert_eq!(metadata["labels"].get(SCHEDULE).is_none(), is_namespace);
            assert_eq!(metadata["annotations"][CLUSTER_UID] == "c1", !is_namespace);
            assert_eq!(it.object["apiVersion"], it.kind.api_version());
        }
        let template = &made.items[4].object["spec"]["jobTemplate"]["spec"]["template"];
        assert_eq!(template["metadata"]["labels"]["velero.io/exclude-from-backup"], "true");
    }
}

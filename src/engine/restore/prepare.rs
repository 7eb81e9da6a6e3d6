//! From an object as it was recorded to the object that is created. Pure.

use std::fmt::Write as _;

use bowline_api::{GroupResource, ItemId};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Preparation;
use super::actions::{Alteration, Draft, action};
use super::maps::{self, Use};
use super::{hints, hooks, isolation, jobs, links, modify, outward, owners, status, versions};
use crate::engine::model::fields::{Object, remove, set_text};

/// The label that names the backup an object came from. Velero's.
pub(super) const BACKUP_LABEL: &str = "velero.io/backup-name";
/// The label that names the restore that made an object. Velero's.
pub(super) const RESTORE_LABEL: &str = "velero.io/restore-name";
/// The label that tells which restore made an object, even if its name recurs.
pub(super) const RESTORE_UID_LABEL: &str = "bowline.io/restore-uid";

/// An object ready to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    /// What it is called in the target.
    pub id: ItemId,
    /// The object.
    pub object: Object,
    /// What was changed, beyond what every object loses, in words. Never holds values of a Secret.
    pub changes: Vec<String>,
    /// Its owner references as recorded: put back once the owners' new identities are known.
    pub owners: Vec<Value>,
    /// Its `managedFields` as recorded, if somebody applies it from the server's side.
    ///
    /// A POST drops them. They are worth a patch only then: without them the next apply by the same
    /// manager would not take back what it no longer mentions.
    pub managed_fields: Option<Value>,
    /// Its status as recorded, if it is to have that back: written once the object is made.
    pub status: Option<Value>,
    /// Which entries of maps, and which modifier rules, it made use of.
    pub uses: Vec<Use>,
    /// Why a modifier does not fit it. Such an object must not be made.
    pub fault: Option<String>,
    /// Of the changes those that somebody may miss who relied on what it had.
    pub losses: Vec<String>,
    /// Of the changes those that a person asked for.
    pub alterations: Vec<Alteration>,
    /// Where it still names a mapped namespace by its old name. Never holds values of a Secret.
    pub hints: Vec<String>,
}

/// What the server says of an object, not the one who wrote it.
const OF_THE_SERVER: &[&str] = &[
    "generateName",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Finalizers that stand for work under way when the backup was made. Nobody would finish it here.
const TRANSIENT_FINALIZERS: &[&str] = &[
    "foregroundDeletion",
    "orphan",
    "batch.kubernetes.io/job-tracking",
    "snapshot.storage.kubernetes.io/pvc-as-source-protection",
    "provisioner.storage.kubernetes.io/cloning-protection",
];

/// Prepares a recorded object for the target: what the server sets goes, what leads into the old cluster
/// is cut or led over, the rest stays as it is, unknown fields too.
pub(super) fn prepare(id: &ItemId, object: Object, context: &Preparation) -> Prepared {
    let (changes, losses, alterations) = (Vec::new(), Vec::new(), Vec::new());
    let mut draft = Draft { id, object, context, changes, losses, alterations };
    versions::tell(&mut draft);
    outward::detach(&mut draft);
    if let Some(apply) = action(&id.resource) {
        apply(&mut draft);
    }
    hooks::apply(&mut draft);
    let managed_fields = remove(&mut draft.object, &["metadata", "managedFields"]);
    let status = jobs::take_end(&mut draft).or_else(|| status::take(&mut draft));
    let owners = strip(&mut draft);
    let owners = owners::keep(&mut draft, owners);
    let mut uses = maps::apply(&mut draft);
    let fault = modify::apply(&mut draft, &mut uses);
    isolation::close(&mut draft);
    let target = context.target(id);
    name(&mut draft, &target);
    if id.resource != GroupResource::core("namespaces") {
        label(&mut draft);
    }
    let hints = hints::of(&draft);
    Prepared {
        id: target,
        object: draft.object,
        changes: draft.changes,
        owners,
        managed_fields: managed_fields.filter(links::has_applied),
        status,
        uses,
        fault,
        losses: draft.losses,
        alterations: draft.alterations,
        hints,
    }
}

/// Takes out what the server sets; returns the owner references.
fn strip(draft: &mut Draft<'_>) -> Vec<Value> {
    for key in OF_THE_SERVER {
        remove(&mut draft.object, &["metadata", key]);
    }
    draft.drop_finalizers(|it| TRANSIENT_FINALIZERS.contains(&it));
    match remove(&mut draft.object, &["metadata", "ownerReferences"]) {
        Some(Value::Array(_)) if hooks::is_adopted(draft) => Vec::new(),
        Some(Value::Array(owners)) => owners,
        _ => Vec::new(),
    }
}

/// Names the object as the archive's path does, whatever it says of itself.
fn name(draft: &mut Draft<'_>, target: &ItemId) {
    set_text(&mut draft.object, &["metadata", "name"], &target.name);
    match &target.namespace {
        Some(namespace) => set_text(&mut draft.object, &["metadata", "namespace"], namespace),
        None => drop(remove(&mut draft.object, &["metadata", "namespace"])),
    }
    if let (Some(old), Some(new)) = (&draft.id.namespace, &target.namespace)
        && old != new
    {
        draft.note(format!("namespace {old} -> {new}"));
    }
}

fn label(draft: &mut Draft<'_>) {
    for (key, value) in [
        (BACKUP_LABEL, label_value(&draft.context.backup)),
        (RESTORE_LABEL, label_value(&draft.context.restore)),
        (RESTORE_UID_LABEL, draft.context.restore_uid.clone()),
    ] {
        set_text(&mut draft.object, &["metadata", "labels", key], &value);
    }
}

/// Makes a name fit into a label, as Velero does: up to 63 characters as it is, a longer one cut to 57 with
/// six digits of its SHA-256.
pub(super) fn label_value(name: &str) -> String {
    if name.len() <= 63 {
        return name.to_owned();
    }
    let mut value: String = name.chars().take(57).collect();
    for byte in Sha256::digest(name).iter().take(3) {
        // Writing into a String does not fail.
        _ = write!(value, "{byte:02x}");
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use serde_json::json;

    use super::super::samples::{Sample, object, samples};
    use super::*;
    use crate::engine::model::entries::escaped;
    use crate::engine::model::fields::text_at;

    fn context(namespaces: &[(&str, &str)]) -> Preparation {
        let namespaces = namespaces.iter().map(|(old, new)| ((*old).into(), (*new).into()));
        Preparation {
            namespaces: namespaces.collect(),
            backup: "nightly".to_owned(),
            restore: "rescue".to_owned(),
            restore_uid: "11111111-2222-4333-8444-555555555555".to_owned(),
            ..Preparation::default()
        }
    }

    fn prepared(id: &str, value: Value, context: &Preparation) -> Prepared {
        prepare(&id.parse().unwrap(), object(value), context)
    }

    #[test]
    fn what_the_server_says_goes_and_what_people_said_stays() {
        let recorded = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"},
            "metadata": {"name": "c", "namespace": "shop", "generateName": "c-", "selfLink": "/x",
                "uid": "1", "resourceVersion": "2", "generation": 3, "creationTimestamp": "t",
                "deletionTimestamp": "t", "deletionGracePeriodSeconds": 30, "managedFields": [],
                "labels": {"app": "web", "velero.io/restore-name": "earlier"},
                "annotations": {"note": "한국어"}, "finalizers": ["example.com/hold"]},
            "status": {"phase": "x"}});
        let it = prepared("configmaps/shop/c", recorded, &context(&[]));
        let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"},
            "metadata": {"name": "c", "namespace": "shop",
                "labels": {"app": "web", "velero.io/backup-name": "nightly",
                    "velero.io/restore-name": "rescue",
                    "bowline.io/restore-uid": "11111111-2222-4333-8444-555555555555"},
                "annotations": {"note": "한국어"}, "finalizers": ["example.com/hold"]}});
        assert_eq!(Value::Object(it.object), expected);
        assert!(it.changes.is_empty() && it.owners.is_empty());
    }

    #[test]
    fn owner_references_are_handed_over_as_they_were_recorded() {
        let owners = json!([{"apiVersion": "example.com/v1", "kind": "Widget", "name": "main",
            "uid": "58ca4ba8", "controller": true, "blockOwnerDeletion": true, "new": "field"}]);
        let recorded = json!({"metadata": {"ownerReferences": owners}});
        let it = prepared("configmaps/shop/c", recorded, &context(&[]));
        assert_eq!(Value::Array(it.owners), owners);
        assert_eq!(it.object["metadata"].get("ownerReferences"), None);
    }

    #[test]
    fn managed_fields_are_handed_over_only_where_somebody_applies_on_the_server() {
        let managed = |operation: &str| {
            let fields = json!([{"manager": "a", "operation": "Update"}, {"operation": operation}]);
            let recorded = json!({"metadata": {"managedFields": fields}});
            let it = prepared("configmaps/shop/c", recorded, &context(&[]));
            assert_eq!(it.object["metadata"].get("managedFields"), None);
            it.managed_fields.map(|handed| handed == fields)
        };
        assert_eq!(managed("Apply"), Some(true));
        assert_eq!(managed("Update"), None);
    }

    #[test]
    fn finalizers_of_work_that_was_under_way_are_dropped() {
        let recorded =
            json!({"metadata": {"finalizers": ["foregroundDeletion", "example.com/hold"]}});
        let it = prepared("configmaps/shop/c", recorded, &context(&[]));
        assert_eq!(it.object["metadata"]["finalizers"], json!(["example.com/hold"]));
        assert_eq!(it.changes, ["finalizer foregroundDeletion dropped"]);
    }

    #[test]
    fn an_object_is_named_by_its_path_in_the_archive_whatever_it_says() {
        let forged = json!({"metadata": {"name": "other", "namespace": "kube-system"}});
        let it = prepared("configmaps/shop/c", forged.clone(), &context(&[]));
        assert_eq!(it.object["metadata"]["name"], "c");
        assert_eq!(it.object["metadata"]["namespace"], "shop");
        let it = prepared("clusterroles.rbac.authorization.k8s.io/c", forged, &context(&[]));
        assert_eq!(it.object["metadata"].get("namespace"), None);
    }

    #[test]
    fn a_mapped_object_moves_and_says_so() {
        let it = prepared("configmaps/shop/shop", json!({}), &context(&[("shop", "copy")]));
        assert_eq!(it.id.to_string(), "configmaps/copy/shop");
        assert_eq!(it.object["metadata"]["namespace"], "copy");
        assert_eq!(it.object["metadata"]["name"], "shop");
        assert_eq!(it.changes, ["namespace shop -> copy"]);
    }

    #[test]
    fn a_long_name_becomes_a_label_as_velero_writes_it() {
        assert_eq!(label_value("nightly"), "nightly");
        assert_eq!(label_value(&"a".repeat(63)), "a".repeat(63));
        let digest = "ffe054"; // of 64 times "a", by sha256sum
        assert_eq!(label_value(&"a".repeat(64)), format!("{}{digest}", "a".repeat(57)));
    }

    #[test]
    fn nothing_that_is_told_holds_a_value_of_a_secret() {
        let secret = json!({"type": "kubernetes.io/service-account-token",
            "metadata": {"annotations": {"kubernetes.io/service-account.uid": "540b8b0a"}},
            "data": {"token": "c2VjcmV0", "ca.crt": "Y2E="}});
        let it = prepared("secrets/shop/t", secret, &context(&[("shop", "copy")]));
        assert_eq!(it.changes.len(), 2);
        assert!(
            !it.changes.iter().any(|change| change.contains("c2Vj") || change.contains("540b"))
        );
    }

    fn pointers(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
        found.push((path.to_owned(), value.clone()));
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(k, v)| pointers(v, &format!("{path}/{}", escaped(k)), found));
            }
            Value::Array(list) => {
                list.iter()
                    .enumerate()
                    .for_each(|(i, v)| pointers(v, &format!("{path}/{i}"), found));
            }
            _ => {}
        }
    }

    /// The identities of all samples, and the nodes and addresses that the old cluster gave them.
    fn marks(samples: &[Sample]) -> Vec<String> {
        let paths: [&[&str]; 4] = [
            &["metadata", "uid"],
            &["spec", "nodeName"],
            &["spec", "clusterIP"],
            &["status", "podIP"],
        ];
        let texts = samples
            .iter()
            .flat_map(|it| paths.map(|path| text_at(&it.object, path).map(str::to_owned)));
        texts.flatten().filter(|text| text != "None").collect()
    }

    /// The first leaf that holds one of the marks.
    fn marked(object: Object, marks: &[String]) -> Option<(String, Value)> {
        let mut found = Vec::new();
        pointers(&Value::Object(object), "", &mut found);
        let holds_one = |text: &str| marks.iter().any(|mark| text.contains(mark));
        found.into_iter().find(|(_, value)| value.as_str().is_some_and(holds_one))
    }

    #[test]
    fn nothing_that_is_made_names_an_identity_a_node_or_an_address_of_the_old_cluster() {
        let marks = marks(&samples());
        assert!(marks.len() > samples().len(), "{marks:?}");
        // A slice of a service with a selector is never made.
        let made = |it: &Sample| it.id.resource.resource != "endpointslices";
        for finished_jobs in [false, true] {
            for Sample { id, object } in samples().into_iter().filter(made) {
                let context = Preparation { finished_jobs, ..context(&[("shop", "copy")]) };
                let it = prepare(&id, object, &context);
                assert_eq!(marked(it.object, &marks), None, "{id}");
            }
        }
    }

    fn sample() -> impl Strategy<Value = Sample> {
        select((0..samples().len()).collect::<Vec<_>>()).prop_map(|index| samples().remove(index))
    }

    fn some_context() -> impl Strategy<Value = Preparation> {
        (select(vec!["shop", "copy", "web", "other"]), any::<bool>()).prop_map(|(to, reserves)| {
            let mut context = context(&[("shop", to)]);
            if reserves {
                let claim = ("shop".to_owned(), "data-nginx-ss-0".to_owned());
                context.reserved.insert(claim, "pvc-new".to_owned());
                context.renamed.insert("pvc-0000".to_owned(), "pvc-new".to_owned());
                context.reattached.insert("pvc-0000".to_owned());
            }
            context
        })
    }

    proptest! {
        #[test]
        fn nothing_is_left_of_the_object_that_was(sample in sample(), context in some_context()) {
            let it = prepare(&sample.id, sample.object, &context);
            prop_assert!(!it.object.contains_key("status"));
            let metadata = it.object["metadata"].as_object().unwrap();
            for key in OF_THE_SERVER.iter().chain(&["ownerReferences", "managedFields"]) {
                prop_assert!(!metadata.contains_key(*key), "{key}");
            }
        }

        #[test]
        fn preparing_twice_changes_nothing_more(sample in sample(), context in some_context()) {
            let once = prepare(&sample.id, sample.object, &context);
            let unmapped = Preparation {
                namespaces: [].into(),
                renamed: [].into(),
                reserved: context.reserved.iter().map(|((namespace, claim), volume)| {
                    ((context.namespace(namespace).to_owned(), claim.clone()), volume.clone())
                }).collect(),
                ..context
            };
            let twice = prepare(&once.id, once.object.clone(), &unmapped);
            prop_assert_eq!(once.object, twice.object);
            prop_assert_eq!(twice.changes, Vec::<String>::new());
        }

        #[test]
        fn the_mapping_changes_namespaces_and_nothing_else(sample in sample(), to in "[a-z]{5,9}") {
            let here = prepare(&sample.id, sample.object.clone(), &context(&[])).object;
            let there = prepare(&sample.id, sample.object, &context(&[("shop", &to)])).object;
            let there = Value::Object(there);
            let mut found = Vec::new();
            pointers(&Value::Object(here), "", &mut found);
            for (pointer, value) in found {
                let moved = there.pointer(&pointer);
                let is_namespace = pointer.ends_with("/namespace")
                    || sample.id.resource.resource == "namespaces";
                let is_leaf = !value.is_object() && !value.is_array();
                if is_leaf && moved != Some(&value) {
                    prop_assert!(is_namespace && value == "shop", "{pointer}");
                    prop_assert_eq!(moved, Some(&json!(to)));
                }
            }
        }

        #[test]
        fn fields_that_nobody_knows_survive(sample in sample(), index: Index, value: i64) {
            let mut recorded = Value::Object(sample.object);
            let mut maps = Vec::new();
            pointers(&recorded, "", &mut maps);
            maps.retain(|(pointer, value)| {
                let goes = ["/status", "/metadata/managedFields", "/metadata/ownerReferences",
                    "/spec/volumeClaimTemplates/0/status"];
                value.is_object() && !goes.iter().any(|prefix| pointer.starts_with(prefix))
            });
            let (pointer, _) = index.get(&maps);
            recorded.pointer_mut(pointer).unwrap()["fromTheFuture"] = value.into();
            let it = prepare(&sample.id, object(recorded), &context(&[("shop", "copy")]));
            let found = Value::Object(it.object);
            prop_assert_eq!(found.pointer(&format!("{pointer}/fromTheFuture")), Some(&json!(value)));
        }

        #[test]
        fn objects_of_any_shape_are_prepared(
            sample in sample(), index: Index, value in select(vec![
                json!(null), json!(""), json!(-1), json!(true), json!([]), json!({}), json!([null, 1]),
            ]),
        ) {
            let mut recorded = Value::Object(sample.object);
            let mut found = Vec::new();
            pointers(&recorded, "", &mut found);
            found.retain(|(pointer, _)| !pointer.is_empty());
            *recorded.pointer_mut(&index.get(&found).0).unwrap() = value;
            let it = prepare(&sample.id, object(recorded), &context(&[("shop", "copy")]));
            prop_assert_eq!(&it.object["metadata"]["name"], &json!(it.id.name));
        }
    }
}

use super::Draft;
use crate::engine::model::Object;
use crate::engine::model::fields::{map_at, remove, set_text, text_at};
use crate::engine::model::volume::tags;
use crate::engine::restore::bind::NUDGE_ANNOTATION;

/// What controllers, backups and restores wrote on a claim about the volume it had.
const BINDING: &[&str] = &[
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
    "velero.io/volume-snapshot-name",
    "velero.io/data-upload-name",
    NUDGE_ANNOTATION,
    tags::BACKUP_UID,
];

/// Where a claim names its class.
const CLASS: &[&str] = &["spec", "storageClassName"];
/// The annotation that did so before there was a field.
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// Reserves the volume that this restore makes for a claim, or leaves the claim to the provisioner.
///
/// A claim that names a volume which does not exist yet waits for it and is never provisioned. Its data
/// source would fill another volume, and its selector may not fit the reserved one.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    draft.drop_annotations(BINDING);
    draft.drop_labels(&["metadata", "labels"], &["velero.io/volume-snapshot-name"]);
    for key in ["dataSource", "dataSourceRef"] {
        if remove(&mut draft.object, &["spec", key]).is_some() {
            draft.note(format!("{key} dropped"));
        }
    }
    drop_keys_of_velero(draft);
    let recorded = remove(&mut draft.object, &["spec", "volumeName"]);
    let recorded = recorded.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    match reserved(draft) {
        Some(volume) => reserve(draft, &volume, recorded),
        None if recorded.is_empty() => {}
        None => draft.note(format!("volume {recorded} left to the provisioner")),
    }
}

fn reserve(draft: &mut Draft<'_>, volume: &str, recorded: &str) {
    set_text(&mut draft.object, &["spec", "volumeName"], volume);
    let backup = &draft.context.backup_uid;
    set_text(&mut draft.object, &["metadata", "annotations", tags::BACKUP_UID], backup);
    if remove(&mut draft.object, &["spec", "selector"]).is_some() {
        draft.note("selector dropped, as the volume is named");
    }
    let beta = text_at(&draft.object, &["metadata", "annotations", BETA_CLASS]).is_some();
    if !beta && text_at(&draft.object, CLASS).is_none() {
        // Its volume is of no class. Left out, it would get the target's default, and fit no more.
        set_text(&mut draft.object, CLASS, "");
    }
    if volume != recorded {
        draft.note(format!("volume {volume} reserved"));
    }
}

fn reserved(draft: &Draft<'_>) -> Option<String> {
    let key = (draft.id.namespace.clone()?, draft.id.name.clone());
    draft.context.reserved.get(&key).cloned()
}

/// Drops the selector keys by which Velero led a claim to a volume of an earlier restore.
fn drop_keys_of_velero(draft: &mut Draft<'_>) {
    let keys: Vec<String> = map_at(&draft.object, &["spec", "selector", "matchLabels"])
        .into_iter()
        .flat_map(Object::keys)
        .filter(|key| key.starts_with("velero.io/"))
        .cloned()
        .collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    draft.drop_labels(&["spec", "selector", "matchLabels"], &keys);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::draft::{into_copy, prepared};
    use crate::engine::restore::Preparation;

    const ID: &str = "persistentvolumeclaims/shop/data-nginx-ss-0";

    fn claim() -> Value {
        json!({"metadata": {"annotations": {"bowline.io/nudge": "1",
                "pv.kubernetes.io/bind-completed": "yes",
                "pv.kubernetes.io/bound-by-controller": "yes",
                "volume.beta.kubernetes.io/storage-provisioner": "ebs.csi.aws.com",
                "volume.kubernetes.io/selected-node": "node-a",
                "volume.kubernetes.io/storage-provisioner": "ebs.csi.aws.com", "own": "kept"},
                "labels": {"app": "db", "velero.io/volume-snapshot-name": "velero-data-x"},
                "finalizers": ["kubernetes.io/pvc-protection"]},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
                "selector": {"matchLabels": {"disk": "a", "velero.io/dynamic-pv-restore": "x"}},
                "dataSource": {"kind": "VolumeSnapshot", "name": "s"},
                "dataSourceRef": {"kind": "VolumeSnapshot", "name": "s"},
                "volumeName": "pvc-0000"},
            "status": {"phase": "Bound"}})
    }

    fn reserving() -> Preparation {
        let key = ("shop".to_owned(), "data-nginx-ss-0".to_owned());
        Preparation { reserved: [(key, "pvc-new".to_owned())].into(), ..into_copy() }
    }

    #[test]
    fn a_claim_names_the_volume_that_is_made_for_it() {
        let (object, changes) = prepared(ID, claim(), &reserving());
        let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
            "volumeName": "pvc-new"});
        assert_eq!(object["spec"], spec);
        assert!(changes.contains(&"volume pvc-new reserved".to_owned()), "{changes:?}");
    }

    #[test]
    fn a_claim_of_no_class_asks_for_none_lest_it_gets_the_default() {
        let mut classless = claim();
        classless["spec"].as_object_mut().unwrap().remove("storageClassName");
        let (object, _) = prepared(ID, classless.clone(), &reserving());
        assert_eq!(object["spec"]["storageClassName"], "");
        let (object, _) = prepared(ID, classless.clone(), &Preparation::default());
        assert_eq!(object["spec"].get("storageClassName"), None, "left to the provisioner");
        classless["metadata"]["annotations"][super::BETA_CLASS] = json!("fast");
        let (object, _) = prepared(ID, classless, &reserving());
        assert_eq!(object["spec"].get("storageClassName"), None, "it names one");
    }

    #[test]
    fn a_claim_without_a_reserved_volume_names_none_and_keeps_its_selector() {
        let (object, changes) = prepared(ID, claim(), &Preparation::default());
        let spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
            "selector": {"matchLabels": {"disk": "a"}}});
        assert_eq!(object["spec"], spec);
        assert!(changes.contains(&"volume pvc-0000 left to the provisioner".to_owned()));
    }

    #[test]
    fn what_was_written_about_the_old_volume_is_dropped() {
        let (object, _) = prepared(ID, claim(), &Preparation::default());
        assert_eq!(object["metadata"]["annotations"], json!({"own": "kept"}));
        assert_eq!(object["metadata"]["labels"]["app"], "db");
        assert_eq!(object["metadata"]["labels"].get("velero.io/volume-snapshot-name"), None);
        assert_eq!(object["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    }

    #[test]
    fn a_claim_that_was_never_bound_is_left_as_it_is() {
        let pending = json!({"spec": {"storageClassName": "standard"}});
        let (object, changes) = prepared(ID, pending.clone(), &Preparation::default());
        assert_eq!(object["spec"], pending["spec"]);
        assert!(changes.is_empty());
    }
}

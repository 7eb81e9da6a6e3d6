use super::Draft;
use crate::engine::model::fields::{map_at_mut, remove, set_text, text_at};

const BINDING: &[&str] =
    &["pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"];

/// How the finalizers begin of a volume that is attached to a node, by the driver that takes it off.
const ATTACHED: &str = "external-attacher/";

/// The annotation that tells what a renamed volume was called. Velero's.
pub(in crate::engine::restore) const ORIGINAL_NAME: &str = "velero.io/original-pv-name";

/// Promises a volume to its claim by name, and keeps foreign data safe.
///
/// With the uid of the old claim the volume would be released at once, and deleted. A volume that this
/// restore did not make is retained, whatever the archive says.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    draft.drop_annotations(BINDING);
    draft.drop_finalizers(|it| it.starts_with(ATTACHED));
    promise(draft);
    let name = &draft.id.name;
    if let Some(new) = draft.context.renamed.get(name) {
        set_text(&mut draft.object, &["metadata", "annotations", ORIGINAL_NAME], name);
        draft.note(format!("name {name} -> {new}"));
    }
    if draft.context.reattached.contains(name) {
        keep_disk(draft);
    }
}

/// Leaves the disk where it is when the volume goes, whatever the archive or a person says.
pub(in crate::engine::restore) fn keep_disk(draft: &mut Draft<'_>) {
    let policy = ["spec", "persistentVolumeReclaimPolicy"];
    if text_at(&draft.object, &policy) != Some("Retain") {
        set_text(&mut draft.object, &policy, "Retain");
        draft.note("reclaim policy -> Retain");
    }
}

fn promise(draft: &mut Draft<'_>) {
    let context = draft.context;
    let Some(claim) = map_at_mut(&mut draft.object, &["spec", "claimRef"]) else { return };
    remove(claim, &["uid"]);
    remove(claim, &["resourceVersion"]);
    let Some(namespace) = text_at(claim, &["namespace"]).map(str::to_owned) else { return };
    if context.is_mapped(&namespace) {
        let target = context.namespace(&namespace);
        set_text(claim, &["namespace"], target);
        draft.note(format!("claim's namespace {namespace} -> {target}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::draft::{into_copy, prepared};
    use crate::engine::restore::Preparation;

    const ID: &str = "persistentvolumes/pvc-0000";

    fn volume() -> Value {
        json!({"metadata": {"name": "pvc-0000", "annotations": {
                "pv.kubernetes.io/bound-by-controller": "yes",
                "pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com"},
                "finalizers": ["kubernetes.io/pv-protection"]},
            "spec": {"claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                    "name": "data-nginx-ss-0", "namespace": "shop", "resourceVersion": "332",
                    "uid": "78ace1c5"},
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-13bd85348078b49da"},
                "persistentVolumeReclaimPolicy": "Delete"},
            "status": {"phase": "Bound"}})
    }

    #[test]
    fn a_volume_is_promised_by_name_to_the_claim_in_the_target() {
        let (object, changes) = prepared(ID, volume(), &into_copy());
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "name": "data-nginx-ss-0", "namespace": "copy"});
        assert_eq!(object["spec"]["claimRef"], claim);
        let annotations = json!({"pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com"});
        assert_eq!(object["metadata"]["annotations"], annotations);
        assert_eq!(object["spec"]["persistentVolumeReclaimPolicy"], "Delete");
        assert_eq!(changes, ["claim's namespace shop -> copy"]);
    }

    #[test]
    fn a_volume_is_attached_nowhere_any_more() {
        let mut attached = volume();
        let finalizers = ["kubernetes.io/pv-protection", "external-attacher/ebs-csi-aws-com"];
        attached["metadata"]["finalizers"] = json!(finalizers);
        let (object, changes) = prepared(ID, attached, &Preparation::default());
        assert_eq!(object["metadata"]["finalizers"], json!(["kubernetes.io/pv-protection"]));
        assert_eq!(changes, ["finalizer external-attacher/ebs-csi-aws-com dropped"]);
    }

    #[test]
    fn a_renamed_volume_tells_what_it_was_called() {
        let renamed = [("pvc-0000".to_owned(), "bowline-1".to_owned())].into();
        let context = Preparation { renamed, ..Preparation::default() };
        let (object, changes) = prepared(ID, volume(), &context);
        assert_eq!(object["metadata"]["name"], "bowline-1");
        assert_eq!(object["metadata"]["annotations"][super::ORIGINAL_NAME], "pvc-0000");
        assert_eq!(changes, ["name pvc-0000 -> bowline-1"]);
    }

    #[test]
    fn a_reattached_volume_is_retained_whatever_the_archive_says() {
        let context =
            Preparation { reattached: ["pvc-0000".to_owned()].into(), ..Preparation::default() };
        let (object, changes) = prepared(ID, volume(), &context);
        assert_eq!(object["spec"]["persistentVolumeReclaimPolicy"], "Retain");
        assert_eq!(changes, ["reclaim policy -> Retain"]);
    }

    #[test]
    fn a_volume_without_a_claim_stays_free() {
        let mut free = volume();
        free["spec"].as_object_mut().unwrap().remove("claimRef");
        let (object, changes) = prepared(ID, free, &into_copy());
        assert_eq!(object["spec"].get("claimRef"), None);
        assert!(changes.is_empty());
    }
}

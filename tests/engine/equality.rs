//! What a restored object may differ in from the one that was backed up, and nothing else.

use serde_json::Value;

/// A field of these kinds (of all, where none is named) that is another after a restore, and why.
///
/// `*` stands for every entry of a list.
pub(crate) const DIFFERENT: &[(&[&str], &str, &str)] = &[
    (&[], "/metadata/uid", "the identity of an object is its own"),
    (&[], "/metadata/resourceVersion", "the version in this cluster"),
    (&[], "/metadata/generation", "counts changes in this cluster"),
    (&[], "/metadata/creationTimestamp", "when this cluster made it"),
    (&[], "/metadata/managedFields", "who wrote it here"),
    (&[], "/metadata/labels/velero.io~1backup-name", "tells where it is from"),
    (&[], "/metadata/labels/velero.io~1restore-name", "tells where it is from"),
    (&[], "/metadata/labels/bowline.io~1restore-uid", "tells where it is from"),
    (&[], "/metadata/ownerReferences/*/uid", "the identity that its owner has here"),
    (&[], "/status", "what controllers of this cluster found out"),
    (&["services"], "/spec/clusterIP", "an address that this cluster chose"),
    (&["services"], "/spec/clusterIPs", "an address that this cluster chose"),
    (&["services"], "/spec/ports/*/nodePort", "a port that this cluster chose"),
    (&["services"], "/spec/healthCheckNodePort", "a port that this cluster chose"),
    (&["deployments.apps"], REVISION, "counts the rollouts in this cluster"),
    (&["daemonsets.apps"], GENERATION, "counts the rollouts in this cluster"),
    (
        &["jobs.batch"],
        "/spec/selector/matchLabels/batch.kubernetes.io~1controller-uid",
        "holds the identity of the job",
    ),
    (
        &["jobs.batch"],
        "/spec/template/metadata/labels/batch.kubernetes.io~1controller-uid",
        "holds the identity of the job",
    ),
    (
        &["jobs.batch"],
        "/spec/template/metadata/labels/controller-uid",
        "holds the identity of the job",
    ),
    (
        &["jobs.batch"],
        "/metadata/labels/batch.kubernetes.io~1controller-uid",
        "a copy of the template's, where the job has none of its own",
    ),
    (
        &["jobs.batch"],
        "/metadata/labels/controller-uid",
        "a copy of the template's, where the job has none of its own",
    ),
    (
        &["jobs.batch"],
        "/metadata/labels/batch.kubernetes.io~1job-name",
        "a copy of the template's, where the job has none of its own",
    ),
    (
        &["jobs.batch"],
        "/metadata/labels/job-name",
        "a copy of the template's, where the job has none of its own",
    ),
    (&["pods"], "/spec/volumes/*/name", "the volume of the account's token has a name by chance"),
    (
        &["pods"],
        "/spec/containers/*/volumeMounts/*/name",
        "the volume of the account's token has a name by chance",
    ),
    (&["pods"], "/spec/nodeName", "where this cluster runs it"),
    (&["persistentvolumeclaims"], "/spec/volumeName", "the volume made of its snapshot"),
    (&["persistentvolumeclaims"], BACKUP, "which backup its volume was made of"),
    (&["persistentvolumeclaims"], BOUND, "the claim was bound here"),
    (&["persistentvolumeclaims"], BOUND_BY, "the claim was bound here"),
    (&["persistentvolumeclaims"], NUDGE, "the claim was bound here"),
    (&["persistentvolumeclaims"], SELECTED, "where the pod ran for which its volume was made"),
    (&["persistentvolumeclaims"], PROVISIONER, "who made the volume that it had"),
    (&["persistentvolumeclaims"], OLD_PROVISIONER, "who made the volume that it had"),
];

const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";
const GENERATION: &str = "/metadata/annotations/deprecated.daemonset.template.generation";
const BACKUP: &str = "/metadata/annotations/bowline.io~1backup-uid";
const NUDGE: &str = "/metadata/annotations/bowline.io~1nudge";
const BOUND_BY: &str = "/metadata/annotations/pv.kubernetes.io~1bound-by-controller";
const SELECTED: &str = "/metadata/annotations/volume.kubernetes.io~1selected-node";
const PROVISIONER: &str = "/metadata/annotations/volume.kubernetes.io~1storage-provisioner";
const OLD_PROVISIONER: &str =
    "/metadata/annotations/volume.beta.kubernetes.io~1storage-provisioner";
const BOUND: &str = "/metadata/annotations/pv.kubernetes.io~1bind-completed";

/// An object without what may differ.
pub(crate) fn stripped(id: &str, mut object: Value) -> Value {
    let resource = id.split('/').next().unwrap_or_default();
    let listed =
        DIFFERENT.iter().filter(|(kinds, ..)| kinds.is_empty() || kinds.contains(&resource));
    for (_, pointer, _) in listed {
        let parts: Vec<&str> = pointer.split('/').skip(1).collect();
        remove(&mut object, &parts);
    }
    object
}

/// Takes out what is there, and the maps that this leaves empty.
fn remove(value: &mut Value, path: &[&str]) {
    match (path, value) {
        ([key], Value::Object(map)) => drop(map.remove(&unescaped(key))),
        (["*", rest @ ..], Value::Array(list)) => list.iter_mut().for_each(|it| remove(it, rest)),
        ([key, rest @ ..], Value::Object(map)) => {
            let Some(child) = map.get_mut(&unescaped(key)) else { return };
            remove(child, rest);
            if child.as_object().is_some_and(serde_json::Map::is_empty) {
                map.remove(&unescaped(key));
            }
        }
        _ => {}
    }
}

fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

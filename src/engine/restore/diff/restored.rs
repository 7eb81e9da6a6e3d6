//! Which volumes of the cluster a restore of the compared backup made in place of those that it holds.
//!
//! Such a volume has another name, and lies on another disk: that is what a restore is, and nobody's
//! change. It is told by its claim, which names the backup, and by itself: a claim that somebody made
//! again may have kept what it says, and got an empty volume.

use std::collections::HashMap;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;

use super::super::actions::ORIGINAL_NAME;
use super::super::claims::claims;
use super::super::error::Error;
use super::super::existing_claims::VOLUME_NAME;
use super::super::open::Opened;
use super::super::prepare::RESTORE_UID_LABEL;
use super::scope::{parsed, read_entry};
use crate::engine::cluster::{ListScope, Listed};
use crate::engine::context::Context;
use crate::engine::model::difference::Difference;
use crate::engine::model::entries::escaped;
use crate::engine::model::fields::{set_text, text_at};
use crate::engine::model::policy::VolumeType;
use crate::engine::model::volume::tags;
use crate::engine::model::{Catalog, Meta, Object};

/// The fields of a volume's source that name its disk, in the sources of all providers.
const OF_DISK: &[&str] = &["volumeHandle", "volumeID", "path"];

/// The volumes of restored claims, and those that they stand for.
#[derive(Debug, Default)]
pub(super) struct Restored(HashMap<String, String>);

impl Restored {
    /// Reads the claims of these namespaces, and, if any is of this backup, the volumes of the cluster.
    pub(super) async fn read(
        context: &Context,
        catalog: &Catalog,
        opened: &Opened,
        namespaces: Vec<Option<String>>,
    ) -> Result<Self, Error> {
        let mut claimed = HashMap::new();
        let Some(kind) = catalog.get(&claims()) else { return Ok(Self::default()) };
        for namespace in namespaces {
            let scope = ListScope { namespace, label_selector: None };
            let mut pages = context.cluster.list(kind, &scope);
            while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
                let found = page.items.iter().map(|claim| stand_in(opened, claim));
                claimed.extend(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten());
            }
        }
        let kind = catalog.get(&volumes()).filter(|_| !claimed.is_empty());
        let Some(kind) = kind else { return Ok(Self::default()) };
        let mut restored = HashMap::new();
        let mut pages = context.cluster.list(kind, &ListScope::default());
        while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
            let made = page.items.iter().filter_map(|listed| {
                let original = claimed.remove(&listed.meta.name)?;
                is_made_for(&listed.meta, &original).then(|| (listed.meta.name.clone(), original))
            });
            restored.extend(made);
        }
        Ok(Self(restored))
    }

    /// The name that a volume of the cluster has in the backup.
    pub(super) fn original(&self, volume: &str) -> Option<&str> {
        self.0.get(volume).map(String::as_str)
    }

    /// Has the backup's claim name the volume that was made for it, if the live one does.
    pub(super) fn follow(&self, claim: &mut Object, live: &Object) {
        let Some(volume) = text_at(live, VOLUME_NAME) else { return };
        if self.original(volume).is_some_and(|it| text_at(claim, VOLUME_NAME) == Some(it)) {
            set_text(claim, VOLUME_NAME, volume);
        }
    }
}

/// The volume of a claim that a restore of this backup made, and the one that it stands for.
fn stand_in(opened: &Opened, listed: &Listed) -> Result<Option<(String, String)>, Error> {
    if listed.meta.annotations.get(tags::BACKUP_UID) != Some(&opened.backup.metadata.uid) {
        return Ok(None);
    }
    let namespace = listed.meta.namespace.as_deref().unwrap_or_default();
    let id = ItemId::namespaced(claims(), namespace, &listed.meta.name);
    let Some(entry) = opened.contents.find(&id) else { return Ok(None) };
    let recorded = read_entry(opened, entry)?;
    let name = |claim: &Object| text_at(claim, VOLUME_NAME).map(str::to_owned);
    let live = parsed(&listed.json).object;
    Ok(name(&live).zip(name(&recorded.object)).filter(|(live, recorded)| live != recorded))
}

/// Whether a restore made this volume in place of the one of that name.
fn is_made_for(volume: &Meta, original: &str) -> bool {
    volume.labels.contains_key(RESTORE_UID_LABEL)
        && volume.annotations.get(ORIGINAL_NAME).is_some_and(|it| it == original)
}

/// Leaves out what a restore always changes about a volume: which disk it is, and where that is.
pub(super) fn without_disk(fields: &mut Vec<Difference>, live: &Object) {
    let mut of_disk = vec![format!("/metadata/annotations/{}", escaped(ORIGINAL_NAME))];
    if let Some(source) = VolumeType::of(&live.clone().into()) {
        of_disk.extend(OF_DISK.iter().map(|field| format!("/spec/{}/{field}", source.name())));
    }
    fields.retain(|field| {
        !field.path.starts_with("/spec/nodeAffinity") && !of_disk.contains(&field.path)
    });
}

fn volumes() -> GroupResource {
    GroupResource::core("persistentvolumes")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::model::difference::differences;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn of_a_restored_volume_only_its_disk_is_no_difference() {
        let volume = |disk: &str, node: &str, kind: &str, annotations: Value| {
            object(json!({"metadata": {"annotations": annotations}, "spec": {
                "csi": {"volumeHandle": disk, "fsType": kind, "volumeAttributes": {"path": kind}},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [node]}}}}))
        };
        let ours = volume("vol-1", "a", "ext4", json!({}));
        let paths = |live: &Object| {
            let mut fields = differences(&volumes(), &ours, live);
            without_disk(&mut fields, live);
            fields.into_iter().map(|it| it.path).collect::<Vec<_>>()
        };
        let named = json!({ORIGINAL_NAME: "pvc-1"});
        assert_eq!(paths(&volume("vol-2", "b", "ext4", named.clone())), [""; 0]);
        let told = ["/spec/csi/fsType", "/spec/csi/volumeAttributes/path"];
        assert_eq!(paths(&volume("vol-2", "b", "xfs", named)), told);
        let other = object(json!({"metadata": {"annotations": {}}, "spec": {
            "awsElasticBlockStore": {"volumeID": "vol-2"}}}));
        assert_eq!(paths(&other), ["/spec/csi", "/spec/awsElasticBlockStore"]);
    }

    #[test]
    fn a_volume_says_itself_that_a_restore_made_it_and_for_which() {
        let meta = |labels: Value, annotations: Value| {
            let meta = json!({"name": "pvc-2", "labels": labels, "annotations": annotations});
            serde_json::from_value::<Meta>(meta).unwrap()
        };
        let (ours, for_it) = (json!({RESTORE_UID_LABEL: "u"}), json!({ORIGINAL_NAME: "pvc-1"}));
        assert!(is_made_for(&meta(ours.clone(), for_it.clone()), "pvc-1"));
        assert!(!is_made_for(&meta(ours.clone(), for_it.clone()), "pvc-0"));
        assert!(!is_made_for(&meta(ours, json!({})), "pvc-1"));
        assert!(!is_made_for(&meta(json!({}), for_it), "pvc-1"));
    }
}

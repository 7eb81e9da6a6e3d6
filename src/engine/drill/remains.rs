//! The persistent volumes that a drill leaves behind.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use super::take_down::{Error, OPERATION, Work, kind};
use crate::engine::cluster::{self, Deletion, ListScope, Listed, Object};
use crate::engine::context::Context;
use crate::engine::model::drill::DrillRecord;
use crate::engine::model::fields::text_at;
use crate::engine::model::volume::tags;
use crate::engine::model::{Catalog, Kind};
use crate::engine::report::{Problem, chain};

/// A persistent volume that is there because of a drill.
#[derive(Debug)]
pub(super) struct Remnant {
    pub name: String,
    uid: String,
    pub kept: Kept,
    pub claim: Claim,
}

/// The claim that has a persistent volume, or had it.
#[derive(Debug)]
pub(super) struct Claim {
    pub namespace: String,
    name: String,
    /// None until it is bound.
    uid: Option<String>,
}

/// What became of a persistent volume.
enum End {
    Gone,
    /// Its claim is there, or nobody knows: pods may write to it.
    InUse(String),
    Stays(String),
}

/// Why it is still there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// The restore made it, with policy Retain.
    ByUs,
    /// It was provisioned for a claim of the drill, with policy Retain.
    ByItsClass,
    /// It was provisioned for a claim of the drill, and goes with it.
    ForAWhile,
    /// It was there before, is somebody's own, and would go with the claim of the drill that took it.
    Taken,
}

pub(super) fn persistent_volumes() -> GroupResource {
    GroupResource::core("persistentvolumes")
}

/// Finds the persistent volumes of a drill.
pub(super) async fn of(
    context: &Context,
    kind: &Kind,
    record: &DrillRecord,
) -> Result<Vec<Remnant>, cluster::Error> {
    let mut found = Vec::new();
    let mut pages = context.cluster.list(kind, &ListScope::default());
    while let Some(page) = pages.try_next().await? {
        found.extend(page.items.iter().filter_map(|it| remnant(it, record)));
    }
    Ok(found)
}

fn remnant(listed: &Listed, record: &DrillRecord) -> Option<Remnant> {
    let object: Object = serde_json::from_slice(&listed.json).ok()?;
    let kept = kept(&object, record)?;
    let uid = text_at(&object, &["metadata", "uid"])?.to_owned();
    let of_claim = |key: &str| text_at(&object, &["spec", "claimRef", key]).map(str::to_owned);
    let name = of_claim("name").unwrap_or_default();
    let claim = Claim { namespace: of_claim("namespace")?, name, uid: of_claim("uid") };
    Some(Remnant { name: listed.meta.name.clone(), uid, kept, claim })
}

/// Why a persistent volume is there because of the drill, if it is.
///
/// A provisioner names what it makes after the identity of the claim, with a prefix of its choice.
fn kept(volume: &Object, record: &DrillRecord) -> Option<Kept> {
    let claimed = text_at(volume, &["spec", "claimRef", "namespace"])?;
    if !record.namespaces.values().any(|name| name == claimed) {
        return None;
    }
    let label = text_at(volume, &["metadata", "labels", tags::RESTORE_UID]);
    if label == Some(&record.uid) {
        return Some(Kept::ByUs);
    }
    let claim = text_at(volume, &["spec", "claimRef", "uid"])?;
    let name = text_at(volume, &["metadata", "name"])?;
    let is_provisioned = name.strip_suffix(claim).is_some_and(|prefix| prefix.ends_with('-'));
    let goes = text_at(volume, &["spec", "persistentVolumeReclaimPolicy"]) == Some("Delete");
    match (is_provisioned, goes) {
        (true, true) => Some(Kept::ForAWhile),
        (true, false) => Some(Kept::ByItsClass),
        (false, true) => Some(Kept::Taken),
        (false, false) => None,
    }
}

/// Has a provisioned volume go with its claim, and one that is somebody's own stay.
pub(super) async fn let_go(
    context: &Context,
    kind: &Kind,
    volume: &Remnant,
) -> Result<(), cluster::Error> {
    let policy = match volume.kept {
        Kept::ByItsClass => "Delete",
        Kept::Taken => "Retain",
        Kept::ByUs | Kept::ForAWhile => return Ok(()),
    };
    let patch = json!({"metadata": {"uid": volume.uid},
        "spec": {"persistentVolumeReclaimPolicy": policy}});
    match context.cluster.merge_patch(kind, None, &volume.name, &patch).await {
        Err(error) if error.status() == Some(404) => Ok(()),
        other => other.map(drop),
    }
}

impl Work<'_> {
    /// Deletes the persistent volumes that the restore made and no claim has any more, and waits for
    /// the end of all; yields what is left, and the names of those that are in use.
    pub(super) async fn persistent_volumes(
        &self,
        catalog: &Catalog,
    ) -> Result<(Vec<Problem>, BTreeSet<String>), Error> {
        let kinds = (kind(catalog, "persistentvolumes")?, kind(catalog, "persistentvolumeclaims")?);
        let found = of(self.context, kinds.0, self.record).await?;
        let found = found.into_iter().filter(|it| it.kept != Kept::Taken);
        let mut ends = stream::iter(found)
            .map(|volume| async move { (self.end(kinds, &volume).await, volume.name) })
            .buffered(self.context.limits.creates);
        let (mut left, mut in_use) = (Vec::new(), BTreeSet::new());
        while let Some((end, name)) = ends.next().await {
            let id = ItemId::cluster(persistent_volumes(), &name);
            match end {
                End::Gone => {}
                End::Stays(why) => left.push(Problem::of_item(&id, OPERATION, why)),
                End::InUse(why) => {
                    let hint = "it goes with the next clean-up, once its claim is gone";
                    left.push(Problem::of_item(&id, OPERATION, why).with_hint(hint));
                    in_use.insert(name);
                }
            }
        }
        Ok((left, in_use))
    }

    async fn end(&self, (kind, claims): (&Kind, &Kind), volume: &Remnant) -> End {
        let Claim { namespace, name, .. } = &volume.claim;
        match self.is_claimed(claims, &volume.claim).await {
            Ok(false) => {}
            Ok(true) => return End::InUse(format!("claim {namespace}/{name} is still there")),
            Err(error) => return End::InUse(chain(&error)),
        }
        match self.delete(kind, volume).await {
            Ok(None) => End::Gone,
            Ok(Some(_)) => End::Stays("it is still there".to_owned()),
            Err(error) => End::Stays(chain(&error)),
        }
    }

    /// Whether a claim is there, which no pod can use any more once it is not.
    async fn is_claimed(&self, claims: &Kind, claim: &Claim) -> Result<bool, cluster::Error> {
        let found = self.context.cluster.get(claims, Some(&claim.namespace), &claim.name).await?;
        let is_it = |it: &Object| {
            claim.uid.as_deref().is_none_or(|uid| text_at(it, &["metadata", "uid"]) == Some(uid))
        };
        Ok(found.as_ref().is_some_and(is_it))
    }

    async fn delete(
        &self,
        kind: &Kind,
        volume: &Remnant,
    ) -> Result<Option<Object>, cluster::Error> {
        if volume.kept == Kept::ByUs {
            let deletion = Deletion { uid: Some(&volume.uid), ..Deletion::default() };
            self.context.cluster.delete(kind, None, &volume.name, &deletion).await?;
        }
        self.gone(kind, &volume.name, Some(&volume.uid), self.deadline).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn record() -> DrillRecord {
        DrillRecord {
            backup: "nightly".to_owned(),
            backup_uid: "b".to_owned(),
            uid: "r".to_owned(),
            cluster_uid: "c".to_owned(),
            restore: "drill-d".to_owned(),
            namespaces: [("shop".to_owned(), "shop-drill-d".to_owned())].into(),
            volumes: Vec::new(),
            keep: false,
            version: String::new(),
            start_timestamp: jiff::Timestamp::UNIX_EPOCH,
            until: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn why(volume: &Value) -> Option<Kept> {
        kept(volume.as_object()?, &record())
    }

    fn volume(name: &str, namespace: &str, label: &str, policy: &str) -> Value {
        json!({"metadata": {"name": name, "labels": {"bowline.io/restore-uid": label}},
            "spec": {"claimRef": {"namespace": namespace, "uid": "u"},
                "persistentVolumeReclaimPolicy": policy}})
    }

    #[test]
    fn a_volume_is_the_drills_if_its_restore_made_it_or_if_it_was_provisioned_for_its_claim() {
        let ours = volume("bowline-r-1", "shop-drill-d", "r", "Retain");
        assert_eq!(why(&ours), Some(Kept::ByUs));
        let provisioned = |policy| why(&volume("pvc-u", "shop-drill-d", "", policy));
        assert_eq!(provisioned("Retain"), Some(Kept::ByItsClass));
        assert_eq!(provisioned("Delete"), Some(Kept::ForAWhile));
        let prefixed = volume("ebs-east-u", "shop-drill-d", "", "Delete");
        assert_eq!(why(&prefixed), Some(Kept::ForAWhile));
    }

    #[test]
    fn a_volume_of_somebody_that_a_claim_of_the_drill_took_does_not_go_with_it() {
        for (name, label) in [("by-hand", ""), ("menu", ""), ("bowline-q-1", "q")] {
            let taken = volume(name, "shop-drill-d", label, "Delete");
            assert_eq!(why(&taken), Some(Kept::Taken), "{name}");
        }
    }

    #[test]
    fn a_volume_of_the_original_of_another_restore_or_of_a_person_is_none_of_it() {
        assert_eq!(why(&volume("pvc-u", "shop", "", "Delete")), None);
        assert_eq!(why(&volume("bowline-q-1", "shop", "r", "Retain")), None);
        assert_eq!(why(&volume("bowline-q-1", "shop-drill-d", "q", "Retain")), None);
        assert_eq!(why(&volume("by-hand", "shop-drill-d", "", "Retain")), None);
    }
}

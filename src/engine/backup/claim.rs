//! A claim, and what its state, its volume and the user's wishes ask for.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::engine::model::Meta;
use crate::engine::model::policy::{Action, Backing, Policies, Verdict, VolumeFacts};
use crate::engine::model::shared::{self, SharedFileSystem};
use crate::engine::model::volume::{REATTACH, SKIPPED, UNBOUND, VOLUME_ANNOTATION};

/// Why nothing is kept of a volume whose claim still serves a pod, but is not in the archive.
const BEING_DELETED: &str = "it is being deleted; its data is not in this backup";

/// A claim that was found, as far as its volume is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `Bound`, `Pending`, `Lost`.
    pub phase: String,
    /// The persistent volume that it is bound to.
    pub volume: Option<String>,
    /// What its annotation says shall become of its volume.
    pub wish: Option<String>,
    /// Whether it belongs to a pod, and is as short-lived as that.
    pub of_pod: bool,
    /// Whether it was deleted, and only stays for as long as a pod uses it.
    pub deleted: bool,
}

/// The persistent volume that a claim names, or why it cannot be read; none if it names none.
pub(super) type Found = Option<Result<Value, String>>;

/// What the user said of all volumes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    /// Policies, which go before all else.
    pub policies: Option<&'a Policies>,
    /// Whether snapshots are taken where nobody says anything else.
    pub snapshot_volumes: bool,
}

/// What becomes of a claim's volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision<'a> {
    Snapshot { name: &'a str, volume: &'a Value },
    LeaveOut { state: &'static str, reason: String },
    Fail { reason: String },
}

/// What somebody said of one claim's volume.
struct Wish {
    action: Action,
    reason: String,
    /// Whether it holds although snapshots were turned off: as in Velero, what a policy says does.
    forced: bool,
}

impl Claim {
    /// Reads what matters from a claim.
    pub fn read(meta: &Meta, object: &Map<String, Value>) -> Self {
        let text = |part: &str, key: &str| object.get(part)?.get(key)?.as_str();
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone(),
            labels: meta.labels.clone(),
            phase: text("status", "phase").unwrap_or_default().to_owned(),
            volume: text("spec", "volumeName").filter(|name| !name.is_empty()).map(Into::into),
            wish: meta.annotations.get(VOLUME_ANNOTATION).cloned(),
            of_pod: meta.controller().is_some_and(|owner| owner.kind == "Pod"),
            deleted: meta.deletion_timestamp.is_some(),
        }
    }

    pub(super) fn label(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether anybody needs to hear of it: that a claim goes is as it should be, unless there is
    /// data behind it.
    pub(super) fn matters(&self) -> bool {
        !self.deleted || self.is_bound()
    }

    fn is_bound(&self) -> bool {
        self.phase == "Bound"
    }

    /// Decides what becomes of the volume. A policy goes before the claim's annotation, that before
    /// the switch for all snapshots; a shared file system is re-attached where nobody says anything.
    pub(super) fn decide<'a>(&'a self, rules: &Rules<'_>, found: &'a Found) -> Decision<'a> {
        if self.of_pod {
            return leave_out(SKIPPED, "the claim is as short-lived as its pod");
        }
        let decision = match self.wish(rules, found) {
            Ok(wish) => self.settle(wish, rules, found),
            Err(reason) => Decision::Fail { reason },
        };
        match decision {
            Decision::Snapshot { .. } | Decision::LeaveOut { state: REATTACH, .. }
                if self.deleted =>
            {
                Decision::Fail { reason: BEING_DELETED.to_owned() }
            }
            other => other,
        }
    }

    fn wish(&self, rules: &Rules<'_>, found: &Found) -> Result<Option<Wish>, String> {
        if let Some(policies) = rules.policies
            && let Some(Verdict { action, reason }) = policies.decide(&self.facts(found)?)
        {
            return Ok(Some(Wish { action, reason, forced: true }));
        }
        let action = match self.wish.as_deref() {
            None => return Ok(None),
            Some("skip") => Action::Skip,
            Some("snapshot") => Action::Snapshot,
            Some("reattach") => Action::Reattach,
            Some(other) => return Err(format!("annotation {VOLUME_ANNOTATION} is \"{other}\"")),
        };
        let reason = format!("the claim's annotation {VOLUME_ANNOTATION} says {action}");
        Ok(Some(Wish { action, reason, forced: false }))
    }

    /// What policies look at. A volume that cannot be read is one of which nobody knows which hold.
    fn facts(&self, found: &Found) -> Result<VolumeFacts, String> {
        let volume = match found {
            Some(Ok(volume)) => Some(Backing::read(volume)?),
            Some(Err(reason)) if self.is_bound() => return Err(reason.clone()),
            _ => None,
        };
        Ok(VolumeFacts {
            claim_labels: self.labels.clone(),
            claim_phase: self.phase.clone(),
            volume,
        })
    }

    fn settle<'a>(
        &'a self,
        wish: Option<Wish>,
        rules: &Rules<'_>,
        found: &'a Found,
    ) -> Decision<'a> {
        let off = || leave_out(SKIPPED, "snapshots of volumes were turned off");
        if let Some(Wish { action: Action::Skip, reason, .. }) = wish {
            return Decision::LeaveOut { state: SKIPPED, reason };
        }
        if self.phase == "Lost" {
            return Decision::Fail { reason: "its persistent volume is lost".to_owned() };
        }
        let (true, Some(name), Some(found)) = (self.is_bound(), &self.volume, found) else {
            return leave_out(UNBOUND, "the claim is not bound to a volume");
        };
        let volume = match found {
            Ok(volume) => volume,
            Err(_) if wish.is_none() && !rules.snapshot_volumes => return off(),
            Err(reason) => return Decision::Fail { reason: reason.clone() },
        };
        let wanted = rules.snapshot_volumes || wish.as_ref().is_some_and(|wish| wish.forced);
        match (wish, shared::file_system(volume)) {
            (Some(Wish { action: Action::Reattach, reason, .. }), _) => {
                leave_out(REATTACH, &format!("not copied: {reason}"))
            }
            (None, Some(it)) => leave_out(REATTACH, &not_copied(it, volume)),
            _ if wanted => Decision::Snapshot { name, volume },
            _ => off(),
        }
    }
}

fn leave_out(state: &'static str, reason: &str) -> Decision<'static> {
    Decision::LeaveOut { state, reason: reason.to_owned() }
}

/// Why a shared file system comes back as the very same.
fn not_copied(SharedFileSystem { name, reason }: SharedFileSystem, volume: &Value) -> String {
    let handle = shared::handle(volume).unwrap_or_else(|| "it".to_owned());
    format!("not copied: {handle} is in {name}, a shared file system; {reason}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::model::policy::Origin;

    fn claim(phase: &str, volume: &str, annotations: &Value) -> Claim {
        let object = json!({
            "metadata": {"name": "data", "namespace": "shop", "annotations": annotations,
                "labels": {"tier": "cache"}},
            "spec": {"volumeName": volume},
            "status": {"phase": phase},
        });
        let meta = serde_json::from_value(object["metadata"].clone()).unwrap();
        Claim::read(&meta, object.as_object().unwrap())
    }

    /// A volume of this driver, if the claim names one.
    fn found(claim: &Claim, driver: &str) -> Found {
        let csi = json!({"driver": driver, "volumeHandle": "fs-1"});
        let spec = json!({"capacity": {"storage": "1Gi"}, "csi": csi});
        claim.volume.as_ref().map(|_| Ok(json!({ "spec": spec })))
    }

    fn state(decision: &Decision<'_>) -> &'static str {
        match decision {
            Decision::Snapshot { .. } => "snapshot",
            Decision::LeaveOut { state, .. } => state,
            Decision::Fail { .. } => "fail",
        }
    }

    fn rules(policies: Option<&Policies>, snapshot_volumes: bool) -> Rules<'_> {
        Rules { policies, snapshot_volumes }
    }

    fn policy(action: &str) -> Policies {
        let yaml = format!(
            "version: v1\nvolumePolicies:\n- conditions: {{pvcLabels: {{tier: cache}}}}\n  action: \
             {{type: {action}}}\n"
        );
        Policies::read(Origin::File("p.yaml".to_owned()), &yaml).unwrap()
    }

    #[test]
    fn every_bound_claim_is_snapshotted_unless_somebody_said_otherwise() {
        let skip = json!({VOLUME_ANNOTATION: "skip"});
        for (phase, volume, wish, snapshots, expected) in [
            ("Bound", "pv-1", json!({}), true, "snapshot"),
            ("Bound", "pv-1", json!({}), false, "skipped"),
            ("Bound", "pv-1", skip.clone(), true, "skipped"),
            ("Bound", "pv-1", json!({VOLUME_ANNOTATION: "reattach"}), true, "reattach"),
            ("Bound", "pv-1", json!({VOLUME_ANNOTATION: "snapshot"}), false, "skipped"),
            ("Bound", "pv-1", json!({VOLUME_ANNOTATION: "skpi"}), true, "fail"),
            ("Lost", "pv-1", json!({}), true, "fail"),
            ("Lost", "pv-1", skip, true, "skipped"),
            ("Pending", "", json!({}), true, "unbound"),
            ("Pending", "pv-1", json!({}), true, "unbound"),
        ] {
            let claim = claim(phase, volume, &wish);
            let found = found(&claim, "ebs.csi.aws.com");
            let decision = claim.decide(&rules(None, snapshots), &found);
            assert_eq!(state(&decision), expected, "{claim:?}");
        }
    }

    #[test]
    fn a_shared_file_system_is_reattached_unless_somebody_said_otherwise() {
        for (wish, snapshots, expected) in [
            (json!({}), true, "reattach"),
            (json!({}), false, "reattach"),
            (json!({VOLUME_ANNOTATION: "skip"}), true, "skipped"),
            (json!({VOLUME_ANNOTATION: "snapshot"}), true, "snapshot"),
        ] {
            let claim = claim("Bound", "pv-1", &wish);
            let found = found(&claim, "efs.csi.aws.com");
            let decision = claim.decide(&rules(None, snapshots), &found);
            assert_eq!(state(&decision), expected, "{claim:?}");
        }
        let claim = claim("Bound", "pv-1", &json!({}));
        let reason = "not copied: fs-1 is in Amazon EFS, a shared file system; it has no snapshots";
        let expected = Decision::LeaveOut { state: "reattach", reason: reason.to_owned() };
        let found = found(&claim, "efs.csi.aws.com");
        assert_eq!(claim.decide(&rules(None, true), &found), expected);
    }

    #[test]
    fn a_policy_goes_before_annotation_switch_and_kind_of_volume() {
        for (action, expected) in
            [("skip", "skipped"), ("snapshot", "snapshot"), ("reattach", "reattach")]
        {
            let policy = policy(action);
            for wish in ["skip", "snapshot", "reattach", "skpi"] {
                let claim = claim("Bound", "pv-1", &json!({VOLUME_ANNOTATION: wish}));
                let found = found(&claim, "efs.csi.aws.com");
                let decision = claim.decide(&rules(Some(&policy), false), &found);
                assert_eq!(state(&decision), expected, "{action} {wish}");
            }
        }
        let policy = policy("skip");
        for (phase, volume, expected) in [("Lost", "pv-1", "skipped"), ("Pending", "", "skipped")] {
            let claim = claim(phase, volume, &json!({}));
            let found = claim.volume.as_ref().map(|_| Err("gone".to_owned()));
            let decision = claim.decide(&rules(Some(&policy), true), &found);
            assert_eq!(state(&decision), expected);
        }
    }

    #[test]
    fn a_volume_that_cannot_be_read_fails_where_anything_depends_on_it() {
        let found = Some(Err("gone".to_owned()));
        let policy = policy("skip");
        for (wish, policies, snapshots, expected) in [
            (json!({}), None, true, "fail"),
            (json!({}), None, false, "skipped"),
            (json!({VOLUME_ANNOTATION: "skip"}), None, true, "skipped"),
            (json!({VOLUME_ANNOTATION: "reattach"}), None, false, "fail"),
            (json!({VOLUME_ANNOTATION: "skip"}), Some(&policy), true, "fail"),
        ] {
            let claim = claim("Bound", "pv-1", &wish);
            let decision = claim.decide(&rules(policies, snapshots), &found);
            assert_eq!(state(&decision), expected, "{claim:?}");
        }
    }

    #[test]
    fn the_claim_of_a_pod_is_as_short_lived_as_the_pod() {
        let meta = serde_json::from_value(json!({"name": "scratch", "namespace": "shop",
            "ownerReferences": [{"kind": "Pod", "name": "p", "uid": "1", "controller": true}]}));
        let object = json!({"spec": {"volumeName": "pv-1"}, "status": {"phase": "Bound"}});
        let claim = Claim::read(&meta.unwrap(), object.as_object().unwrap());
        let found = found(&claim, "efs.csi.aws.com");
        assert_eq!(state(&claim.decide(&rules(None, true), &found)), "skipped");
    }
}

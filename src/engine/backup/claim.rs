//! A claim, and what its state asks for.

use serde_json::{Map, Value};

use crate::engine::model::Meta;
use crate::engine::model::volume::VOLUME_ANNOTATION;

/// A claim that was found, as far as its volume is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `Bound`, `Pending`, `Lost`.
    pub phase: String,
    /// The persistent volume that it is bound to.
    pub volume: Option<String>,
    /// What its annotation says shall become of its volume.
    pub wish: Option<String>,
    /// Whether it belongs to a pod, and is as short-lived as that.
    pub of_pod: bool,
}

/// What a claim's state asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Snapshot { volume: String },
    Skip { state: &'static str, reason: &'static str },
    Fail { reason: String },
}

impl Claim {
    /// Reads what matters from a claim.
    pub fn read(meta: &Meta, object: &Map<String, Value>) -> Self {
        let text = |part: &str, key: &str| object.get(part)?.get(key)?.as_str();
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone(),
            phase: text("status", "phase").unwrap_or_default().to_owned(),
            volume: text("spec", "volumeName").filter(|name| !name.is_empty()).map(Into::into),
            wish: meta.annotations.get(VOLUME_ANNOTATION).cloned(),
            of_pod: meta.controller().is_some_and(|owner| owner.kind == "Pod"),
        }
    }

    pub(super) fn label(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    pub(super) fn decide(&self, snapshot_volumes: bool) -> Decision {
        let skip = |state, reason| Decision::Skip { state, reason };
        match (self.wish.as_deref(), self.phase.as_str(), &self.volume) {
            (Some("skip"), ..) => {
                skip("skipped", "the claim's annotation bowline.io/volume says skip")
            }
            (Some(wish), ..) if wish != "reattach" && wish != "snapshot" => {
                Decision::Fail { reason: format!("annotation {VOLUME_ANNOTATION} is \"{wish}\"") }
            }
            _ if self.of_pod => skip("skipped", "the claim is as short-lived as its pod"),
            (_, "Lost", _) => Decision::Fail { reason: "its persistent volume is lost".to_owned() },
            (_, "Bound", Some(_)) if self.wish.as_deref() == Some("reattach") => {
                skip("reattach", "the claim's annotation bowline.io/volume says reattach")
            }
            (_, "Bound", Some(_)) if !snapshot_volumes => {
                skip("skipped", "snapshots of volumes were turned off")
            }
            (_, "Bound", Some(volume)) => Decision::Snapshot { volume: volume.clone() },
            _ => skip("unbound", "the claim is not bound to a volume"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(phase: &str, volume: &str, annotations: &Value) -> Claim {
        let object = json!({
            "metadata": {"name": "data", "namespace": "shop", "annotations": annotations},
            "spec": {"volumeName": volume},
            "status": {"phase": phase},
        });
        let meta = serde_json::from_value(object["metadata"].clone()).unwrap();
        Claim::read(&meta, object.as_object().unwrap())
    }

    fn state(decision: &Decision) -> &str {
        match decision {
            Decision::Snapshot { .. } => "snapshot",
            Decision::Skip { state, .. } => state,
            Decision::Fail { .. } => "fail",
        }
    }

    #[test]
    fn every_bound_claim_is_snapshotted_unless_somebody_said_otherwise() {
        let none = json!({});
        assert_eq!(
            claim("Bound", "pv-1", &none).decide(true),
            Decision::Snapshot { volume: "pv-1".to_owned() }
        );
        for (phase, volume, wish, snapshots, expected) in [
            ("Bound", "pv-1", json!({}), false, "skipped"),
            ("Bound", "pv-1", json!({VOLUME_ANNOTATION: "skip"}), true, "skipped"),
            ("Bound", "pv-1", json!({VOLUME_ANNOTATION: "reattach"}), true, "reattach"),
            ("Bound", "pv-1", json!({VOLUME_ANNOTATION: "skpi"}), true, "fail"),
            ("Lost", "pv-1", json!({}), true, "fail"),
            ("Pending", "", json!({}), true, "unbound"),
            ("Pending", "pv-1", json!({}), true, "unbound"),
        ] {
            let claim = claim(phase, volume, &wish);
            assert_eq!(state(&claim.decide(snapshots)), expected, "{claim:?}");
        }
    }

    #[test]
    fn the_claim_of_a_pod_is_as_short_lived_as_the_pod() {
        let meta = serde_json::from_value(json!({"name": "scratch", "namespace": "shop",
            "ownerReferences": [{"kind": "Pod", "name": "p", "uid": "1", "controller": true}]}));
        let object = json!({"spec": {"volumeName": "pv-1"}, "status": {"phase": "Bound"}});
        let claim = Claim::read(&meta.unwrap(), object.as_object().unwrap());
        assert_eq!(state(&claim.decide(true)), "skipped");
    }
}

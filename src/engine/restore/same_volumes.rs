//! Which volumes of the target are those of the backup: a name alone does not say so.

use std::collections::HashMap;

use serde_json::Value;

use super::error::Error;
use super::existing;
use super::plan::{Plan, Verdict};
use super::preflight::Ready;
use super::select;
use crate::engine::context::Context;
use crate::engine::model::backup::annotations;
use crate::engine::model::policy::VolumeType;
use crate::engine::model::{records, shared};

/// The persistent volumes of the target, where claims are held against the backup's.
#[derive(Debug, Default)]
pub(super) struct SameVolumes {
    live: HashMap<String, Value>,
}

impl SameVolumes {
    /// Reads what the target has, if any claim of the plan may be there with its volume.
    ///
    /// Who may not list them cannot know: then none is the backup's.
    pub(super) async fn read(
        context: &Context,
        ready: &Ready,
        plan: &Plan<'_>,
    ) -> Result<Self, Error> {
        let claims = super::claims::claims();
        let refused = plan
            .rows
            .iter()
            .any(|row| *row.entry.resource() == claims && row.verdict == Verdict::Refuse);
        if plan.claims.is_empty() && !refused {
            return Ok(Self::default());
        }
        let resource = records::persistent_volume("").resource;
        let listed = match existing::list(context, ready, &resource).await {
            Err(Error::Cluster(error)) if error.status() == Some(403) => return Ok(Self::default()),
            listed => listed?,
        };
        let live = listed.into_iter().map(|listed| {
            (listed.meta.name, serde_json::from_slice(&listed.json).unwrap_or_default())
        });
        Ok(Self { live: live.collect() })
    }

    /// Whether the target's volume of this name is on the disk that was backed up.
    pub(super) fn has(&self, ready: &Ready, name: &str) -> Result<bool, Error> {
        let from = ready.opened.backup.annotation(annotations::CLUSTER_UID);
        if from.is_some_and(|uid| *uid != ready.cluster_uid) {
            return Ok(false);
        }
        let entry = ready.opened.contents.find(&records::persistent_volume(name));
        let (Some(entry), Some(live)) = (entry, self.live.get(name)) else { return Ok(false) };
        let recorded = select::object(ready, entry)?;
        Ok(is_same(&Value::Object(recorded), live, from.is_some()))
    }
}

/// Whether two persistent volumes lead to the same disk.
///
/// What has no handle, such as a directory of a node, tells so by its whole source, and only within
/// one cluster.
fn is_same(recorded: &Value, live: &Value, within: bool) -> bool {
    let source = |volume: &Value| {
        let kind = VolumeType::of(volume)?;
        Some((kind.name(), volume["spec"][kind.name()].clone()))
    };
    let driver = |volume: &Value| {
        let driver = volume.pointer("/spec/csi/driver").cloned();
        (VolumeType::of(volume).map(VolumeType::name), driver)
    };
    match (shared::handle(recorded), shared::handle(live)) {
        (Some(one), Some(other)) => one == other && driver(recorded) == driver(live),
        (None, None) => within && source(recorded).is_some() && source(recorded) == source(live),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn volumes_are_the_same_by_what_they_lead_to_and_not_by_their_names() {
        let csi = |driver: &str, handle: &str| {
            json!({"metadata": {"name": "db-pv"},
                "spec": {"csi": {"driver": driver, "volumeHandle": handle}}})
        };
        let disk = csi("ebs.csi.aws.com", "vol-1");
        for within in [true, false] {
            assert!(is_same(&disk, &disk, within));
            assert!(!is_same(&disk, &csi("ebs.csi.aws.com", "vol-2"), within));
            assert!(!is_same(&disk, &csi("other.example.com", "vol-1"), within));
        }
        let local = |path: &str| json!({"spec": {"hostPath": {"path": path}}});
        assert!(is_same(&local("/a"), &local("/a"), true));
        assert!(!is_same(&local("/a"), &local("/b"), true));
        assert!(!is_same(&local("/a"), &local("/a"), false), "of another node, perhaps");
        assert!(!is_same(&json!({"spec": {}}), &json!({"spec": {}}), true));
    }
}

//! Volumes: bound claim -> persistent volume -> the snapshotter that knows it.

use std::collections::BTreeMap;

use bowline_api::{GroupResource, VolumeSnapshotter};
use serde_json::Value;

use super::claim::{Claim, Found};
use super::preflight::Ready;
use crate::engine::context::Context;
use crate::engine::model::volume::PersistentVolumeInfo;
use crate::engine::report::chain;

/// Reads a persistent volume; an error is said in words.
async fn persistent_volume(context: &Context, ready: &Ready, name: &str) -> Result<Value, String> {
    let resource = GroupResource::core("persistentvolumes");
    let kind = ready.catalog.get(&resource).ok_or("the cluster serves no volumes")?;
    match context.cluster.get(kind, None, name).await {
        Ok(Some(object)) => Ok(Value::Object(object)),
        Ok(None) => Err(format!("its persistent volume {name} does not exist")),
        Err(error) => Err(chain(&error)),
    }
}

/// Reads the volume that a claim names; none if it names none.
pub(super) async fn of_claim(context: &Context, ready: &Ready, claim: &Claim) -> Found {
    let name = claim.volume.as_ref()?;
    Some(persistent_volume(context, ready, name).await)
}

/// Finds who snapshots a persistent volume, and the provider's name for the volume behind it.
pub(super) fn locate<'a>(
    context: &'a Context,
    ready: &Ready,
    name: &str,
    volume: &Value,
) -> Result<(&'a dyn VolumeSnapshotter, String), String> {
    let snapshotter = context.snapshotters.of_volume(volume).ok_or_else(|| {
        let known = context.snapshotters.names();
        format!("no snapshotter knows the kind of volume of {name} (there are: {known})")
    })?;
    let id = snapshotter.volume_id(volume, &ready.nodes).map_err(|error| chain(&error))?;
    Ok((snapshotter, id))
}

/// What of a persistent volume its successor gets.
pub(super) fn info(volume: &Value) -> PersistentVolumeInfo {
    let policy = volume.pointer("/spec/persistentVolumeReclaimPolicy").and_then(Value::as_str);
    let labels = volume.pointer("/metadata/labels").and_then(Value::as_object).map(|labels| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        labels.iter().map(|(key, value)| (key.clone(), text(value))).collect::<BTreeMap<_, _>>()
    });
    PersistentVolumeInfo { reclaim_policy: policy.unwrap_or("Retain").to_owned(), labels }
}

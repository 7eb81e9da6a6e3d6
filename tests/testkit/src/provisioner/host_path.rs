//! Volumes that are directories of this host.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::PersistentVolume;
use serde_json::{Value, json};

use super::objects::{affinity, persistent_volume};
use super::worker::Order;

/// The name that classes and annotations know it by.
pub const NAME: &str = "testkit.bowline.test/hostpath";

/// What ties a directory to this host.
const LABELS: [&str; 2] = ["topology.kubernetes.io/zone", "kubernetes.io/hostname"];

/// Makes a directory; returns its path, and its object.
pub(super) fn make(volumes: &Path, order: &Order) -> Result<(String, Value)> {
    let path = volumes.join(&order.name);
    fs::create_dir_all(&path)?;
    let mut object = persistent_volume(order, NAME, "Retain", &affinity(&order.node, &LABELS));
    object["spec"]["hostPath"] = json!({ "path": path, "type": "DirectoryOrCreate" });
    Ok((path.display().to_string(), object))
}

/// Removes a volume's directory, if it is still there.
pub(super) fn remove(volume: &PersistentVolume) -> Result<()> {
    fs::remove_dir_all(host_path(volume).context("not a host path")?).ok();
    Ok(())
}

/// The directory of a host path volume.
pub(crate) fn host_path(volume: &PersistentVolume) -> Option<PathBuf> {
    Some(volume.spec.as_ref()?.host_path.as_ref()?.path.clone().into())
}

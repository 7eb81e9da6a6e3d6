//! The files on the lab's volumes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

use super::{CLAIMS, NAMESPACE, Tree, read_tree, write_tree};
use crate::ControlPlane;
use crate::provisioner::host_path;

/// The directory behind each bound claim of a namespace, by the claim's name.
pub async fn volumes(client: &Client, namespace: &str) -> Result<BTreeMap<String, PathBuf>> {
    of_bound_claims(client, namespace, host_path).await
}

/// The CSI handle behind each bound claim of a namespace, by the claim's name.
pub async fn handles(client: &Client, namespace: &str) -> Result<BTreeMap<String, String>> {
    let handle =
        |volume: &PersistentVolume| Some(volume.spec.as_ref()?.csi.as_ref()?.volume_handle.clone());
    of_bound_claims(client, namespace, handle).await
}

async fn of_bound_claims<T>(
    client: &Client,
    namespace: &str,
    read: fn(&PersistentVolume) -> Option<T>,
) -> Result<BTreeMap<String, T>> {
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
    let volumes = Api::<PersistentVolume>::all(client.clone());
    let mut found = BTreeMap::new();
    for claim in claims.list(&ListParams::default()).await? {
        let bound = claim.status.iter().any(|status| status.phase.as_deref() == Some("Bound"));
        let name = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_ref());
        if let Some(name) = name.filter(|_| bound) {
            let read = read(&volumes.get(name).await?);
            found
                .insert(claim.name_any(), read.with_context(|| format!("{name} is another kind"))?);
        }
    }
    Ok(found)
}

/// Writes different files to each of the lab's volumes; returns what lies on each, by claim.
pub async fn write_files(cluster: &ControlPlane) -> Result<BTreeMap<String, Tree>> {
    let directories = volumes(&cluster.client().await?, NAMESPACE).await?;
    let mut trees = BTreeMap::new();
    for claim in CLAIMS {
        let path = directories.get(claim).with_context(|| format!("{claim} is not bound"))?;
        write_tree(path, claim)?;
        trees.insert(claim.to_owned(), read_tree(path)?);
    }
    Ok(trees)
}

/// Reads what lies on the volume of each bound claim of a namespace.
pub async fn read_files(cluster: &ControlPlane, namespace: &str) -> Result<BTreeMap<String, Tree>> {
    let directories = volumes(&cluster.client().await?, namespace).await?;
    directories.into_iter().map(|(claim, path)| Ok((claim, read_tree(&path)?))).collect()
}

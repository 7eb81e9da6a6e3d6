//! Volumes in EC2, made and removed as the EBS CSI driver and its sidecars do it.
//!
//! The names of parameters and tags are those of `docs/parameters.md` and `docs/tagging.md` of
//! kubernetes-sigs/aws-ebs-csi-driver.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::PersistentVolume;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::objects::{affinity, persistent_volume};
use super::worker::Order;
use crate::cloud::{Ec2, NewVolume, Tags};

/// The driver's name, which classes, volumes and annotations know it by.
pub const DRIVER: &str = "ebs.csi.aws.com";
/// The label of nodes, and the key of volumes' affinity.
pub(crate) const ZONE_LABEL: &str = "topology.ebs.csi.aws.com/zone";

/// The tag without which AWS' policies let the driver do nothing with a volume.
const OWNED: &str = "ebs.csi.aws.com/cluster";
const FS_TYPE: &str = "csi.storage.k8s.io/fstype";

/// Makes a volume, unless it was made before; returns its id, and its object.
pub(super) async fn make(ec2: &Ec2, order: &Order) -> Result<(String, Value)> {
    let parameters = order.class.parameters.clone().unwrap_or_default();
    let wanted = wanted(order, &parameters)?;
    let is_made = |tags: &Tags| tags.get("CSIVolumeName") == Some(&order.name);
    let made = ec2.volumes().await?.into_iter().find(|volume| is_made(&volume.tags));
    let volume = match made {
        Some(volume) => volume,
        None => ec2.create_volume(&wanted).await?,
    };
    let policy = order.class.reclaim_policy.as_deref().unwrap_or("Delete");
    let affinity = affinity(&order.node, &[ZONE_LABEL]);
    let mut object = persistent_volume(order, DRIVER, policy, &affinity);
    object["spec"]["capacity"] = json!({ "storage": format!("{}Gi", volume.size) });
    object["spec"]["csi"] = json!({
        "driver": DRIVER,
        "volumeHandle": volume.id,
        "fsType": parameters.get(FS_TYPE).map_or("ext4", String::as_str),
        "volumeAttributes": { "storage.kubernetes.io/csiProvisionerIdentity": "testkit" },
    });
    Ok((volume.id, object))
}

/// Deletes a volume, if it is still there. It must carry the driver's tag.
pub(super) async fn remove(ec2: &Ec2, volume: &PersistentVolume) -> Result<()> {
    let csi = volume.spec.as_ref().and_then(|spec| spec.csi.as_ref());
    let id = &csi.context("not a CSI volume")?.volume_handle;
    if let Some(found) = ec2.volumes().await?.into_iter().find(|one| one.id == *id) {
        let owned = found.tags.get(OWNED).is_some_and(|value| value == "true");
        ensure!(owned, "{id} has no tag {OWNED}");
        ec2.delete_volume(id).await?;
    }
    Ok(())
}

fn wanted(order: &Order, parameters: &BTreeMap<String, String>) -> Result<NewVolume> {
    let number = |name| parameters.get(name).map(|text: &String| text.parse()).transpose();
    let zone = order.node.labels().get(ZONE_LABEL).context("a node without zone")?;
    Ok(NewVolume {
        kind: parameters.get("type").map_or("gp3", String::as_str).to_owned(),
        size: size(order)?,
        iops: number("iops")?,
        throughput: number("throughput")?,
        encrypted: parameters.get("encrypted").is_some_and(|value| value == "true"),
        kms_key: parameters.get("kmsKeyId").cloned(),
        zone: zone.clone(),
        tags: tags(order),
    })
}

fn tags(order: &Order) -> Tags {
    let claim = &order.claim;
    let created_for = |what: &str| format!("kubernetes.io/created-for/{what}");
    Tags::from([
        (OWNED.to_owned(), "true".to_owned()),
        ("CSIVolumeName".to_owned(), order.name.clone()),
        (created_for("pv/name"), order.name.clone()),
        (created_for("pvc/name"), claim.name_any()),
        (created_for("pvc/namespace"), claim.namespace().unwrap_or_default()),
    ])
}

/// The size that the claim asks for, in GiB, rounded up.
fn size(order: &Order) -> Result<u32> {
    let spec = order.claim.spec.as_ref();
    let requests = spec.and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    let Quantity(text) =
        requests.and_then(|requests| requests.get("storage")).context("no size")?;
    gibibytes(text).with_context(|| format!("not a size: {text}"))
}

/// A quantity with a binary suffix, as claims have it.
fn gibibytes(text: &str) -> Option<u32> {
    let split = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(split);
    let unit: u64 = match suffix {
        "" => 1,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    let bytes = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    u32::try_from(bytes.div_ceil(1 << 30)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_rounded_up_to_whole_gibibytes() {
        let sizes = ["1Gi", "1025Mi", "2Ti", "1073741825", "10"].map(gibibytes);
        assert_eq!(sizes, [Some(1), Some(2), Some(2048), Some(2), Some(1)]);
        assert_eq!(gibibytes("1.5Gi"), None);
    }
}

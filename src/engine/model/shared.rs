//! File systems that many nodes, and often many clusters, use at once.
//!
//! Their data is not in the volume alone: it is in a service that goes on without the cluster. A
//! backup records how they are reached, and a restore attaches the very same.

use serde_json::Value;

use super::policy::VolumeType;

/// A shared file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedFileSystem {
    /// What it is called.
    pub name: &'static str,
    /// Why no snapshot of it is taken.
    pub reason: &'static str,
}

const PROTOCOL: &str = "its protocol knows no snapshots";
const WITHIN: &str = "its snapshots are kept within it and go with it";
const WHOLE: &str = "its backups are of whole file systems, and its service makes them";
const NONE: &str = "it has no snapshots";
const BUCKET: &str = "its objects lie in a bucket, which has no snapshots";

/// CSI drivers. One that begins with a dot stands for all that end so: their operators put a
/// namespace or a protocol in front.
const DRIVERS: [(&str, &str, &str); 24] = [
    ("efs.csi.aws.com", "Amazon EFS", NONE),
    ("fsx.csi.aws.com", "Amazon FSx for Lustre", WHOLE),
    ("fsx.openzfs.csi.aws.com", "Amazon FSx for OpenZFS", WITHIN),
    ("s3.csi.aws.com", "Amazon S3", BUCKET),
    ("file.csi.azure.com", "Azure Files", WITHIN),
    ("blob.csi.azure.com", "Azure Blob Storage", BUCKET),
    ("azurelustre.csi.azure.com", "Azure Managed Lustre", WHOLE),
    ("filestore.csi.storage.gke.io", "Google Filestore", WHOLE),
    ("lustre.csi.storage.gke.io", "Google Managed Lustre", WHOLE),
    ("gcsfuse.csi.storage.gke.io", "Google Cloud Storage", BUCKET),
    ("nasplugin.csi.alibabacloud.com", "Alibaba Cloud NAS", WHOLE),
    ("ossplugin.csi.alibabacloud.com", "Alibaba Cloud OSS", BUCKET),
    ("manila.csi.openstack.org", "OpenStack Manila", WITHIN),
    (".manila.csi.openstack.org", "OpenStack Manila", WITHIN),
    ("cephfs.csi.ceph.com", "CephFS", WITHIN),
    (".cephfs.csi.ceph.com", "CephFS", WITHIN),
    ("nfs.csi.ceph.com", "NFS", PROTOCOL),
    (".nfs.csi.ceph.com", "NFS", PROTOCOL),
    ("nfs.csi.k8s.io", "NFS", PROTOCOL),
    ("smb.csi.k8s.io", "SMB", PROTOCOL),
    ("csi.juicefs.com", "JuiceFS", WITHIN),
    ("spectrumscale.csi.ibm.com", "IBM Storage Scale", WITHIN),
    ("beegfs.csi.netapp.com", "BeeGFS", NONE),
    ("seaweedfs-csi-driver", "SeaweedFS", NONE),
];

/// Types of volumes that Kubernetes knows, or knew, without a driver.
const TYPES: [(&str, &str, &str); 5] = [
    ("nfs", "NFS", PROTOCOL),
    ("azureFile", "Azure Files", WITHIN),
    ("cephfs", "CephFS", WITHIN),
    ("glusterfs", "GlusterFS", WITHIN),
    ("quobyte", "Quobyte", WITHIN),
];

/// The shared file system that a persistent volume is in; none if it is in none.
pub fn file_system(volume: &Value) -> Option<SharedFileSystem> {
    let kind = VolumeType::of(volume)?.name();
    let driver = volume.pointer("/spec/csi/driver").and_then(Value::as_str).unwrap_or_default();
    let is = |known: &str| driver == known || (known.starts_with('.') && driver.ends_with(known));
    let found = if kind == "csi" {
        DRIVERS.iter().find(|(known, ..)| is(known))
    } else {
        TYPES.iter().find(|(known, ..)| *known == kind)
    };
    found.map(|(_, name, reason)| SharedFileSystem { name, reason })
}

/// How a persistent volume is reached: what a restore that attaches the very same goes by.
pub fn handle(volume: &Value) -> Option<String> {
    let text = |pointer: &str| volume.pointer(pointer).and_then(Value::as_str);
    let pair = |first: &str, second: &str| Some(format!("{}:{}", text(first)?, text(second)?));
    text("/spec/csi/volumeHandle")
        .map(ToOwned::to_owned)
        .or_else(|| pair("/spec/nfs/server", "/spec/nfs/path"))
        .or_else(|| pair("/spec/azureFile/secretName", "/spec/azureFile/shareName"))
        .or_else(|| pair("/spec/glusterfs/endpoints", "/spec/glusterfs/path"))
        .or_else(|| pair("/spec/quobyte/registry", "/spec/quobyte/volume"))
        .or_else(|| text("/spec/awsElasticBlockStore/volumeID").map(ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn of_driver(driver: &str) -> Option<&'static str> {
        let volume = json!({"spec": {"csi": {"driver": driver, "volumeHandle": "h"}}});
        file_system(&volume).map(|it| it.name)
    }

    #[test]
    fn a_driver_is_known_by_its_whole_name_or_by_its_end_where_operators_put_something_in_front() {
        for (driver, expected) in [
            ("efs.csi.aws.com", Some("Amazon EFS")),
            ("fsx.openzfs.csi.aws.com", Some("Amazon FSx for OpenZFS")),
            ("rook-ceph.cephfs.csi.ceph.com", Some("CephFS")),
            ("cephfs.manila.csi.openstack.org", Some("OpenStack Manila")),
            ("rook-ceph.rbd.csi.ceph.com", None),
            ("ebs.csi.aws.com", None),
            ("xefs.csi.aws.com", None),
            ("", None),
        ] {
            assert_eq!(of_driver(driver), expected, "{driver}");
        }
        let names: BTreeSet<_> = DRIVERS.iter().map(|(driver, ..)| driver).collect();
        assert_eq!(names.len(), DRIVERS.len());
    }

    #[test]
    fn a_type_of_kubernetes_own_is_known_by_its_field() {
        for (spec, name, expected) in [
            (
                json!({"nfs": {"server": "10.0.0.1", "path": "/a"}}),
                Some("NFS"),
                Some("10.0.0.1:/a"),
            ),
            (
                json!({"azureFile": {"secretName": "s", "shareName": "x"}}),
                Some("Azure Files"),
                Some("s:x"),
            ),
            (json!({"cephfs": {"monitors": ["a"]}}), Some("CephFS"), None),
            (json!({"hostPath": {"path": "/a"}}), None, None),
        ] {
            let volume = json!({ "spec": spec });
            assert_eq!(file_system(&volume).map(|it| it.name), name, "{volume}");
            assert_eq!(handle(&volume).as_deref(), expected, "{volume}");
        }
    }
}

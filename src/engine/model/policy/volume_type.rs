//! The types of volumes, by Velero's names for them.

use serde_json::Value;

use crate::engine::model::filter::closest;

/// The types that Velero knows: the fields of a volume's specification that say where it is.
///
/// Some are of pods only, and no volume of a claim is of such a type; a policy may name them, since
/// it may be one that Velero follows, too.
const NAMES: [&str; 30] = [
    "awsAzureDisk",
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "projected",
    "quobyte",
    "rbd",
    "scaleIO",
    "secret",
    "storageOS",
    "vsphereVolume",
];

/// A type of volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeType(&'static str);

impl VolumeType {
    /// The type of this name, spelt exactly so.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.into_iter().find(|it| *it == name).map(Self)
    }

    /// The name that was perhaps meant.
    pub fn suggestion(name: &str) -> Option<&'static str> {
        let same = NAMES.into_iter().find(|it| it.eq_ignore_ascii_case(name));
        same.or_else(|| closest(name, NAMES))
    }

    /// The type of a persistent volume; none if it is of no known one.
    pub fn of(persistent_volume: &Value) -> Option<Self> {
        let spec = persistent_volume.get("spec")?;
        NAMES.into_iter().find(|name| spec.get(name).is_some_and(Value::is_object)).map(Self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// The names of all types.
pub(super) fn names() -> String {
    NAMES.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_type_of_a_volume_is_the_field_that_says_where_it_is() {
        let volume = json!({"spec": {"capacity": {"storage": "1Gi"}, "nfs": {"server": "a"}}});
        assert_eq!(VolumeType::of(&volume), VolumeType::named("nfs"));
        assert_eq!(VolumeType::of(&json!({"spec": {"capacity": {}}})), None);
    }

    #[test]
    fn what_was_perhaps_meant_is_found_whatever_its_capitals() {
        assert_eq!(VolumeType::suggestion("DOWNWARDAPI"), Some("downwardAPI"));
        assert_eq!(VolumeType::suggestion("nfss"), Some("nfs"));
        assert_eq!(VolumeType::suggestion("something"), None);
    }
}

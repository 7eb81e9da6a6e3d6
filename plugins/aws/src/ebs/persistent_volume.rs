//! What a persistent volume says about its EBS volume: pure.

use bowline_api::{SnapshotterError, Volume};
use serde_json::Value;

use super::ids;

const DRIVER: &str = "ebs.csi.aws.com";

/// The field of a volume that the in-tree plugin made, as `spec` has it.
const IN_TREE: &str = "awsElasticBlockStore";

/// The keys of labels and node affinity that hold a zone.
const ZONE_KEYS: [&str; 3] = [
    "topology.ebs.csi.aws.com/zone",
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/zone",
];

/// Those that hold a region.
const REGION_KEYS: [&str; 2] =
    ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"];

/// Tells whether the volume is one of EBS.
pub(super) fn is_ebs(persistent_volume: &Value) -> bool {
    handle(persistent_volume).is_some()
}

/// The volume's name in the form that its plugin wants it.
fn handle(persistent_volume: &Value) -> Option<&Value> {
    let spec = &persistent_volume["spec"];
    if spec["csi"]["driver"] == DRIVER {
        return Some(&spec["csi"]["volumeHandle"]);
    }
    spec[IN_TREE].is_object().then(|| &spec[IN_TREE]["volumeID"])
}

/// The EBS volume: `vol-1`, also in `aws://eu-west-1a/vol-1`.
pub(super) fn volume_id(persistent_volume: &Value) -> Result<String, SnapshotterError> {
    let handle = handle(persistent_volume).ok_or_else(|| not_ebs(persistent_volume))?;
    let text = handle.as_str().unwrap_or_default();
    let id = text.rsplit('/').next().unwrap_or_default();
    if ids::is_volume(id) {
        return Ok(id.to_owned());
    }
    let reason = format!("it names no EBS volume but \"{text}\"");
    Err(SnapshotterError::Refused { what: named(persistent_volume), reason })
}

/// Points a persistent volume to another EBS volume, and to its zone where that is known.
pub(super) fn set_volume(
    persistent_volume: &mut Value,
    volume: &Volume,
) -> Result<(), SnapshotterError> {
    ids::check_volume(&volume.id)?;
    if !is_ebs(persistent_volume) {
        return Err(not_ebs(persistent_volume));
    }
    set_handle(&mut persistent_volume["spec"], volume);
    if let Some(zone) = &volume.zone {
        set_topology(persistent_volume, &ZONE_KEYS, zone);
        set_topology(persistent_volume, &REGION_KEYS, region_of(zone));
    }
    Ok(())
}

fn set_handle(spec: &mut Value, volume: &Volume) {
    if spec["csi"]["driver"] == DRIVER {
        spec["csi"]["volumeHandle"] = volume.id.as_str().into();
        return;
    }
    let handle = &mut spec[IN_TREE]["volumeID"];
    let before = handle.as_str().and_then(|handle| handle.rsplit_once('/'));
    *handle = match (&volume.zone, before) {
        (Some(zone), _) => format!("aws://{zone}/{}", volume.id).into(),
        (None, Some((place, _))) => format!("{place}/{}", volume.id).into(),
        (None, None) => volume.id.as_str().into(),
    };
}

/// Sets the value of such keys wherever there are any.
fn set_topology(persistent_volume: &mut Value, keys: &[&str], place: &str) {
    for key in keys {
        let labels = persistent_volume.pointer_mut("/metadata/labels");
        if let Some(label) = labels.and_then(|labels| labels.get_mut(*key)) {
            *label = place.into();
        }
    }
    let terms = persistent_volume.pointer_mut("/spec/nodeAffinity/required/nodeSelectorTerms");
    for term in items(terms) {
        for rule in items(term.get_mut("matchExpressions")) {
            let ours = rule["key"].as_str().is_some_and(|key| keys.contains(&key));
            if ours && rule["operator"] == "In" {
                rule["values"] = [place].as_slice().into();
            }
        }
    }
}

fn items(list: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    list.and_then(Value::as_array_mut).into_iter().flatten()
}

/// The region of a zone: `us-west-2` of `us-west-2a` and of the local zone `us-west-2-lax-1a`.
fn region_of(zone: &str) -> &str {
    let number = zone.find(|letter: char| letter.is_ascii_digit()).unwrap_or(zone.len());
    let digits = zone[number..].find(|letter: char| !letter.is_ascii_digit());
    digits.map_or(zone, |digits| &zone[..number + digits])
}

fn named(persistent_volume: &Value) -> String {
    let name = persistent_volume["metadata"]["name"].as_str().unwrap_or_default();
    format!("persistent volume {name}")
}

fn not_ebs(persistent_volume: &Value) -> SnapshotterError {
    let reason = "it is no EBS volume".to_owned();
    SnapshotterError::Refused { what: named(persistent_volume), reason }
}

#[cfg(test)]
mod tests {
    use bowline_api::VolumeState;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn csi(handle: &str) -> Value {
        json!({"metadata": {"name": "pv-1"}, "spec": {
            "csi": {"driver": DRIVER, "volumeHandle": handle, "fsType": "ext4"},
        }})
    }

    fn in_tree(handle: &str) -> Value {
        json!({"metadata": {"name": "pv-1"}, "spec": {
            "awsElasticBlockStore": {"volumeID": handle, "fsType": "ext4"},
        }})
    }

    fn available(id: &str, zone: Option<&str>) -> Volume {
        let zone = zone.map(str::to_owned);
        Volume { id: id.to_owned(), state: VolumeState::Available, zone }
    }

    #[test]
    fn volumes_of_ebs_are_taken_and_others_are_not() {
        for volume in [csi("vol-1"), in_tree("vol-1"), csi("")] {
            assert!(is_ebs(&volume), "{volume}");
        }
        for spec in [
            json!({}),
            json!({"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}}),
            json!({"hostPath": {"path": "/data"}}),
        ] {
            assert!(!is_ebs(&json!({"spec": spec})), "{spec}");
        }
    }

    #[test]
    fn the_volume_is_read_from_every_form_of_handle() {
        for volume in [
            csi("vol-049df61146c4d7901"),
            in_tree("vol-049df61146c4d7901"),
            in_tree("aws://eu-west-1a/vol-049df61146c4d7901"),
            in_tree("aws:///vol-049df61146c4d7901"),
        ] {
            assert_eq!(volume_id(&volume).unwrap(), "vol-049df61146c4d7901");
        }
    }

    /// <https://github.com/vmware-tanzu/velero/issues/5155>: no id, no snapshot, no error.
    #[test]
    fn a_handle_without_a_volume_is_refused() {
        for handle in ["", "vol-", "data", "vol-*", "aws://eu-west-1a/", "vol-12/x", "vol-12 "] {
            for volume in [csi(handle), in_tree(handle)] {
                let error = volume_id(&volume).unwrap_err();
                assert!(matches!(error, SnapshotterError::Refused { .. }), "{error:?}");
            }
        }
    }

    #[test]
    fn an_in_tree_volume_says_its_zone() {
        let mut volume = in_tree("vol-1");
        set_volume(&mut volume, &available("vol-2", Some("eu-west-1b"))).unwrap();
        assert_eq!(volume, in_tree("aws://eu-west-1b/vol-2"));
        set_volume(&mut volume, &available("vol-3", None)).unwrap();
        assert_eq!(volume, in_tree("aws://eu-west-1b/vol-3"));
    }

    fn placed(zone: &str, region: &str, id: &str) -> Value {
        json!({
            "metadata": {"name": "pv-1", "labels": {
                "topology.kubernetes.io/zone": zone,
                "failure-domain.beta.kubernetes.io/region": region,
                "app": "db",
            }},
            "spec": {
                "csi": {"driver": DRIVER, "volumeHandle": id},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": [zone]},
                    {"key": "topology.kubernetes.io/region", "operator": "In", "values": [region]},
                    {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
                    {"key": "topology.kubernetes.io/zone", "operator": "Exists"},
                ]}]}},
            },
        })
    }

    #[test]
    fn a_volume_in_another_region_takes_its_affinity_and_labels_along() {
        let mut volume = placed("us-east-1a", "us-east-1", "vol-1");
        set_volume(&mut volume, &available("vol-2", Some("us-gov-west-1b"))).unwrap();
        assert_eq!(volume, placed("us-gov-west-1b", "us-gov-west-1", "vol-2"));
    }

    #[test]
    fn the_region_of_a_zone_is_its_beginning() {
        for (zone, region) in [
            ("eu-west-1a", "eu-west-1"),
            ("us-west-2-lax-1a", "us-west-2"),
            ("us-east-1-wl1-bos-wlz-1", "us-east-1"),
            ("us-gov-west-1c", "us-gov-west-1"),
            ("odd", "odd"),
        ] {
            assert_eq!(region_of(zone), region);
        }
    }

    proptest! {
        #[test]
        fn setting_back_gives_the_same_object(
            zones in proptest::collection::vec("(eu-west-1|us-east-2)[a-c]", 2),
            ids in proptest::collection::vec("vol-[0-9a-f]{8,17}", 2),
            zoned in any::<bool>(),
            is_csi in any::<bool>(),
        ) {
            let mut original = placed(&zones[0], region_of(&zones[0]), &ids[0]);
            if !is_csi {
                let spec = original["spec"].as_object_mut().unwrap();
                spec.remove("csi");
                let handle = format!("aws://{}/{}", zones[0], ids[0]);
                spec.insert(IN_TREE.to_owned(), json!({"volumeID": handle, "partition": 1}));
            }
            let zone = |number: usize| zoned.then(|| zones[number].as_str());
            let mut moved = original.clone();
            set_volume(&mut moved, &available(&ids[1], zone(1))).unwrap();
            prop_assert_eq!(volume_id(&moved).unwrap(), ids[1].as_str());
            set_volume(&mut moved, &available(&ids[0], zone(0))).unwrap();
            prop_assert_eq!(moved, original);
        }
    }

    #[test]
    fn an_object_that_is_no_ebs_volume_is_left_alone() {
        let nfs = json!({"metadata": {"name": "pv-1"}, "spec": {"nfs": {"path": "/"}}});
        let mut touched = nfs.clone();
        assert!(set_volume(&mut touched, &available("vol-1", None)).is_err());
        assert!(set_volume(&mut csi("vol-1"), &available("/data", None)).is_err());
        assert_eq!(touched, nfs);
    }
}

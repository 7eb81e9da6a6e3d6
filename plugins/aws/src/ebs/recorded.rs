//! What a snapshot's tags say about the volume that it was taken of.
//!
//! A snapshot outlives its volume, and EC2 keeps only size and encryption of it. A backup that was
//! interrupted between the snapshot and its record would else lose the rest.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bowline_api::{Tags, VolumeSpec};
use sha2::{Digest as _, Sha256};

/// The tag that says what the volume was like: `type=gp3 zone=eu-west-1a iops=4000 ...`.
pub(super) const VOLUME: &str = "bowline.io/volume";

/// The tag that says which of the snapshot's tags are the volume's: a digest of each key. The keys
/// themselves would not fit.
pub(super) const VOLUME_TAGS: &str = "bowline.io/volume-tags";

/// The length of a digest in [`VOLUME_TAGS`], of which the most that a volume has fit into a value.
const DIGEST: usize = 4;

/// What EC2 itself tells of a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Described {
    pub(super) size_gib: Option<i64>,
    pub(super) encrypted: Option<bool>,
    pub(super) kms_key_id: Option<String>,
}

/// The tag [`VOLUME`] of a volume.
pub(super) fn write(spec: &VolumeSpec) -> String {
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let fields = [
        ("type", Some(spec.volume_type.clone())),
        ("zone", spec.zone.clone()),
        ("iops", number(spec.iops)),
        ("throughput", number(spec.throughput)),
        ("multi-attach", spec.multi_attach.map(|yes| yes.to_string())),
        ("kms", spec.kms_key_id.clone()),
    ];
    let known = fields.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    known.collect::<Vec<_>>().join(" ")
}

/// The tag [`VOLUME_TAGS`] for the volume's keys among a snapshot's tags.
pub(super) fn write_keys<'a>(keys: impl Iterator<Item = &'a String>) -> String {
    keys.map(|key| digest(key)).collect()
}

/// Reads back what the volume was like. What no tag tells stays unknown.
pub(super) fn read(tags: &Tags, described: Described) -> VolumeSpec {
    let mut spec = VolumeSpec {
        size_gib: described.size_gib,
        encrypted: described.encrypted,
        kms_key_id: described.kms_key_id,
        tags: volume_tags(tags),
        ..VolumeSpec::default()
    };
    let fields = tags.get(VOLUME).map(String::as_str).unwrap_or_default();
    for (name, value) in fields.split(' ').filter_map(|field| field.split_once('=')) {
        match name {
            "type" => value.clone_into(&mut spec.volume_type),
            "zone" => spec.zone = Some(value.to_owned()),
            "iops" => spec.iops = value.parse().ok(),
            "throughput" => spec.throughput = value.parse().ok(),
            "multi-attach" => spec.multi_attach = value.parse().ok(),
            "kms" => spec.kms_key_id = Some(value.to_owned()),
            _ => {}
        }
    }
    spec
}

fn volume_tags(tags: &Tags) -> Tags {
    let digests = tags.get(VOLUME_TAGS).map(String::as_bytes).unwrap_or_default();
    let digests: BTreeSet<&[u8]> = digests.chunks(DIGEST).collect();
    let own = |key: &str| digests.contains(digest(key).as_bytes());
    tags.iter().filter(|(key, _)| own(key)).map(|(key, tag)| (key.clone(), tag.clone())).collect()
}

fn digest(key: &str) -> String {
    let mut digest = URL_SAFE_NO_PAD.encode(Sha256::digest(key));
    digest.truncate(DIGEST);
    digest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn specs() -> impl Strategy<Value = VolumeSpec> {
        let number = || proptest::option::of(0_i64..300_000);
        let tags = proptest::collection::btree_map("[a-zA-Z/._ -]{1,40}", "[ -~]{0,9}", 0..20);
        let zone = proptest::option::of("[a-z]{2}-[a-z]{4,9}-[1-9][a-f]");
        let key = proptest::option::of("arn:aws:kms:eu-west-1:[0-9]{12}:key/[0-9a-f-]{36}");
        let flags = (any::<Option<bool>>(), any::<Option<bool>>());
        ("[a-z]{2}[0-9]", zone, number(), number(), number(), key, flags, tags).prop_map(
            |(volume_type, zone, iops, throughput, size_gib, kms_key_id, flags, tags)| VolumeSpec {
                volume_type,
                zone,
                iops,
                throughput,
                size_gib,
                encrypted: flags.0,
                kms_key_id,
                multi_attach: flags.1,
                tags,
            },
        )
    }

    proptest! {
        #[test]
        fn a_volume_is_read_back_from_the_tags_of_its_snapshot(spec in specs()) {
            let mut tags = spec.tags.clone();
            tags.insert(VOLUME_TAGS.to_owned(), write_keys(spec.tags.keys()));
            tags.insert(VOLUME.to_owned(), write(&spec));
            tags.insert("velero.io/backup".to_owned(), "nightly".to_owned());
            prop_assert!(tags.values().all(|value| value.len() <= 256));
            let described = Described {
                size_gib: spec.size_gib,
                encrypted: spec.encrypted,
                kms_key_id: None,
            };
            prop_assert_eq!(read(&tags, described), spec);
        }
    }

    #[test]
    fn of_a_snapshot_of_others_only_what_ec2_tells_is_known() {
        let tags = [("Name".to_owned(), "x".to_owned())].into();
        let described = Described { size_gib: Some(8), encrypted: Some(true), kms_key_id: None };
        let expected =
            VolumeSpec { size_gib: Some(8), encrypted: Some(true), ..VolumeSpec::default() };
        assert_eq!(read(&tags, described), expected);
    }
}

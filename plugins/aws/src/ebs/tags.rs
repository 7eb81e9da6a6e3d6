//! What snapshots and volumes are tagged with.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bowline_api::{SnapshotRequest, Tags, VolumeRequest, VolumeSpec};
use sha2::{Digest as _, Sha256};

use super::recorded;

/// The tag that holds the token of the request that made something.
pub(super) const TOKEN: &str = "bowline.io/token";

/// The tag of a volume that bowline made: the snapshot that it was made from.
pub(super) const MADE_FROM: &str = "bowline.io/made-from";

/// The tags that EC2 lets a resource have.
const MOST_TAGS: usize = 50;

/// The longest key and value that EC2 takes, in characters.
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// The beginnings of tags that say what something was made for by a backup tool. Copied to something
/// else, they would have it taken for the same: deleting an old backup would take a new snapshot.
const MARKS: [&str; 2] = ["bowline.io/", "velero.io/"];

const CLUSTER: &str = "kubernetes.io/cluster/";
const CLUSTER_NAME: &str = "KubernetesCluster";

/// Reads EC2's list of tags.
pub(super) fn read(tags: Option<&[Tag]>) -> Tags {
    let pair =
        |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    tags.unwrap_or_default().iter().filter_map(pair).collect()
}

/// A volume's own tags: neither AWS's nor a backup tool's.
pub(super) fn of_volume(tags: Option<&[Tag]>) -> Tags {
    let mut tags = read(tags);
    tags.retain(|key, _| is_own(key));
    tags
}

fn is_own(key: &str) -> bool {
    !is_reserved(key) && !MARKS.iter().any(|mark| key.starts_with(mark))
}

/// EC2 sets these itself and takes them from nobody.
fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

/// The tags of a snapshot: what the request says, the token, and the volume's as far as they fit.
pub(super) fn of_snapshot(request: &SnapshotRequest, volume: &VolumeSpec) -> Tags {
    let mut tags = vec![
        (TOKEN.to_owned(), request.token.clone()),
        (recorded::VOLUME.to_owned(), recorded::write(volume)),
    ];
    tags.extend(by_importance(&request.tags));
    // One is left for the list of the volume's.
    let mut tags = fit(tags, MOST_TAGS - 1);
    let room = MOST_TAGS - 1 - tags.len();
    let own = |key: &str| is_own(key) && !tags.contains_key(key);
    let kept = volume.tags.iter().filter(|(key, _)| own(key)).take(room);
    let kept: Tags = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    if !kept.is_empty() {
        tags.insert(recorded::VOLUME_TAGS.to_owned(), recorded::write_keys(kept.keys()));
    }
    tags.extend(kept);
    tags
}

/// The tags of a volume: whose it is first, then the request's, then those that the source had.
pub(super) fn made_volume(request: &VolumeRequest, cluster_name: Option<&str>) -> Tags {
    let mut tags = vec![
        (TOKEN.to_owned(), request.token.clone()),
        (MADE_FROM.to_owned(), request.snapshot_id.clone()),
    ];
    tags.extend(drivers(request));
    let mut source = request.spec.tags.clone();
    source.retain(|key, _| is_own(key));
    if cluster_name.is_some() || !request.same_cluster {
        tags.extend(of_cluster(&mut source, cluster_name));
    }
    tags.extend(by_importance(&request.tags));
    tags.extend(source);
    fit(tags, MOST_TAGS)
}

/// The tags by which the CSI driver knows its volumes. AWS's managed policy lets it touch no other.
fn drivers(request: &VolumeRequest) -> Vec<(String, String)> {
    let (namespace, claim) = request.claim.split_once('/').unwrap_or(("", &request.claim));
    let pairs = [
        ("ebs.csi.aws.com/cluster", "true"),
        ("CSIVolumeName", &request.persistent_volume),
        ("kubernetes.io/created-for/pv/name", &request.persistent_volume),
        ("kubernetes.io/created-for/pvc/name", claim),
        ("kubernetes.io/created-for/pvc/namespace", namespace),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// Takes the tags of the source's cluster away, and gives those of the target's, if its name is known.
fn of_cluster(source: &mut Tags, name: Option<&str>) -> Vec<(String, String)> {
    source.retain(|key, _| !key.starts_with(CLUSTER));
    let had_name = source.remove(CLUSTER_NAME).is_some();
    let Some(name) = name else { return Vec::new() };
    let mut tags = vec![(format!("{CLUSTER}{name}"), "owned".to_owned())];
    if had_name {
        tags.push((CLUSTER_NAME.to_owned(), name.to_owned()));
    }
    tags
}

/// A backup tool's marks, by which things are found again, before labels of the user's.
fn by_importance(tags: &Tags) -> impl Iterator<Item = (String, String)> {
    let (marks, others): (Vec<_>, Vec<_>) = tags
        .clone()
        .into_iter()
        .filter(|(key, _)| !is_reserved(key))
        .partition(|(key, _)| !is_own(key));
    marks.into_iter().chain(others)
}

/// The first so many tags, each within EC2's limits; of two with one key the first.
fn fit(tags: Vec<(String, String)>, most: usize) -> Tags {
    let mut fitting = Tags::new();
    for (key, value) in tags {
        let key = shorten(&key, LONGEST_KEY);
        if fitting.len() < most && !fitting.contains_key(&key) {
            fitting.insert(key, fit_value(&value));
        }
    }
    fitting
}

/// A value within EC2's limit, the same for the same value.
pub(super) fn fit_value(value: &str) -> String {
    shorten(value, LONGEST_VALUE)
}

/// A text of at most so many characters. One that is cut ends in a digest of the whole.
fn shorten(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..9]);
    let kept: String = text.chars().take(longest - digest.len() - 1).collect();
    format!("{kept}-{digest}")
}

/// Asks for all that carry one of these values of a tag. They are taken literally.
pub(super) fn is_one_of(key: &str, values: impl IntoIterator<Item = impl AsRef<str>>) -> Filter {
    let values = values.into_iter().map(|value| escape(value.as_ref())).collect();
    Filter::builder().name(format!("tag:{key}")).set_values(Some(values)).build()
}

/// Asks for all that carry a tag, whatever its value.
pub(super) fn has_key(key: &str) -> Filter {
    Filter::builder().name("tag-key").values(escape(key)).build()
}

/// In the values of a filter `*` and `?` are wildcards.
fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('*', r"\*").replace('?', r"\?")
}

/// Tags in the form that creations take.
pub(super) fn specification(resource: ResourceType, tags: &Tags) -> TagSpecification {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder().resource_type(resource).set_tags(Some(tags.collect())).build()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn volume(tags: Tags) -> VolumeSpec {
        VolumeSpec { volume_type: "gp3".to_owned(), tags, ..VolumeSpec::default() }
    }

    fn snapshot_request(tags: Tags) -> SnapshotRequest {
        SnapshotRequest { volume_id: "vol-1".to_owned(), token: "token".to_owned(), tags }
    }

    fn volume_request(own: Tags, source: Tags) -> VolumeRequest {
        VolumeRequest {
            same_cluster: true,
            snapshot_id: "snap-1".to_owned(),
            source_volume_id: "vol-1".to_owned(),
            persistent_volume: "pv-1".to_owned(),
            claim: "shop/data".to_owned(),
            token: "token".to_owned(),
            tags: own,
            spec: volume(source),
            nodes: [].into(),
        }
    }

    #[test]
    fn a_volumes_own_tags_are_neither_amazons_nor_a_backups() {
        let all = [
            ("Name", "db"),
            ("aws:cloudformation:stack-id", "x"),
            ("AWS:x", "x"),
            ("velero.io/backup", "old"),
            ("bowline.io/token", "old"),
            ("awsome", "y"),
        ];
        let all: Vec<Tag> =
            all.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
        assert_eq!(of_volume(Some(&all)), tags(&[("Name", "db"), ("awsome", "y")]));
    }

    #[test]
    fn on_a_snapshot_the_requests_tags_go_before_the_volumes() {
        let request = snapshot_request(tags(&[("team", "new"), ("velero.io/backup", "b")]));
        let made = of_snapshot(&request, &volume(tags(&[("team", "old"), ("Name", "db")])));
        let expected =
            [("team", "new"), ("velero.io/backup", "b"), ("Name", "db"), (TOKEN, "token")];
        for (key, value) in expected {
            assert_eq!(made.get(key).map(String::as_str), Some(value), "{key}");
        }
    }

    #[test]
    fn a_made_volume_carries_the_drivers_tags_and_keeps_its_name() {
        let own = tags(&[("bowline.io/restore-uid", "uid"), ("velero.io/pv", "pv-0")]);
        let source = tags(&[
            ("Name", "db"),
            ("CSIVolumeName", "pv-0"),
            ("kubernetes.io/cluster/east", "owned"),
            ("KubernetesCluster", "east"),
            ("velero.io/backup", "older"),
        ]);
        let expected = tags(&[
            (TOKEN, "token"),
            (MADE_FROM, "snap-1"),
            ("bowline.io/restore-uid", "uid"),
            ("velero.io/pv", "pv-0"),
            ("Name", "db"),
            ("ebs.csi.aws.com/cluster", "true"),
            ("CSIVolumeName", "pv-1"),
            ("kubernetes.io/created-for/pv/name", "pv-1"),
            ("kubernetes.io/created-for/pvc/name", "data"),
            ("kubernetes.io/created-for/pvc/namespace", "shop"),
        ]);
        let request = volume_request(own, source);
        let mut as_is = expected.clone();
        as_is.extend(tags(&[("kubernetes.io/cluster/east", "owned"), (CLUSTER_NAME, "east")]));
        assert_eq!(made_volume(&request, None), as_is);
        let elsewhere = VolumeRequest { same_cluster: false, ..request.clone() };
        assert_eq!(made_volume(&elsewhere, None), expected, "it is not the old cluster's");
        let mut moved = expected;
        moved.extend(tags(&[("kubernetes.io/cluster/west", "owned"), (CLUSTER_NAME, "west")]));
        assert_eq!(made_volume(&request, Some("west")), moved);
        assert_eq!(made_volume(&elsewhere, Some("west")), moved);
    }

    #[test]
    fn without_a_cluster_tag_at_the_source_only_the_owned_one_is_set() {
        let made = made_volume(&volume_request(Tags::new(), Tags::new()), Some("west"));
        assert_eq!(made.get("kubernetes.io/cluster/west").map(String::as_str), Some("owned"));
        assert!(!made.contains_key(CLUSTER_NAME));
    }

    fn of_a_volume() -> impl Strategy<Value = Tags> {
        proptest::collection::btree_map("([a-z]{1,6}|aws:[a-z]{1,5})", "[a-zß]{0,9}", 0..50)
    }

    fn many() -> impl Strategy<Value = Tags> {
        let keys = prop_oneof![
            "[a-z]{1,6}",
            "velero.io/[a-z]{1,3}",
            "[a-z.]{100,200}/[a-zß]{1,60}",
            "aws:[a-z]{1,5}"
        ];
        proptest::collection::btree_map(keys, "([a-zß]{0,9}|[a-zß]{250,260})", 0..70)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_is_asked_for_fits_and_the_marks_win(own in many(), source in of_a_volume()) {
            let snapshot = of_snapshot(&snapshot_request(own.clone()), &volume(source.clone()));
            let made = made_volume(&volume_request(own.clone(), source), Some("west"));
            for tags in [&snapshot, &made] {
                prop_assert!(tags.len() <= MOST_TAGS);
                prop_assert_eq!(tags.get(TOKEN).map(String::as_str), Some("token"));
                for (key, value) in tags {
                    prop_assert!(key.chars().count() <= LONGEST_KEY && !is_reserved(key));
                    prop_assert!(value.chars().count() <= LONGEST_VALUE);
                }
                let marks = own.iter().filter(|(key, _)| key.starts_with("velero.io/"));
                for (key, value) in marks.take(30) {
                    prop_assert_eq!(tags.get(key), Some(&fit_value(value)));
                }
            }
        }
    }

    #[test]
    fn a_filter_takes_values_literally() {
        let filter = is_one_of("team", [r"a*b?c\d"]);
        assert_eq!(
            (filter.name(), filter.values()),
            (Some("tag:team"), &[r"a\*b\?c\\d".to_owned()][..])
        );
    }

    #[test]
    fn values_that_are_cut_stay_different() {
        let (one, two) = ("x".repeat(300), "x".repeat(301));
        assert_eq!(fit_value(&one).chars().count(), LONGEST_VALUE);
        assert_ne!(fit_value(&one), fit_value(&two));
        assert_eq!(fit_value(&one), fit_value(&one));
        assert_eq!(fit_value("short"), "short");
    }
}

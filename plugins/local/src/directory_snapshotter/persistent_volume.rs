//! What a persistent volume says about where its directory is.

use std::collections::BTreeSet;

use serde_json::Value;

/// The label by which a node names its host.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// The field of a persistent volume's `spec` that names the directory.
const SOURCES: [&str; 2] = ["hostPath", "local"];

/// Tells whether the volume is a directory of some host.
pub(super) fn is_directory(persistent_volume: &Value) -> bool {
    let spec = &persistent_volume["spec"];
    let directory = match spec["hostPath"]["type"].as_str() {
        None | Some("" | "Directory" | "DirectoryOrCreate") => true,
        Some(_) => false,
    };
    directory && spec["volumeMode"] != "Block" && path(persistent_volume).is_some()
}

/// The path of the directory.
pub(super) fn path(persistent_volume: &Value) -> Option<&str> {
    let spec = &persistent_volume["spec"];
    SOURCES.iter().find_map(|source| spec[source]["path"].as_str())
}

/// Sets the path of the directory; false where the volume is none.
pub(super) fn set_path(persistent_volume: &mut Value, path: &str) -> bool {
    let Some(spec) = persistent_volume.get_mut("spec") else { return false };
    let source = SOURCES.iter().find(|source| spec[**source]["path"].is_string());
    match source.and_then(|source| spec.get_mut(*source)?.get_mut("path")) {
        Some(old) => {
            *old = path.into();
            true
        }
        None => false,
    }
}

/// Says why the directory may be on another host than `host`; nothing where it is on this one.
///
/// The same path may exist on this machine and be something else altogether.
pub(super) fn elsewhere(
    persistent_volume: &Value,
    nodes: &BTreeSet<String>,
    host: &str,
) -> Option<String> {
    let terms = persistent_volume
        .pointer("/spec/nodeAffinity/required/nodeSelectorTerms")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    if !terms.iter().any(|term| host_requirements(term).next().is_some()) {
        return not_the_only_node(nodes, host);
    }
    let here = terms.iter().all(|term| host_requirements(term).any(|rule| is_only(rule, host)));
    (!here).then(|| {
        format!("its node affinity is not for {host} alone; run bowline on the volume's own node")
    })
}

/// Says why a volume of a cluster with these nodes need not be on `host`.
pub(super) fn not_the_only_node(nodes: &BTreeSet<String>, host: &str) -> Option<String> {
    if nodes.is_empty() {
        return Some(format!("no node of the cluster carries {HOSTNAME}={host}"));
    }
    let other = nodes.iter().find(|node| *node != host)?;
    Some(format!("node {other} is not this host ({host})"))
}

fn host_requirements(term: &Value) -> impl Iterator<Item = &Value> {
    let rules = term["matchExpressions"].as_array().map_or(&[][..], Vec::as_slice);
    rules.iter().filter(|rule| rule["key"] == HOSTNAME)
}

fn is_only(rule: &Value, host: &str) -> bool {
    let values = rule["values"].as_array().map_or(&[][..], Vec::as_slice);
    rule["operator"] == "In" && !values.is_empty() && values.iter().all(|value| value == host)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nodes(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn with_affinity(terms: &Value) -> Value {
        json!({"spec": {
            "local": {"path": "/data/x"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
        }})
    }

    fn hosts(operator: &str, values: &[&str]) -> Value {
        json!({"matchExpressions": [{"key": HOSTNAME, "operator": operator, "values": values}]})
    }

    #[test]
    fn directories_are_taken_and_other_kinds_are_not() {
        for spec in [
            json!({"hostPath": {"path": "/x"}}),
            json!({"hostPath": {"path": "/x", "type": ""}}),
            json!({"hostPath": {"path": "/x", "type": "Directory"}}),
            json!({"hostPath": {"path": "/x", "type": "DirectoryOrCreate"}}),
            json!({"local": {"path": "/x"}, "volumeMode": "Filesystem"}),
        ] {
            assert!(is_directory(&json!({"spec": spec})), "{spec}");
        }
        for spec in [
            json!({}),
            json!({"hostPath": {"path": "/x", "type": "File"}}),
            json!({"hostPath": {"path": "/x", "type": "Socket"}}),
            json!({"local": {"path": "/dev/x"}, "volumeMode": "Block"}),
            json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}}),
        ] {
            assert!(!is_directory(&json!({"spec": spec})), "{spec}");
        }
    }

    #[test]
    fn a_volume_bound_to_this_host_is_here_whatever_nodes_there_are() {
        let volume = with_affinity(&json!([hosts("In", &["me"])]));
        assert_eq!(elsewhere(&volume, &nodes(&["me", "other"]), "me"), None);
    }

    #[test]
    fn a_volume_that_may_be_on_another_host_is_elsewhere() {
        for terms in [
            json!([hosts("In", &["other"])]),
            json!([hosts("In", &["me", "other"])]),
            json!([hosts("In", &["me"]), hosts("In", &["other"])]),
            json!([hosts("In", &["me"]), {}]),
            json!([hosts("NotIn", &["me"])]),
            json!([hosts("In", &[])]),
        ] {
            assert!(elsewhere(&with_affinity(&terms), &nodes(&["me"]), "me").is_some(), "{terms}");
        }
    }

    #[test]
    fn without_a_host_in_its_affinity_the_nodes_decide() {
        let zone = json!([{"matchExpressions": [
            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]},
        ]}]);
        for volume in [json!({"spec": {"hostPath": {"path": "/x"}}}), with_affinity(&zone)] {
            assert_eq!(elsewhere(&volume, &nodes(&["me"]), "me"), None);
            assert!(elsewhere(&volume, &nodes(&["me", "other"]), "me").is_some());
            assert!(elsewhere(&volume, &nodes(&[]), "me").is_some());
        }
    }

    #[test]
    fn the_path_is_set_where_it_was() {
        let mut host_path = json!({"spec": {"hostPath": {"path": "/x", "type": "Directory"}}});
        assert!(set_path(&mut host_path, "/y"));
        let expected = json!({"spec": {"hostPath": {"path": "/y", "type": "Directory"}}});
        assert_eq!(host_path, expected);
        let mut local = json!({"spec": {"local": {"path": "/x"}}});
        assert!(set_path(&mut local, "/y"));
        assert_eq!(path(&local), Some("/y"));
        let mut other = json!({"spec": {"nfs": {"path": "/x"}}});
        assert!(!set_path(&mut other, "/y"));
        assert!(!set_path(&mut json!({}), "/y"));
    }
}

//! Where a persistent volume says that it is. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

/// The zones that a persistent volume names, by its node affinity and its labels.
///
/// Each driver has a key of its own for them (`topology.ebs.csi.aws.com/zone`), and all end alike.
pub fn zones(persistent_volume: &Value) -> BTreeSet<String> {
    let terms = persistent_volume.pointer("/spec/nodeAffinity/required/nodeSelectorTerms");
    let rules = items(terms).filter_map(|term| term.get("matchExpressions"));
    let rules = rules.flat_map(|rules| items(Some(rules)));
    let rules =
        rules.filter(|rule| rule["operator"] == "In" && rule["key"].as_str().is_some_and(is_zone));
    let of_rules = rules.flat_map(|rule| items(rule.get("values")));
    let labels = persistent_volume.pointer("/metadata/labels").and_then(Value::as_object);
    let labels = labels.into_iter().flatten().filter(|(key, _)| is_zone(key));
    let named = of_rules.chain(labels.map(|(_, value)| value)).filter_map(Value::as_str);
    named.filter(|zone| !zone.is_empty()).map(str::to_owned).collect()
}

/// Whether a zone is one of a region. Every cloud's zones begin with the name of theirs.
pub fn is_in(zone: &str, region: &str) -> bool {
    zone.starts_with(region)
}

fn is_zone(key: &str) -> bool {
    key.rsplit_once('/').is_some_and(|(_, name)| name == "zone")
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_volume_tells_its_zones_in_its_affinity_and_in_its_labels() {
        let rule = |key: &str, operator: &str, zones: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": zones}]});
        let volume = json!({
            "metadata": {"labels": {"topology.kubernetes.io/zone": "a", "zone": "x", "t/region": "r"}},
            "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [
                rule("topology.ebs.csi.aws.com/zone", "In", &["b", "c"]),
                rule("topology.gke.io/zone", "NotIn", &["d"]),
                rule("kubernetes.io/hostname", "In", &["node"]),
            ]}}},
        });
        assert_eq!(zones(&volume), ["a", "b", "c"].map(str::to_owned).into());
        assert_eq!(zones(&json!({"spec": {"nodeAffinity": []}})), BTreeSet::new());
    }

    #[test]
    fn a_zone_is_in_the_region_that_it_begins_with() {
        assert!(is_in("us-west-2a", "us-west-2") && is_in("us-west-2-lax-1a", "us-west-2"));
        assert!(!is_in("us-west-2a", "us-west-1") && !is_in("us-gov-west-1a", "us-west-1"));
    }
}

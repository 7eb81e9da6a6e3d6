//! Pods that share claims: their hooks run around the snapshots of all of these. Pure.

use std::collections::BTreeSet;

use super::HookedPod;

/// Pods with hooks, and all claims that any of them uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::engine::backup) struct Group {
    pub pods: Vec<HookedPod>,
    pub claims: BTreeSet<(String, String)>,
}

/// Puts pods together that share a claim, be it through others.
pub(in crate::engine::backup) fn groups(pods: &[HookedPod]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for pod in pods {
        let mut own = Group { pods: vec![pod.clone()], claims: pod.claims.clone() };
        for other in groups.extract_if(.., |group| !group.claims.is_disjoint(&pod.claims)) {
            own.pods.splice(0..0, other.pods);
            own.claims.extend(other.claims);
        }
        groups.push(own);
    }
    groups
}

#[cfg(test)]
pub(super) fn pod(name: &str, claims: &[&str]) -> HookedPod {
    HookedPod {
        id: format!("pods/shop/{name}").parse().unwrap(),
        pre: Vec::new(),
        post: Vec::new(),
        claims: claims.iter().map(|claim| ("shop".to_owned(), (*claim).to_owned())).collect(),
        idle: None,
        uid: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_that_share_a_claim_are_together_be_it_through_others() {
        let pods = [
            pod("a", &["x"]),
            pod("b", &["y"]),
            pod("c", &["z"]),
            pod("d", &["x", "y"]),
            pod("e", &[]),
            pod("f", &[]),
        ];
        let names = |group: &Group| -> Vec<String> {
            group.pods.iter().map(|pod| pod.id.name.clone()).collect()
        };
        let found: Vec<_> = groups(&pods).iter().map(names).collect();
        assert_eq!(found, [vec!["c"], vec!["b", "a", "d"], vec!["e"], vec!["f"]]);
    }
}

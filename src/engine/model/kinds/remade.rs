use bowline_api::GroupResource;

use super::names;

/// Owners whose controller makes these children again, once the owner is there.
///
/// Built-in kinds only: nobody knows what a foreign operator makes again, and under which name.
const PAIRS: &[(&str, &[&str])] = &[
    ("deployments.apps", &["replicasets.apps"]),
    ("replicasets.apps", &["pods"]),
    ("statefulsets.apps", &["pods", "controllerrevisions.apps"]),
    ("daemonsets.apps", &["pods", "controllerrevisions.apps"]),
    ("replicationcontrollers", &["pods"]),
    ("jobs.batch", &["pods"]),
    ("cronjobs.batch", &["jobs.batch"]),
    ("services", &["endpointslices.discovery.k8s.io"]),
    ("endpoints", &["endpointslices.discovery.k8s.io"]),
];

/// Whether the controller of `owner` makes objects of the kind `child` again.
pub fn remakes(owner: &GroupResource, child: &GroupResource) -> bool {
    PAIRS
        .iter()
        .filter(|(entry, _)| names(entry, owner))
        .any(|(_, children)| children.iter().any(|entry| names(entry, child)))
}

/// Whether built-in controllers make objects of this kind.
pub fn is_remade(child: &GroupResource) -> bool {
    PAIRS.iter().any(|(_, children)| children.iter().any(|entry| names(entry, child)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remade(owner: &str, child: &str) -> bool {
        remakes(&owner.parse().unwrap(), &child.parse().unwrap())
    }

    #[test]
    fn built_in_controllers_make_their_children_again() {
        for (owner, child) in [
            ("deployments.apps", "replicasets.apps"),
            ("statefulsets.apps", "pods"),
            ("statefulsets.apps", "controllerrevisions.apps"),
            ("cronjobs.batch", "jobs.batch"),
            ("services", "endpointslices.discovery.k8s.io"),
            ("endpoints", "endpointslices.discovery.k8s.io"),
        ] {
            assert!(remade(owner, child), "{child} of {owner}");
        }
    }

    #[test]
    fn data_and_the_children_of_foreign_kinds_are_nobodys_to_make_again() {
        for (owner, child) in [
            ("statefulsets.apps", "persistentvolumeclaims"),
            ("deployments.apps", "pods"),
            ("widgets.example.com", "configmaps"),
            ("deployments.example.com", "replicasets.apps"),
            ("replicasets.apps", "pods.metrics.k8s.io"),
        ] {
            assert!(!remade(owner, child), "{child} of {owner}");
        }
    }
}

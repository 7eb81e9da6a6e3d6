use bowline_api::GroupResource;

use super::built_in::is_built_in_group;
use super::lists;

/// Kinds whose status says of the new cluster what was true of the old one, so that somebody acts on
/// it.
const NEVER: &[(&str, &[&str])] = &[
    (
        "it tells whether a claim is bound, which is what the restore waits for",
        &["persistentvolumeclaims", "persistentvolumes"],
    ),
    ("a namespace that says it is Terminating would be", &["namespaces"]),
    ("it tells what runs on a node, and there it does not", &["pods"]),
    (
        "it tells whether the API server can serve it yet",
        &["customresourcedefinitions.apiextensions.k8s.io", "apiservices.apiregistration.k8s.io"],
    ),
];

/// Tells why no object of this kind gets its recorded status back, if so.
pub fn status_never_restored(resource: &GroupResource) -> Option<&'static str> {
    NEVER.iter().find(|(_, entries)| lists(entries, resource)).map(|(reason, _)| *reason)
}

/// Whether the cluster itself works the status of this kind out: it is restored only by name. That of
/// custom kinds, which lie in other groups, may be told by a pattern, too.
pub fn works_status_out(resource: &GroupResource) -> bool {
    is_built_in_group(&resource.group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_status_of_custom_kinds_can_be_asked_for_by_a_pattern() {
        for (resource, expected) in [
            ("services", true),
            ("deployments.apps", true),
            ("ingresses.networking.k8s.io", true),
            ("widgets.example.com", false),
            ("gateways.gateway.networking.k8s.io", false),
        ] {
            assert_eq!(works_status_out(&resource.parse().unwrap()), expected, "{resource}");
        }
    }

    #[test]
    fn a_status_that_the_restore_waits_for_is_never_restored() {
        for resource in ["persistentvolumeclaims", "pods", "namespaces"] {
            assert!(status_never_restored(&resource.parse().unwrap()).is_some(), "{resource}");
        }
        assert_eq!(status_never_restored(&"pods.metrics.k8s.io".parse().unwrap()), None);
    }
}

//! What acts outside of the namespace that it lives in.

use bowline_api::GroupResource;

use super::built_in::is_built_in_group;
use super::lists;

/// Kinds of the API server's own that act outside of their namespace, with what they do.
const OUTWARD: &[(&[&str], &str)] = &[
    (
        &["ingresses.networking.k8s.io", "ingresses.extensions"],
        "it draws the traffic of its hosts, which are the original's",
    ),
    (&["jobs.batch"], "it does its work a second time"),
    (&["cronjobs.batch"], "it does its work a second time, on a clock"),
];

const OTHERS: &str = "its controller may act outside of the cluster, on what is the original's";

/// What an object of this kind does beyond its namespace, if it does anything.
///
/// A clone beside its original leaves it out unless asked. Of kinds that are not the API server's own,
/// custom or aggregated, nobody here can know.
pub fn acts_outward(resource: &GroupResource) -> Option<&'static str> {
    let row = OUTWARD.iter().find(|(kinds, _)| lists(kinds, resource));
    let is_own = resource.group == "extensions" || is_built_in_group(&resource.group);
    row.map(|(_, does)| *does).or_else(|| (!is_own).then_some(OTHERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_traffic_works_twice_or_is_unknown_acts_outward() {
        let acts = |resource: &str| acts_outward(&resource.parse().unwrap()).is_some();
        for outward in [
            "ingresses.networking.k8s.io",
            "ingresses.extensions",
            "jobs.batch",
            "cronjobs.batch",
            "httproutes.gateway.networking.k8s.io",
            "routes.route.openshift.io",
            "widgets.example.com",
        ] {
            assert!(acts(outward), "{outward}");
        }
        for inward in [
            "configmaps",
            "deployments.apps",
            "horizontalpodautoscalers.autoscaling",
            "poddisruptionbudgets.policy",
            "networkpolicies.networking.k8s.io",
            "services",
        ] {
            assert!(!acts(inward), "{inward}");
        }
    }
}

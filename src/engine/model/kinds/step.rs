use std::fmt;

use bowline_api::GroupResource;

use super::lists;
use super::order::ROWS;

/// One step of a restore. Objects of a step are created side by side, those of a later step after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Custom resource definitions; they are awaited before the first step that needs one of them.
    Definitions,
    /// Namespaces.
    Namespaces,
    /// Storage, priority, runtime, ingress, snapshot and device classes.
    Classes,
    /// Service accounts.
    ServiceAccounts,
    /// Roles and cluster roles.
    Roles,
    /// Bindings of both.
    Bindings,
    /// What pods read and what limits them.
    Configuration,
    /// Services.
    Services,
    /// Persistent volumes: made by the volume pipeline as each volume is available, not by a step.
    Volumes,
    /// Claims, their volumes' names reserved.
    Claims,
    /// Custom resources; then owner references are put back.
    CustomResources,
    /// Workloads that back webhooks, conversion or aggregated APIs.
    ///
    /// No kind belongs here by itself: the plan moves the workloads that do.
    Backends,
    /// What makes the API server call a backend or judge what comes after.
    Registrations,
    /// Objects that only an aggregated API can take.
    Aggregated,
    /// Pods that are restored themselves.
    Pods,
    /// All other workloads, and what is not listed anywhere.
    Workloads,
    /// Workloads whose account may write custom resources or make claims.
    ///
    /// No kind belongs here by itself: the plan moves the workloads that do.
    Operators,
    /// What acts outside of the cluster or on a clock.
    Outward,
    /// Registrations that nothing of the restore has to pass: webhooks that only judge, for one.
    ///
    /// No kind belongs here by itself, either.
    LateRegistrations,
}

impl Step {
    /// All steps, in their order.
    pub const ALL: [Self; 19] = [
        Self::Definitions,
        Self::Namespaces,
        Self::Classes,
        Self::ServiceAccounts,
        Self::Roles,
        Self::Bindings,
        Self::Configuration,
        Self::Services,
        Self::Volumes,
        Self::Claims,
        Self::CustomResources,
        Self::Backends,
        Self::Registrations,
        Self::Aggregated,
        Self::Pods,
        Self::Workloads,
        Self::Operators,
        Self::Outward,
        Self::LateRegistrations,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Definitions => "custom resource definitions",
            Self::Namespaces => "namespaces",
            Self::Classes => "classes",
            Self::ServiceAccounts => "service accounts",
            Self::Roles => "roles",
            Self::Bindings => "role bindings",
            Self::Configuration => "configuration",
            Self::Services => "services",
            Self::Volumes => "persistent volumes",
            Self::Claims => "claims",
            Self::CustomResources => "custom resources",
            Self::Backends => "backends",
            Self::Registrations => "registrations",
            Self::Aggregated => "aggregated resources",
            Self::Pods => "pods",
            Self::Workloads => "workloads",
            Self::Operators => "operators",
            Self::Outward => "outward",
            Self::LateRegistrations => "late registrations",
        })
    }
}

/// The groups that the API server serves itself.
const BUILT_IN: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// The kinds whose objects come up some time after they were made.
const AWAITED: &[&str] = &[
    "pods",
    "replicationcontrollers",
    "daemonsets.apps",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
];

/// Tells in which step a kind is restored, and why.
///
/// `is_custom` says that a custom resource definition, in the archive or in the target, makes the
/// kind. Every kind has a step: what is neither listed, built in nor custom is taken to be served
/// by an aggregated API.
pub fn step(resource: &GroupResource, is_custom: bool) -> (Step, &'static str) {
    match ROWS.iter().find(|row| lists(row.resources, resource)) {
        Some(row) => (row.step, row.reason),
        None if is_custom => {
            (Step::CustomResources, "operators that start without them begin afresh")
        }
        None if BUILT_IN.contains(&resource.group.as_str()) => {
            (Step::Workloads, "nothing else is known to need it")
        }
        None => (Step::Aggregated, "its API has to be registered first"),
    }
}

/// Whether a restore waits until objects of this kind are ready.
pub fn awaits_readiness(resource: &GroupResource) -> bool {
    lists(AWAITED, resource)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(resource: &str, is_custom: bool) -> Step {
        step(&resource.parse().unwrap(), is_custom).0
    }

    #[test]
    fn what_is_needed_comes_in_a_step_before_what_needs_it() {
        for (first, then) in [
            ("customresourcedefinitions.apiextensions.k8s.io", "namespaces"),
            ("namespaces", "serviceaccounts"),
            ("storageclasses.storage.k8s.io", "persistentvolumeclaims"),
            ("serviceaccounts", "secrets"),
            ("clusterroles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"),
            ("rolebindings.rbac.authorization.k8s.io", "pods"),
            ("configmaps", "pods"),
            ("services", "endpoints"),
            ("services", "statefulsets.apps"),
            ("persistentvolumeclaims", "statefulsets.apps"),
            ("pods", "replicasets.apps"),
            ("mutatingwebhookconfigurations.admissionregistration.k8s.io", "pods"),
            ("deployments.apps", "cronjobs.batch"),
            ("services", "ingresses.networking.k8s.io"),
        ] {
            assert!(place(first, false) < place(then, false), "{first} before {then}");
        }
    }

    #[test]
    fn custom_resources_come_after_claims_and_before_the_workloads_of_their_operators() {
        let widgets = place("widgets.example.com", true);
        assert_eq!(widgets, Step::CustomResources);
        assert!(place("persistentvolumeclaims", false) < widgets);
        assert!(widgets < place("deployments.apps", false));
    }

    #[test]
    fn a_custom_kind_that_the_table_lists_keeps_its_place() {
        assert_eq!(place("volumesnapshotclasses.snapshot.storage.k8s.io", true), Step::Classes);
        assert_eq!(place("gatewayclasses.gateway.networking.k8s.io", true), Step::Classes);
        assert_eq!(place("httproutes.gateway.networking.k8s.io", true), Step::Outward);
    }

    #[test]
    fn an_unknown_built_in_kind_is_a_workload_and_an_unknown_group_is_aggregated() {
        assert_eq!(place("gizmos.apps", false), Step::Workloads);
        assert_eq!(place("flunders.wardle.example.com", false), Step::Aggregated);
    }

    #[test]
    fn what_makes_traffic_or_runs_on_a_clock_is_outward() {
        assert_eq!(place("ingresses.networking.k8s.io", false), Step::Outward);
        assert_eq!(place("cronjobs.batch", false), Step::Outward);
        assert_ne!(place("jobs.batch", false), Step::Outward);
    }

    #[test]
    fn only_kinds_that_run_pods_are_awaited() {
        let awaited = |resource: &str| awaits_readiness(&resource.parse().unwrap());
        assert!(awaited("statefulsets.apps") && awaited("pods"));
        assert!(!awaited("configmaps") && !awaited("jobs.batch") && !awaited("pods.example.com"));
    }

    #[test]
    fn no_kind_is_listed_twice_and_every_row_has_a_reason() {
        let mut seen = std::collections::BTreeSet::new();
        for row in ROWS {
            assert!(!row.reason.is_empty() && !row.resources.is_empty());
            for resource in row.resources {
                assert!(seen.insert(resource), "{resource} is listed twice");
            }
        }
    }

    #[test]
    fn all_steps_are_listed_in_their_order_under_names_of_their_own() {
        assert!(Step::ALL.is_sorted());
        let names: std::collections::BTreeSet<_> =
            Step::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), Step::ALL.len());
    }

    proptest! {
        #[test]
        fn every_kind_has_a_step_and_a_reason(
            group in "[a-z]{0,8}(\\.[a-z0-9]{1,6}){0,2}", resource in "[a-z]{1,12}", custom: bool,
        ) {
            let (step, reason) = step(&GroupResource::new(group, resource), custom);
            let by_plan = [Step::Backends, Step::Operators, Step::LateRegistrations];
            prop_assert!(!by_plan.contains(&step) && !reason.is_empty());
        }
    }
}

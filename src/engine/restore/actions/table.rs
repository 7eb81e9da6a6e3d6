use bowline_api::GroupResource;

use super::{
    Draft, bindings, claims, definitions, deployments, jobs, namespaces, persistent_volumes, pods,
    secrets, service_accounts, service_references, services, stateful_sets, webhooks,
};

/// Changes an object, and notes what it changed.
pub(in crate::engine::restore) type Action = fn(&mut Draft<'_>);

const ACTIONS: &[(&str, &str, Action)] = &[
    ("", "namespaces", namespaces::prepare),
    ("", "persistentvolumeclaims", claims::prepare),
    ("", "persistentvolumes", persistent_volumes::prepare),
    ("", "pods", pods::prepare),
    ("", "secrets", secrets::prepare),
    ("", "serviceaccounts", service_accounts::prepare),
    ("", "services", services::prepare),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", webhooks::prepare),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", webhooks::prepare),
    ("apiextensions.k8s.io", "customresourcedefinitions", definitions::prepare),
    ("apiregistration.k8s.io", "apiservices", service_references::prepare_api_service),
    ("apps", "deployments", deployments::prepare),
    ("apps", "statefulsets", stateful_sets::prepare),
    ("batch", "jobs", jobs::prepare),
    ("rbac.authorization.k8s.io", "clusterrolebindings", bindings::prepare),
    ("rbac.authorization.k8s.io", "rolebindings", bindings::prepare),
];

/// What is to be done to objects of this kind, if anything.
pub(in crate::engine::restore) fn action(resource: &GroupResource) -> Option<Action> {
    ACTIONS
        .iter()
        .find(|(group, plural, _)| *group == resource.group && *plural == resource.resource)
        .map(|(_, _, action)| *action)
}

//! What the API server's own kinds are called, and where their objects live.

use bowline_api::GroupResource;

/// A kind that every Kubernetes names the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// The kind as objects name it: `Deployment`.
    pub kind: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// A group, and the plural names and kinds in it.
type Group = (&'static str, &'static [(&'static str, &'static str)]);

/// Groups that their kinds have left, whose objects an old cluster's backup may still hold.
const FORMER_GROUPS: &[(&str, &str)] = &[
    ("daemonsets", "apps"),
    ("deployments", "apps"),
    ("replicasets", "apps"),
    ("ingresses", "networking.k8s.io"),
    ("networkpolicies", "networking.k8s.io"),
];

/// Kinds with a stable version in the API of Kubernetes, by group.
///
/// Held against the generated types by a test. What is alpha or beta alone may still be renamed, so
/// it is not listed.
const NAMESPACED: &[Group] = &[
    (
        "",
        &[
            ("configmaps", "ConfigMap"),
            ("endpoints", "Endpoints"),
            ("events", "Event"),
            ("limitranges", "LimitRange"),
            ("persistentvolumeclaims", "PersistentVolumeClaim"),
            ("pods", "Pod"),
            ("podtemplates", "PodTemplate"),
            ("replicationcontrollers", "ReplicationController"),
            ("resourcequotas", "ResourceQuota"),
            ("secrets", "Secret"),
            ("serviceaccounts", "ServiceAccount"),
            ("services", "Service"),
        ],
    ),
    (
        "apps",
        &[
            ("controllerrevisions", "ControllerRevision"),
            ("daemonsets", "DaemonSet"),
            ("deployments", "Deployment"),
            ("replicasets", "ReplicaSet"),
            ("statefulsets", "StatefulSet"),
        ],
    ),
    ("autoscaling", &[("horizontalpodautoscalers", "HorizontalPodAutoscaler")]),
    ("batch", &[("cronjobs", "CronJob"), ("jobs", "Job")]),
    ("coordination.k8s.io", &[("leases", "Lease")]),
    ("discovery.k8s.io", &[("endpointslices", "EndpointSlice")]),
    ("events.k8s.io", &[("events", "Event")]),
    ("networking.k8s.io", &[("ingresses", "Ingress"), ("networkpolicies", "NetworkPolicy")]),
    ("policy", &[("poddisruptionbudgets", "PodDisruptionBudget")]),
    ("rbac.authorization.k8s.io", &[("rolebindings", "RoleBinding"), ("roles", "Role")]),
    (
        "resource.k8s.io",
        &[("resourceclaims", "ResourceClaim"), ("resourceclaimtemplates", "ResourceClaimTemplate")],
    ),
    ("storage.k8s.io", &[("csistoragecapacities", "CSIStorageCapacity")]),
];

const CLUSTER_SCOPED: &[Group] = &[
    (
        "",
        &[
            ("namespaces", "Namespace"),
            ("nodes", "Node"),
            ("persistentvolumes", "PersistentVolume"),
        ],
    ),
    (
        "admissionregistration.k8s.io",
        &[
            ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
            ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
            ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
            ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
        ],
    ),
    ("apiextensions.k8s.io", &[("customresourcedefinitions", "CustomResourceDefinition")]),
    ("apiregistration.k8s.io", &[("apiservices", "APIService")]),
    ("certificates.k8s.io", &[("certificatesigningrequests", "CertificateSigningRequest")]),
    (
        "flowcontrol.apiserver.k8s.io",
        &[
            ("flowschemas", "FlowSchema"),
            ("prioritylevelconfigurations", "PriorityLevelConfiguration"),
        ],
    ),
    (
        "networking.k8s.io",
        &[
            ("ingressclasses", "IngressClass"),
            ("ipaddresses", "IPAddress"),
            ("servicecidrs", "ServiceCIDR"),
        ],
    ),
    ("node.k8s.io", &[("runtimeclasses", "RuntimeClass")]),
    (
        "rbac.authorization.k8s.io",
        &[("clusterrolebindings", "ClusterRoleBinding"), ("clusterroles", "ClusterRole")],
    ),
    ("resource.k8s.io", &[("deviceclasses", "DeviceClass"), ("resourceslices", "ResourceSlice")]),
    ("scheduling.k8s.io", &[("priorityclasses", "PriorityClass")]),
    (
        "storage.k8s.io",
        &[
            ("csidrivers", "CSIDriver"),
            ("csinodes", "CSINode"),
            ("storageclasses", "StorageClass"),
            ("volumeattachments", "VolumeAttachment"),
            ("volumeattributesclasses", "VolumeAttributesClass"),
        ],
    ),
];

/// Whether the API server's own kinds lie in this group.
pub fn is_built_in_group(group: &str) -> bool {
    NAMESPACED.iter().chain(CLUSTER_SCOPED).any(|(known, _)| *known == group)
}

/// Tells what a resource of the API server's own holds; none if it is not known.
pub fn built_in(resource: &GroupResource) -> Option<BuiltIn> {
    let plural = resource.resource.as_str();
    let group = match resource.group.as_str() {
        "extensions" => FORMER_GROUPS.iter().find(|(known, _)| *known == plural)?.1,
        group => group,
    };
    let find = |table: &[Group]| {
        let (_, kinds) = table.iter().find(|(known, _)| *known == group)?;
        kinds.iter().find(|(known, _)| *known == plural).map(|(_, kind)| *kind)
    };
    let namespaced = find(NAMESPACED).map(|kind| BuiltIn { kind, namespaced: true });
    namespaced.or_else(|| find(CLUSTER_SCOPED).map(|kind| BuiltIn { kind, namespaced: false }))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
    use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as apiregistration;
    use k8s_openapi::{Resource, api};

    use super::*;

    /// What the generated types say, in the form of the table.
    fn generated<T: Resource>() -> (GroupResource, BuiltIn) {
        let namespaced = std::any::type_name::<T::Scope>().ends_with("NamespaceResourceScope");
        (GroupResource::new(T::GROUP, T::URL_PATH_SEGMENT), BuiltIn { kind: T::KIND, namespaced })
    }

    macro_rules! generated {
        ($($module:path { $($kind:ident)* })*) => {
            vec![$({ use $module as module; vec![$(generated::<module::$kind>()),*] }),*].concat()
        };
    }

    #[test]
    fn the_table_is_that_of_the_generated_types() {
        let types = generated! {
            api::core::v1 {
                ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume
                PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret
                Service ServiceAccount
            }
            api::admissionregistration::v1 {
                MutatingWebhookConfiguration ValidatingAdmissionPolicy
                ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration
            }
            apiextensions { CustomResourceDefinition }
            apiregistration { APIService }
            api::apps::v1 { ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet }
            api::autoscaling::v2 { HorizontalPodAutoscaler }
            api::batch::v1 { CronJob Job }
            api::certificates::v1 { CertificateSigningRequest }
            api::coordination::v1 { Lease }
            api::discovery::v1 { EndpointSlice }
            api::events::v1 { Event }
            api::flowcontrol::v1 { FlowSchema PriorityLevelConfiguration }
            api::networking::v1 {
                Ingress IngressClass IPAddress NetworkPolicy ServiceCIDR
            }
            api::node::v1 { RuntimeClass }
            api::policy::v1 { PodDisruptionBudget }
            api::rbac::v1 { ClusterRole ClusterRoleBinding Role RoleBinding }
            api::resource::v1 { DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice }
            api::scheduling::v1 { PriorityClass }
            api::storage::v1 {
                CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment
                VolumeAttributesClass
            }
        };
        for (resource, kind) in &types {
            assert_eq!(built_in(resource), Some(*kind), "{resource}");
        }
        let listed: usize =
            [NAMESPACED, CLUSTER_SCOPED].concat().iter().map(|(_, kinds)| kinds.len()).sum();
        assert_eq!(listed, types.len());
    }

    #[test]
    fn a_kind_that_left_its_group_is_known_there_and_others_are_not() {
        let kind = |text: &str| built_in(&text.parse().unwrap()).map(|known| known.kind);
        assert_eq!(kind("ingresses.extensions"), Some("Ingress"));
        assert_eq!(kind("deployments.extensions"), Some("Deployment"));
        assert_eq!(kind("pods.metrics.k8s.io"), None);
        assert_eq!(kind("statefulsets.extensions"), None);
        assert_eq!(kind("widgets.example.com"), None);
    }
}

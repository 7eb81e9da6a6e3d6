use bowline_api::GroupResource;

use super::lists;

/// Groups of which nothing comes back, with those below them.
const GROUPS: &[(&str, &str)] = &[
    ("*.velero.io", "Velero's objects are orders, and would be carried out again"),
    ("authentication.k8s.io", "a question to the API server, not an object"),
    ("authorization.k8s.io", "a question to the API server, not an object"),
    ("internal.apiserver.k8s.io", "the API server's own bookkeeping"),
    ("storagemigration.k8s.io", "an order to the cluster it came from"),
    ("*.metrics.k8s.io", "a measurement, not an object"),
];

/// Kinds of which nothing comes back.
const KINDS: &[(&str, &[&str])] = &[
    (
        "it describes the nodes of the cluster it came from",
        &[
            "nodes",
            "csinodes.storage.k8s.io",
            "csistoragecapacities.storage.k8s.io",
            "resourceslices.resource.k8s.io",
            "resourcepoolstatusrequests.resource.k8s.io",
            "nodeclaims.karpenter.sh",
            "ciliumnodes.cilium.io",
            "cninodes.vpcresources.k8s.aws",
        ],
    ),
    (
        "events tell what happened in the cluster they came from",
        &["events", "events.events.k8s.io"],
    ),
    (
        "a lease belongs to a running process",
        &["leases.coordination.k8s.io", "leasecandidates.coordination.k8s.io"],
    ),
    (
        "an address is allocated by the cluster, and a restored one would block it",
        &[
            "ipaddresses.networking.k8s.io",
            "servicecidrs.networking.k8s.io",
            "ipamblocks.crd.projectcalico.org",
            "ipamhandles.crd.projectcalico.org",
            "blockaffinities.crd.projectcalico.org",
            "ciliumendpoints.cilium.io",
            "ciliumendpointslices.cilium.io",
            "ciliumidentities.cilium.io",
        ],
    ),
    (
        "a request that was made once, and would be made again",
        &[
            "certificatesigningrequests.certificates.k8s.io",
            "podcertificaterequests.certificates.k8s.io",
            "certificaterequests.cert-manager.io",
            "orders.acme.cert-manager.io",
            "challenges.acme.cert-manager.io",
        ],
    ),
    (
        "an attachment belongs to a node and a volume of the cluster it came from",
        &["volumeattachments.storage.k8s.io"],
    ),
    (
        "restored, it would take a new snapshot, or be able to delete the one it names",
        &[
            "volumesnapshots.snapshot.storage.k8s.io",
            "volumesnapshotcontents.snapshot.storage.k8s.io",
            "volumegroupsnapshots.groupsnapshot.storage.k8s.io",
            "volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io",
        ],
    ),
    ("a view of the control plane, not an object", &["componentstatuses"]),
    ("an order to the scheduler, not an object", &["bindings"]),
];

/// Tells why no object of this kind is restored, if so.
pub fn never_restored(resource: &GroupResource) -> Option<&'static str> {
    let group = GROUPS.iter().find(|(group, _)| is_within(&resource.group, group));
    let kind = KINDS.iter().find(|(_, entries)| lists(entries, resource));
    group.map(|(_, reason)| *reason).or_else(|| kind.map(|(reason, _)| *reason))
}

/// Whether a group is the one of a row, or below it where the row says so: `*.velero.io`.
fn is_within(group: &str, row: &str) -> bool {
    match row.strip_prefix("*.") {
        Some(parent) => {
            group.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
        None => group == row,
    }
}

/// Whether the objects of this namespace come back only where it is named: it is the cluster's own.
pub fn only_when_named(namespace: &str) -> bool {
    namespace.starts_with("kube-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_never_restored(resource: &str) -> bool {
        never_restored(&resource.parse().unwrap()).is_some()
    }

    #[test]
    fn roles_and_bindings_come_back_although_reviews_of_rights_do_not() {
        let never = |resource: &str| never_restored(&resource.parse().unwrap()).is_some();
        assert!(never("subjectaccessreviews.authorization.k8s.io"));
        assert!(!never("roles.rbac.authorization.k8s.io"));
        assert!(!never("clusterrolebindings.rbac.authorization.k8s.io"));
    }

    #[test]
    fn what_belongs_to_the_old_cluster_is_never_restored() {
        for resource in [
            "nodes",
            "events",
            "events.events.k8s.io",
            "leases.coordination.k8s.io",
            "ipaddresses.networking.k8s.io",
            "servicecidrs.networking.k8s.io",
            "certificatesigningrequests.certificates.k8s.io",
            "volumeattachments.storage.k8s.io",
            "csinodes.storage.k8s.io",
            "pods.metrics.k8s.io",
            "pods.custom.metrics.k8s.io",
            "deletebackuprequests.velero.io",
            "anything.data.velero.io",
            "selfsubjectreviews.authentication.k8s.io",
            "volumesnapshotcontents.snapshot.storage.k8s.io",
        ] {
            assert!(is_never_restored(resource), "{resource}");
        }
    }

    #[test]
    fn names_that_only_look_alike_are_restored() {
        for resource in [
            "nodes.example.com",
            "events.example.com",
            "backups.notvelero.io",
            "certificates.cert-manager.io",
            "volumesnapshotclasses.snapshot.storage.k8s.io",
            "flowschemas.flowcontrol.apiserver.k8s.io",
        ] {
            assert!(!is_never_restored(resource), "{resource}");
        }
    }

    #[test]
    fn the_clusters_own_namespaces_come_back_only_when_named() {
        assert!(only_when_named("kube-system") && only_when_named("kube-public"));
        assert!(!only_when_named("default") && !only_when_named("kubeflow"));
    }
}

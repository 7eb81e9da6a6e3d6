use super::Step;

/// When some kinds are restored, and why then.
pub(super) struct Row {
    pub(super) step: Step,
    pub(super) reason: &'static str,
    pub(super) resources: &'static [&'static str],
}

/// When every listed kind is restored. A kind is listed once.
pub(super) const ROWS: &[Row] = &[
    Row {
        step: Step::Definitions,
        reason: "custom resources need their definition",
        resources: &["customresourcedefinitions.apiextensions.k8s.io"],
    },
    Row {
        step: Step::Namespaces,
        reason: "namespaced objects need their namespace",
        resources: &["namespaces"],
    },
    Row {
        step: Step::Classes,
        reason: "claims, pods and ingresses name their class, and admission looks it up",
        resources: &[
            "storageclasses.storage.k8s.io",
            "volumeattributesclasses.storage.k8s.io",
            "csidrivers.storage.k8s.io",
            "priorityclasses.scheduling.k8s.io",
            "runtimeclasses.node.k8s.io",
            "ingressclasses.networking.k8s.io",
            "deviceclasses.resource.k8s.io",
            "gatewayclasses.gateway.networking.k8s.io",
            "volumesnapshotclasses.snapshot.storage.k8s.io",
            "volumegroupsnapshotclasses.groupsnapshot.storage.k8s.io",
        ],
    },
    Row {
        step: Step::ServiceAccounts,
        reason: "a token secret made before its account is deleted, and pods are refused without it",
        resources: &["serviceaccounts"],
    },
    Row {
        step: Step::Roles,
        reason: "a binding is only as good as its role",
        resources: &["clusterroles.rbac.authorization.k8s.io", "roles.rbac.authorization.k8s.io"],
    },
    Row {
        step: Step::Bindings,
        reason: "accounts have to be allowed before their pods start",
        resources: &[
            "clusterrolebindings.rbac.authorization.k8s.io",
            "rolebindings.rbac.authorization.k8s.io",
        ],
    },
    Row {
        step: Step::Configuration,
        reason: "pods mount it, or start under its limits and rules",
        resources: &[
            "secrets",
            "configmaps",
            "limitranges",
            "resourcequotas",
            "podtemplates",
            "networkpolicies.networking.k8s.io",
            "networkpolicies.extensions",
            "clustertrustbundles.certificates.k8s.io",
            "resourceclaims.resource.k8s.io",
            "resourceclaimtemplates.resource.k8s.io",
        ],
    },
    Row {
        step: Step::Services,
        reason: "pods learn services from their environment when they start",
        resources: &["services"],
    },
    Row {
        step: Step::Volumes,
        reason: "a persistent volume is made when its volume is available",
        resources: &["persistentvolumes"],
    },
    Row {
        step: Step::Claims,
        reason: "a workload or an operator that finds no claim makes an empty one",
        resources: &["persistentvolumeclaims"],
    },
    Row {
        step: Step::Registrations,
        reason: "it is called or judges from the moment it exists, so its backend comes first",
        resources: &[
            "mutatingwebhookconfigurations.admissionregistration.k8s.io",
            "validatingwebhookconfigurations.admissionregistration.k8s.io",
            "mutatingadmissionpolicies.admissionregistration.k8s.io",
            "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
            "validatingadmissionpolicies.admissionregistration.k8s.io",
            "validatingadmissionpolicybindings.admissionregistration.k8s.io",
            "apiservices.apiregistration.k8s.io",
        ],
    },
    Row {
        step: Step::Pods,
        reason: "a pod restored itself is there before the controller that adopts it",
        resources: &["pods"],
    },
    Row {
        step: Step::Workloads,
        reason: "it runs pods, which need all of the above",
        resources: &[
            "deployments.apps",
            "deployments.extensions",
            "replicasets.apps",
            "replicasets.extensions",
            "statefulsets.apps",
            "daemonsets.apps",
            "daemonsets.extensions",
            "controllerrevisions.apps",
            "replicationcontrollers",
            "jobs.batch",
        ],
    },
    Row {
        step: Step::Workloads,
        reason: "endpoints without their service are cleared away",
        resources: &["endpoints", "endpointslices.discovery.k8s.io"],
    },
    Row {
        step: Step::Outward,
        reason: "it starts work on a clock of its own",
        resources: &["cronjobs.batch", "cronworkflows.argoproj.io"],
    },
    Row {
        step: Step::Outward,
        reason: "it lets traffic in, which comes when everything behind it is there",
        resources: &[
            "ingresses.networking.k8s.io",
            "ingresses.extensions",
            "*.gateway.networking.k8s.io",
            "routes.route.openshift.io",
            "httpproxies.projectcontour.io",
            "gateways.networking.istio.io",
            "virtualservices.networking.istio.io",
            "ingressroutes.traefik.io",
            "ingressroutetcps.traefik.io",
            "ingressrouteudps.traefik.io",
            "dnsendpoints.externaldns.k8s.io",
        ],
    },
    Row {
        step: Step::Outward,
        reason: "it scales what is not yet ready, or waits for it",
        resources: &[
            "horizontalpodautoscalers.autoscaling",
            "poddisruptionbudgets.policy",
            "verticalpodautoscalers.autoscaling.k8s.io",
            "scaledobjects.keda.sh",
            "scaledjobs.keda.sh",
        ],
    },
];

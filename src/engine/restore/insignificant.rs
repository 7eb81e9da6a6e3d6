use bowline_api::GroupResource;
use serde_json::Value;

use super::prepare::{BACKUP_LABEL, RESTORE_LABEL, RESTORE_UID_LABEL};
use super::{jobs, quiesce};
use crate::engine::model::Object;
use crate::engine::model::fields::{at, map_at, map_at_mut, maps_at_mut, remove};
use crate::engine::model::volume::tags;

/// Kinds, and paths into their objects. No kinds stand for all. `*` stands for every entry of a list.
type Paths = (&'static [&'static str], &'static [&'static [&'static str]]);

/// What controllers and restores write, and nobody means.
const IGNORED: &[Paths] = &[
    (
        &[],
        &[
            &["metadata", "labels", BACKUP_LABEL],
            &["metadata", "labels", RESTORE_LABEL],
            &["metadata", "labels", RESTORE_UID_LABEL],
            &["metadata", "finalizers"],
            &["metadata", "annotations", jobs::RELEASED],
            &["metadata", "annotations", quiesce::ANNOTATION],
            &["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"],
        ],
    ),
    (
        &["deployments.apps", "replicasets.apps"],
        &[
            &["metadata", "annotations", "deployment.kubernetes.io/revision"],
            &["metadata", "annotations", "deployment.kubernetes.io/revision-history"],
            &["metadata", "annotations", "deployment.kubernetes.io/desired-replicas"],
            &["metadata", "annotations", "deployment.kubernetes.io/max-replicas"],
        ],
    ),
    (
        &["daemonsets.apps"],
        &[&["metadata", "annotations", "deprecated.daemonset.template.generation"]],
    ),
    (
        &["horizontalpodautoscalers.autoscaling"],
        &[
            &["metadata", "annotations", "autoscaling.alpha.kubernetes.io/conditions"],
            &["metadata", "annotations", "autoscaling.alpha.kubernetes.io/current-metrics"],
        ],
    ),
    (
        &["endpoints", "endpointslices.discovery.k8s.io"],
        &[&["metadata", "annotations", "endpoints.kubernetes.io/last-change-trigger-time"]],
    ),
    (
        &["pods"],
        &[
            &["metadata", "labels", "topology.kubernetes.io/region"],
            &["metadata", "labels", "topology.kubernetes.io/zone"],
        ],
    ),
    (
        &["persistentvolumeclaims"],
        &[
            &["metadata", "annotations", tags::BACKUP_UID],
            &["spec", "volumeName"],
            &["spec", "selector"],
        ],
    ),
    (&["serviceaccounts"], &[&["secrets"]]),
];

/// What a cluster fills in where the object leaves it open.
const FILLED_IN: &[Paths] = &[
    (
        &["services"],
        &[&["spec", "healthCheckNodePort"], &["spec", "ipFamilies"], &["spec", "ipFamilyPolicy"]],
    ),
    (
        &["persistentvolumeclaims"],
        &[&["spec", "storageClassName"], &["spec", "volumeAttributesClassName"]],
    ),
    (&["serviceaccounts"], &[&["imagePullSecrets"]]),
];

/// Annotations by which somebody has the certificates filled in that the API server trusts.
const INJECTED: &[&str] = &["cert-manager.io/inject-", "service.beta.openshift.io/inject-cabundle"];

/// Where such certificates are.
const CERTIFICATES: &[&[&str]] =
    &[&["spec", "caBundle"], &["spec", "conversion", "webhook", "clientConfig", "caBundle"]];

const POD_SPECS: &[&[&str]] = &[
    &["spec"],
    &["spec", "template", "spec"],
    &["spec", "jobTemplate", "spec", "template", "spec"],
];

const RUN_PODS: &[&str] = &[
    "pods",
    "replicationcontrollers",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
];

/// What the API server puts into a pod specification that leaves it open, as JSON.
const POD_DEFAULTS: &[(&[&str], &str)] = &[
    (&["dnsPolicy"], r#""ClusterFirst""#),
    (&["enableServiceLinks"], "true"),
    (&["restartPolicy"], r#""Always""#),
    (&["schedulerName"], r#""default-scheduler""#),
    (&["terminationGracePeriodSeconds"], "30"),
    (&["containers", "*", "terminationMessagePath"], r#""/dev/termination-log""#),
    (&["containers", "*", "terminationMessagePolicy"], r#""File""#),
    (&["containers", "*", "ports", "*", "protocol"], r#""TCP""#),
    (&["initContainers", "*", "terminationMessagePath"], r#""/dev/termination-log""#),
    (&["initContainers", "*", "terminationMessagePolicy"], r#""File""#),
    (&["volumes", "*", "configMap", "defaultMode"], "420"),
    (&["volumes", "*", "secret", "defaultMode"], "420"),
    (&["volumes", "*", "projected", "defaultMode"], "420"),
];

/// What the API server puts into an object that leaves it open, as JSON.
const DEFAULTS: &[(&str, &[&str], &str)] = &[
    ("services", &["spec", "allocateLoadBalancerNodePorts"], "true"),
    ("services", &["spec", "externalTrafficPolicy"], r#""Cluster""#),
    ("services", &["spec", "internalTrafficPolicy"], r#""Cluster""#),
    ("services", &["spec", "sessionAffinity"], r#""None""#),
    ("services", &["spec", "type"], r#""ClusterIP""#),
    ("services", &["spec", "ports", "*", "protocol"], r#""TCP""#),
    ("deployments.apps", &["spec", "progressDeadlineSeconds"], "600"),
    ("deployments.apps", &["spec", "replicas"], "1"),
    ("deployments.apps", &["spec", "revisionHistoryLimit"], "10"),
    ("daemonsets.apps", &["spec", "revisionHistoryLimit"], "10"),
    ("statefulsets.apps", &["spec", "podManagementPolicy"], r#""OrderedReady""#),
    ("statefulsets.apps", &["spec", "replicas"], "1"),
    ("statefulsets.apps", &["spec", "revisionHistoryLimit"], "10"),
    (
        "statefulsets.apps",
        &["spec", "persistentVolumeClaimRetentionPolicy"],
        r#"{"whenDeleted": "Retain", "whenScaled": "Retain"}"#,
    ),
    ("statefulsets.apps", &["spec", "volumeClaimTemplates", "*", "spec", "volumeMode"], FILESYSTEM),
    ("jobs.batch", &["spec", "backoffLimit"], "6"),
    ("jobs.batch", &["spec", "completionMode"], r#""NonIndexed""#),
    ("jobs.batch", &["spec", "manualSelector"], "false"),
    ("jobs.batch", &["spec", "podReplacementPolicy"], r#""TerminatingOrFailed""#),
    ("jobs.batch", &["spec", "suspend"], "false"),
    ("cronjobs.batch", &["spec", "concurrencyPolicy"], r#""Allow""#),
    ("cronjobs.batch", &["spec", "failedJobsHistoryLimit"], "1"),
    ("cronjobs.batch", &["spec", "successfulJobsHistoryLimit"], "3"),
    ("cronjobs.batch", &["spec", "suspend"], "false"),
    ("persistentvolumeclaims", &["spec", "volumeMode"], FILESYSTEM),
    ("persistentvolumes", &["spec", "volumeMode"], FILESYSTEM),
    ("storageclasses.storage.k8s.io", &["reclaimPolicy"], r#""Delete""#),
    ("storageclasses.storage.k8s.io", &["volumeBindingMode"], r#""Immediate""#),
    (DEFINITIONS, &["spec", "conversion"], r#"{"strategy": "None"}"#),
    (MUTATING, &["webhooks", "*", "matchPolicy"], r#""Equivalent""#),
    (MUTATING, &["webhooks", "*", "namespaceSelector"], "{}"),
    (MUTATING, &["webhooks", "*", "objectSelector"], "{}"),
    (MUTATING, &["webhooks", "*", "reinvocationPolicy"], r#""Never""#),
    (VALIDATING, &["webhooks", "*", "matchPolicy"], r#""Equivalent""#),
    (VALIDATING, &["webhooks", "*", "namespaceSelector"], "{}"),
    (VALIDATING, &["webhooks", "*", "objectSelector"], "{}"),
];

const FILESYSTEM: &str = r#""Filesystem""#;
const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";
const MUTATING: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
const VALIDATING: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";

/// Keys whose empty map says no more than no map at all.
///
/// Not so elsewhere: an empty selector selects everything, an empty `status` below `subresources`
/// switches one on.
const EMPTY_MEANS_ABSENT: &[&str] = &[
    "affinity",
    "annotations",
    "binaryData",
    "data",
    "labels",
    "limits",
    "matchLabels",
    "metadata",
    "nodeSelector",
    "parameters",
    "requests",
    "resources",
    "securityContext",
    "strategy",
];

/// Takes out of `ours` and `live` what tells nothing about what was meant.
pub(super) fn drop_insignificant(resource: &GroupResource, ours: &mut Object, live: &mut Object) {
    let resource = resource.to_string();
    for object in [&mut *ours, &mut *live] {
        for path in paths(IGNORED, &resource) {
            remove(object, path);
        }
        drop_certificates(object);
        drop_defaults(&resource, object);
        drop_empty(object);
    }
    for path in paths(FILLED_IN, &resource) {
        if at(ours, path).is_none() {
            remove(live, path);
        }
    }
}

/// Drops certificates that whoever injects them keeps up to date: an old one would break what works.
fn drop_certificates(object: &mut Object) {
    let annotations =
        map_at(object, &["metadata", "annotations"]).into_iter().flat_map(Object::keys);
    let mut keys = annotations.flat_map(|key| INJECTED.iter().map(move |it| key.starts_with(it)));
    if !keys.any(|is_injected| is_injected) {
        return;
    }
    for path in CERTIFICATES {
        remove(object, path);
    }
    for webhook in maps_at_mut(object, &["webhooks"]) {
        remove(webhook, &["clientConfig", "caBundle"]);
    }
}

/// Whether a label or an annotation, `["metadata", "labels", KEY]`, tells nothing about what was meant.
pub(super) fn is_ignored(resource: &GroupResource, path: &[&str]) -> bool {
    paths(IGNORED, &resource.to_string()).any(|ignored| ignored == path)
}

fn paths<'a>(table: &'a [Paths], resource: &'a str) -> impl Iterator<Item = &'a [&'a str]> {
    table
        .iter()
        .filter(move |(resources, _)| resources.is_empty() || resources.contains(&resource))
        .flat_map(|(_, paths)| paths.iter().copied())
}

fn drop_defaults(resource: &str, object: &mut Object) {
    for (_, path, default) in DEFAULTS.iter().filter(|(kind, ..)| *kind == resource) {
        drop_default(object, path, default);
    }
    if !RUN_PODS.contains(&resource) {
        return;
    }
    for spec in POD_SPECS {
        let Some(spec) = map_at_mut(object, spec) else { continue };
        for (path, default) in POD_DEFAULTS {
            drop_default(spec, path, default);
        }
    }
}

fn drop_default(object: &mut Object, path: &[&str], default: &str) {
    match path {
        [] => {}
        [key] => {
            let is_default = |value: &Value| {
                serde_json::from_str::<Value>(default).is_ok_and(|default| *value == default)
            };
            if object.get(*key).is_some_and(is_default) {
                object.remove(*key);
            }
        }
        [key, "*", rest @ ..] => {
            let list = object.get_mut(*key).and_then(Value::as_array_mut);
            for entry in list.into_iter().flatten().filter_map(Value::as_object_mut) {
                drop_default(entry, rest, default);
            }
        }
        [key, rest @ ..] => {
            if let Some(child) = object.get_mut(*key).and_then(Value::as_object_mut) {
                drop_default(child, rest, default);
            }
        }
    }
}

/// Drops what is null, empty lists, and those empty maps that say nothing.
fn drop_empty(object: &mut Object) {
    object.values_mut().for_each(drop_empty_within);
    object.retain(|key, value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty() || !EMPTY_MEANS_ABSENT.contains(&key.as_str()),
        _ => true,
    });
}

fn drop_empty_within(value: &mut Value) {
    match value {
        Value::Object(map) => drop_empty(map),
        Value::Array(list) => list.iter_mut().for_each(drop_empty_within),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_in_the_tables_is_json() {
        for default in DEFAULTS.iter().map(|row| row.2).chain(POD_DEFAULTS.iter().map(|row| row.1))
        {
            assert!(serde_json::from_str::<Value>(default).is_ok(), "{default}");
        }
    }

    #[test]
    fn injected_certificates_are_the_injectors_and_others_are_meant() {
        let of = |annotation: &str, certificate: &str| {
            let it = serde_json::json!({"metadata": {"annotations": {annotation: "shop/ca"}},
                "webhooks": [{"name": "w", "clientConfig": {"url": "x", "caBundle": certificate}}]});
            it.as_object().cloned().unwrap()
        };
        let resource = MUTATING.parse().unwrap();
        for (annotation, is_same) in [("cert-manager.io/inject-ca-from", true), ("own", false)] {
            let (mut ours, mut live) = (of(annotation, "old"), of(annotation, "new"));
            drop_insignificant(&resource, &mut ours, &mut live);
            assert_eq!(ours == live, is_same, "{annotation}");
        }
    }

    #[test]
    fn every_kind_in_the_tables_is_one() {
        let listed = IGNORED.iter().chain(FILLED_IN).flat_map(|(kinds, _)| kinds.iter().copied());
        for kind in listed.chain(DEFAULTS.iter().map(|row| row.0)).chain(RUN_PODS.iter().copied()) {
            assert_eq!(kind.parse::<GroupResource>().unwrap().to_string(), kind);
        }
    }
}

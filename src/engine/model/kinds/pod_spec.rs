//! Where objects hold the specification of pods.

use bowline_api::GroupResource;

use super::lists;

type Path = &'static [&'static str];

const PATHS: &[(&[&str], Path)] = &[
    (&["pods"], &["spec"]),
    (&["podtemplates"], &["template", "spec"]),
    (
        &[
            "replicationcontrollers",
            "daemonsets.apps",
            "deployments.apps",
            "replicasets.apps",
            "statefulsets.apps",
            "jobs.batch",
        ],
        &["spec", "template", "spec"],
    ),
    (&["cronjobs.batch"], &["spec", "jobTemplate", "spec", "template", "spec"]),
];

/// Where an object of this kind holds the specification of its pods, if it makes any.
pub fn pod_spec(resource: &GroupResource) -> Option<Path> {
    PATHS.iter().find(|(kinds, _)| lists(kinds, resource)).map(|(_, path)| *path)
}

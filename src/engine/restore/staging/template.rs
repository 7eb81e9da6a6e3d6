//! The pods that a workload makes, as far as others look at them.

use std::collections::BTreeMap;

use bowline_api::{GroupResource, ItemId};

use crate::engine::model::Object;
use crate::engine::model::fields::{map_at, text_at};

/// Where the workloads of each kind keep the template of their pods, and whether these serve: the
/// pods of a job come and go.
const TEMPLATES: &[(&str, &str, &[&str], bool)] = &[
    ("", "replicationcontrollers", TEMPLATE, true),
    ("apps", "daemonsets", TEMPLATE, true),
    ("apps", "deployments", TEMPLATE, true),
    ("apps", "replicasets", TEMPLATE, true),
    ("apps", "statefulsets", TEMPLATE, true),
    ("batch", "cronjobs", &["spec", "jobTemplate", "spec", "template"], false),
    ("batch", "jobs", TEMPLATE, false),
    ("", "pods", &[], true),
];
const TEMPLATE: &[&str] = &["spec", "template"];

/// What the pods of a workload are like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct PodTemplate {
    /// Their labels.
    pub labels: BTreeMap<String, String>,
    /// Their service account.
    pub account: String,
    /// Whether they stay, so that a service may lead to them.
    pub serves: bool,
    /// Whether they are made from a template by a controller of the cluster.
    pub is_made: bool,
}

impl PodTemplate {
    /// Whether objects of this kind run pods.
    pub(in super::super) fn is_of(resource: &GroupResource) -> bool {
        row(resource).is_some()
    }

    /// The pods of a workload, or the pod itself; none for other kinds.
    pub(in super::super) fn of(id: &ItemId, object: &Object) -> Option<Self> {
        let (_, _, path, serves) = row(&id.resource)?;
        let template = map_at(object, path)?;
        let labels = map_at(template, &["metadata", "labels"]);
        let labels = labels.into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.into())));
        let account = text_at(template, &["spec", "serviceAccountName"]).unwrap_or("default");
        Some(Self {
            labels: labels.collect(),
            account: account.to_owned(),
            serves: *serves,
            is_made: !path.is_empty(),
        })
    }
}

fn row(
    resource: &GroupResource,
) -> Option<&'static (&'static str, &'static str, &'static [&'static str], bool)> {
    TEMPLATES
        .iter()
        .find(|(group, name, ..)| *group == resource.group && *name == resource.resource)
}

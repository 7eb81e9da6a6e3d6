//! What the archive says of who is called, who answers, and who looks after whom.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};

use super::registration::NamespaceLabels;
use super::registration::{Registration, Service};
use super::{Authority, PodTemplate};
use crate::engine::model::Object;
use crate::engine::model::fields::{map_at, maps_at, text_at};

/// What the order of steps alone does not say of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Stage {
    /// Of backends and registrations: in which round they come.
    pub round: usize,
    /// Registrations, by their names in the archive, that change the pods that it makes; and whether
    /// these would be refused without.
    pub shaped_by: Vec<(ItemId, bool)>,
    /// Of registrations: whether what they call comes up with this restore.
    pub is_backed: bool,
}

/// What an object is among the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// The registrations whose calls its pods answer.
    pub backs: Vec<usize>,
    /// The registrations that change its pods when they are made; and whether these would be refused
    /// without.
    pub shaped_by: Vec<(usize, bool)>,
    /// What it may write, if it is an operator.
    pub operates: Option<GroupResource>,
}

impl Look {
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// What answers the calls of a registration.
#[derive(Debug)]
pub(super) enum Answering {
    /// Pods with these labels.
    Pods(BTreeMap<String, String>),
    /// Endpoints that somebody wrote down: the service selects no pods.
    Endpoints,
}

/// All that objects are looked at by.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub registrations: Vec<Registration>,
    /// What the called services of the target lead to, as far as the archive has them.
    pub services: BTreeMap<Service, Answering>,
    /// The labels of the namespaces of the target.
    pub labels: NamespaceLabels,
    pub authority: Authority,
    /// Custom kinds and claims that are restored, with their namespaces in the archive.
    pub restored: BTreeSet<(GroupResource, Option<String>)>,
    /// The groups of custom kinds.
    pub custom: BTreeSet<String>,
}

impl Scene {
    /// Looks at an object by its names in the archive and in the target.
    pub(super) fn look(&self, id: &ItemId, target: &ItemId, object: &Object) -> Look {
        let namespace = target.namespace.as_deref().unwrap_or_default();
        let Some(pods) = PodTemplate::of(id, object) else {
            return Look { backs: self.written_for(target, object), ..Look::default() };
        };
        let backs = if pods.serves { self.backed_by(namespace, &pods) } else { Vec::new() };
        let mut look = Look { backs, ..Look::default() };
        if pods.is_made {
            look.shaped_by = self.shaping(namespace, &pods);
        }
        if pods.is_made && pods.serves && !self.is_managed(object) {
            look.operates = self.operated_by(id, &pods);
        }
        look
    }

    fn shaping(&self, namespace: &str, pods: &PodTemplate) -> Vec<(usize, bool)> {
        let all = self.registrations.iter().enumerate();
        all.filter_map(|(index, it)| Some((index, it.shapes(namespace, pods, &self.labels)?)))
            .collect()
    }

    /// The registrations whose services select such pods.
    fn backed_by(&self, namespace: &str, pods: &PodTemplate) -> Vec<usize> {
        self.calling(|service, answering| {
            let Answering::Pods(selector) = answering else { return false };
            service.0 == namespace
                && selector.iter().all(|(key, value)| pods.labels.get(key) == Some(value))
        })
    }

    /// The registrations whose services have these endpoints, which somebody wrote down.
    fn written_for(&self, target: &ItemId, object: &Object) -> Vec<usize> {
        let label = ["metadata", "labels", "kubernetes.io/service-name"];
        let service = match target.resource.resource.as_str() {
            "endpointslices" => text_at(object, &label).unwrap_or_default(),
            _ => &target.name,
        };
        self.calling(|(namespace, name), answering| {
            matches!(answering, Answering::Endpoints)
                && target.namespace.as_ref() == Some(namespace)
                && name == service
        })
    }

    fn calling(&self, answers: impl Fn(&Service, &Answering) -> bool) -> Vec<usize> {
        let answered = |service: &Service| {
            self.services.get(service).is_some_and(|answering| answers(service, answering))
        };
        let all = self.registrations.iter().enumerate();
        all.filter(|(_, it)| it.services.iter().any(answered)).map(|(index, _)| index).collect()
    }

    /// Whether a custom resource owns it: then it is what an operator looks after, and none itself.
    fn is_managed(&self, object: &Object) -> bool {
        maps_at(object, &["metadata", "ownerReferences"]).any(|owner| {
            let version = text_at(owner, &["apiVersion"]).unwrap_or_default();
            version.split_once('/').is_some_and(|(group, _)| self.custom.contains(group))
        })
    }

    /// A kind of what is restored that the account of these pods may write.
    fn operated_by(&self, id: &ItemId, pods: &PodTemplate) -> Option<GroupResource> {
        let account = (id.namespace.as_deref()?, pods.account.as_str());
        let writes = |(kind, namespace): &&(GroupResource, Option<String>)| {
            self.authority.writes(account, kind, namespace.as_deref())
        };
        // A claim says less of an operator than its custom resources.
        let found = self.restored.iter().filter(writes);
        found.max_by_key(|(kind, _)| !kind.group.is_empty()).map(|(kind, _)| kind.clone())
    }
}

/// What a service leads to.
pub(super) fn answering(service: &Object) -> Answering {
    let selector = map_at(service, &["spec", "selector"]).into_iter().flatten();
    let selector: BTreeMap<String, String> = selector
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    if selector.is_empty() { Answering::Endpoints } else { Answering::Pods(selector) }
}

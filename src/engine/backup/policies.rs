//! The policies that a backup follows: given, or in a `ConfigMap` of the cluster.

use bowline_api::GroupResource;

use super::error::Error;
use crate::engine::context::Context;
use crate::engine::model::backup::ResourcePolicy;
use crate::engine::model::policy::{self, Origin, Policies};
use crate::engine::model::{Catalog, Object};

/// Where a backup's policies are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// They were read already.
    Given(Policies),
    /// In a `ConfigMap`, which has one key with Velero's YAML.
    ConfigMap {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// Finds the policies that were asked for.
pub(super) async fn load(
    context: &Context,
    catalog: &Catalog,
    source: Option<&PolicySource>,
) -> Result<Option<Policies>, Error> {
    let (namespace, name) = match source {
        None => return Ok(None),
        Some(PolicySource::Given(policies)) => return Ok(Some(policies.clone())),
        Some(PolicySource::ConfigMap { namespace, name }) => (namespace, name),
    };
    let unknown = || Error::UnknownPolicies { namespace: namespace.clone(), name: name.clone() };
    let kind = catalog.get(&GroupResource::core("configmaps")).ok_or_else(unknown)?;
    let found = context.cluster.get(kind, Some(namespace), name).await.map_err(Error::Cluster)?;
    let origin = Origin::ConfigMap { namespace: namespace.clone(), name: name.clone() };
    Ok(Some(read(origin, &found.ok_or_else(unknown)?)?))
}

fn read(origin: Origin, object: &Object) -> Result<Policies, policy::Error> {
    match policy::only_text(object) {
        Ok(text) => Policies::read(origin, text),
        Err(fault) => Err(policy::Error { origin, fault }),
    }
}

/// How Velero's documents refer to policies: only to those of a `ConfigMap`, and always in the
/// namespace of Velero.
pub(super) fn reference(policies: &Policies) -> Option<ResourcePolicy> {
    let Origin::ConfigMap { namespace, name } = policies.origin() else { return None };
    (namespace == "velero").then(|| ResourcePolicy {
        api_group: None,
        kind: "configmap".to_owned(),
        name: name.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_refers_only_to_policies_where_velero_would_look_for_them() {
        let of = |namespace: &str| {
            let (namespace, name) = (namespace.to_owned(), "volumes".to_owned());
            let text =
                "version: v1\nvolumePolicies:\n- {conditions: {nfs: {}}, action: {type: skip}}\n";
            let policies = Policies::read(Origin::ConfigMap { namespace, name }, text).unwrap();
            reference(&policies).map(|it| it.name)
        };
        assert_eq!(of("velero").as_deref(), Some("volumes"));
        assert_eq!(of("team-a"), None);
    }
}

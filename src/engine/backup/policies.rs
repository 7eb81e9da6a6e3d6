//! The policies that a backup follows: given, or in a `ConfigMap` of the cluster.

use bowline_api::GroupResource;
use serde_json::{Map, Value};

use super::error::Error;
use crate::engine::context::Context;
use crate::engine::model::Catalog;
use crate::engine::model::backup::ResourcePolicy;
use crate::engine::model::policy::{self, Fault, Origin, Policies};

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

/// Reads the one text that a `ConfigMap` holds.
fn read(origin: Origin, object: &Map<String, Value>) -> Result<Policies, policy::Error> {
    let data = object.get("data").and_then(Value::as_object);
    let texts: Vec<_> = data.into_iter().flatten().filter_map(|(_, it)| it.as_str()).collect();
    let [text] = texts[..] else {
        let reason = format!("it has {} keys, and must have one", texts.len());
        let hint = "put the policies under one key, of any name".to_owned();
        let fault = Fault { path: "data".to_owned(), reason, hint };
        return Err(policy::Error { origin, fault });
    };
    Policies::read(origin, text)
}

/// How Velero's documents refer to policies: only to those of a `ConfigMap`.
pub(super) fn reference(policies: &Policies) -> Option<ResourcePolicy> {
    let Origin::ConfigMap { name, .. } = policies.origin() else { return None };
    Some(ResourcePolicy { api_group: None, kind: "configmap".to_owned(), name: name.clone() })
}

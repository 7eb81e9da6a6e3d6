//! The definitions that make custom kinds in a cluster.

use bowline_api::GroupResource;

use super::Context;
use crate::engine::cluster;
use crate::engine::model::relations::definition_of;
use crate::engine::model::{Catalog, Object};

/// Reads the definition of a kind that the cluster serves; none of a built-in one.
pub async fn definition(
    context: &Context,
    catalog: &Catalog,
    resource: &GroupResource,
) -> Result<Option<Object>, cluster::Error> {
    let id = definition_of(resource);
    let is_served = resource.group.contains('.') && catalog.get(resource).is_some();
    match catalog.get(&id.resource).filter(|_| is_served) {
        Some(kind) => context.cluster.get(kind, None, &id.name).await,
        None => Ok(None),
    }
}

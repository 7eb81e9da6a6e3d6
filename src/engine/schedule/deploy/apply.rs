//! Making what a deployment consists of, and removing what it consists of no longer.

use futures::TryStreamExt as _;

use super::Error;
use super::manifests::{Manifests, kinds, selector};
use crate::engine::cluster::{self, Cluster, Deletion, ListScope};
use crate::engine::model::{Kind, Meta};

/// Makes everything, the `CronJob` last; then removes what an earlier deployment left elsewhere.
///
/// Whenever it breaks off, doing it again has the same result.
pub async fn apply(cluster: &Cluster, manifests: &Manifests) -> Result<(), Error> {
    for it in &manifests.items {
        cluster.apply(&it.kind, it.namespace.as_deref(), &it.name, &it.object).await?;
    }
    // What runs first: it is of no use without its rights.
    for kind in kinds().collect::<Vec<_>>().iter().rev() {
        prune(cluster, manifests, kind).await?;
    }
    Ok(())
}

async fn prune(cluster: &Cluster, manifests: &Manifests, kind: &Kind) -> Result<(), Error> {
    let label_selector = Some(selector(&manifests.schedule));
    let scope = ListScope { namespace: None, label_selector };
    let mut pages = cluster.list(kind, &scope);
    let mut stale = Vec::new();
    while let Some(page) = pages.try_next().await? {
        let metas = page.items.into_iter().map(|listed| listed.meta);
        stale.extend(metas.filter(|meta| !is_wanted(manifests, kind, meta)));
    }
    for meta in stale {
        let uid = Some(meta.uid.as_str());
        let deletion = Deletion { uid, ..Deletion::default() };
        cluster.delete(kind, meta.namespace.as_deref(), &meta.name, &deletion).await?;
    }
    Ok(())
}

fn is_wanted(manifests: &Manifests, kind: &Kind, meta: &Meta) -> bool {
    let mut items = manifests.items.iter().filter(|it| it.kind == *kind);
    items.any(|it| it.name == meta.name && it.namespace == meta.namespace)
}

/// Whether there is a namespace of that name which no deployment has made.
pub(super) async fn is_namespace_of_another(
    cluster: &Cluster,
    name: &str,
) -> Result<bool, cluster::Error> {
    let Some(kind) = kinds().find(|kind| kind.kind == "Namespace") else { return Ok(false) };
    let Some(namespace) = cluster.get(&kind, None, name).await? else { return Ok(false) };
    let label = "/metadata/labels/app.kubernetes.io~1managed-by";
    Ok(serde_json::Value::Object(namespace).pointer(label) != Some(&"bowline".into()))
}

//! Objects in further versions than the one that the cluster prefers.
//!
//! A target that no longer serves the preferred version may serve another one; and of kinds that a
//! webhook converts, the version they are stored in can be made while the webhook does not answer.

use std::collections::BTreeMap;

use bowline_api::GroupResource;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::collect::{scopes, unlisted};
use super::error::{Cause, Error};
use super::intake::Intake;
use super::plan::Listing;
use super::preflight::Ready;
use crate::engine::cluster::{self, Listed};
use crate::engine::context::{Context, definition};
use crate::engine::journal::Journal;
use crate::engine::model::conversion::Conversion;
use crate::engine::model::relations::definition_of;
use crate::engine::model::{Catalog, Kind};
use crate::engine::report::Problem;

/// Which versions of objects a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiVersions {
    /// The one that the cluster prefers; and the stored one of kinds that a webhook converts.
    #[default]
    Preferred,
    /// Every one that the cluster serves.
    All,
}

/// The other versions in which a cluster serves a kind.
pub(super) fn further(catalog: &Catalog, kind: &Kind) -> Vec<Kind> {
    let served = catalog.served.iter().filter(|(resource, _)| *resource == kind.resource);
    let versions = served.map(|(_, api_version)| {
        let version = api_version.rsplit('/').next().unwrap_or_default().to_owned();
        Kind { version, ..kind.clone() }
    });
    versions.filter(|it| it.version != kind.version).collect()
}

/// Takes the further versions of all objects that were taken, in lists of their own.
///
/// An object that changes between two lists is in each version as that list saw it.
pub(super) async fn collect(context: &Context, intake: &mut Intake<'_>) -> Result<(), Cause> {
    let (ready, journal) = (intake.ready, intake.journal);
    let kinds = ready.catalog.kinds.iter().filter(|kind| intake.taken.has_any(kind));
    for kind in kinds.collect::<Vec<_>>() {
        for version in wanted(context, ready, journal, kind).await? {
            let mut is_known = true;
            for namespace in namespaces(intake, &version) {
                is_known &= list(context, intake, &version, namespace).await?;
            }
            if is_known {
                rest(context, intake, kind, &version).await?;
            }
        }
    }
    Ok(())
}

async fn wanted(
    context: &Context,
    ready: &Ready,
    journal: &Journal,
    kind: &Kind,
) -> Result<Vec<Kind>, Cause> {
    let further = further(&ready.catalog, kind);
    if further.is_empty() || ready.api_versions == ApiVersions::All {
        return Ok(further);
    }
    match stored(context, ready, kind, further).await {
        Ok(stored) => Ok(stored),
        Err(error) if error.status() == Some(403) => {
            let problem = unlisted(kind, None, &error);
            let message = format!("its stored version is not known: {}", problem.message);
            let operation = Some("read definition".to_owned());
            let problem = Problem { operation, message, ..problem };
            journal.warn(problem.with_hint(
                "allow get customresourcedefinitions.apiextensions.k8s.io, or exclude these",
            ));
            Ok(Vec::new())
        }
        Err(error) => {
            let listing = Listing { kind: kind.clone(), namespace: None };
            failed(context, ready, journal, listing, error).await?;
            Ok(Vec::new())
        }
    }
}

/// Of further versions the one that objects are stored in, where a webhook converts them.
///
/// Where definitions are excluded nobody looks at one.
async fn stored(
    context: &Context,
    ready: &Ready,
    kind: &Kind,
    mut further: Vec<Kind>,
) -> Result<Vec<Kind>, cluster::Error> {
    let definitions = ready.catalog.get(&definition_of(&kind.resource).resource);
    if !definitions.is_some_and(|it| ready.filters.allows_related(it, None)) {
        return Ok(Vec::new());
    }
    let conversion = conversion(context, ready, &kind.resource).await?.unwrap_or_default();
    further.retain(|version| conversion.without_webhook() == Some(&version.version));
    Ok(further)
}

/// Adds the versions to a plan that only definitions tell of.
///
/// Of a definition that cannot be read the backup itself tells.
pub(super) async fn foresee(context: &Context, ready: &mut Ready) -> Result<(), Error> {
    if ready.api_versions == ApiVersions::All {
        return Ok(());
    }
    let kinds = ready.plan.listings.iter().map(|it| (it.kind.resource.clone(), it.kind.clone()));
    let mut found = Vec::new();
    for kind in kinds.collect::<BTreeMap<_, _>>().values() {
        let further = further(&ready.catalog, kind);
        if further.is_empty() {
            continue;
        }
        match stored(context, ready, kind, further).await {
            Ok(stored) => found.extend(stored.iter().map(in_words)),
            Err(error) if error.is_unreachable() => return Err(Error::Cluster(error)),
            Err(_) => {}
        }
    }
    ready.plan.further_versions = found;
    Ok(())
}

/// A further version as plans name it: `autoscaling/v1 horizontalpodautoscalers`.
pub(super) fn in_words(kind: &Kind) -> String {
    format!("{} {}", kind.api_version(), kind.resource.resource)
}

/// What the definition of a kind says of its versions; none of a built-in kind.
async fn conversion(
    context: &Context,
    ready: &Ready,
    resource: &GroupResource,
) -> Result<Option<Conversion>, cluster::Error> {
    let definition = definition(context, &ready.catalog, resource).await?;
    Ok(definition.as_ref().map(Conversion::of))
}

/// Where objects of a kind were taken: everywhere, or in these namespaces.
fn namespaces(intake: &Intake<'_>, kind: &Kind) -> Vec<Option<String>> {
    if !kind.namespaced || intake.ready.filters.namespaces.is_everything() {
        return vec![None];
    }
    intake.taken.namespaces.iter().cloned().map(Some).collect()
}

/// Takes a version of the objects that came along although no selector is for them.
async fn rest(
    context: &Context,
    intake: &mut Intake<'_>,
    kind: &Kind,
    version: &Kind,
) -> Result<(), Cause> {
    if intake.ready.filters.selectors.is_everything() {
        return Ok(());
    }
    for id in intake.taken.lacking(kind, version) {
        let namespace = id.namespace.as_deref();
        match context.cluster.get_raw(version, namespace, &id.name).await {
            Ok(json) => {
                if let Some(listed) = json.and_then(Listed::of_object) {
                    intake.take_version(version, &listed).await?;
                }
            }
            Err(error) => {
                let listing = Listing { kind: version.clone(), namespace: id.namespace };
                return failed(context, intake.ready, intake.journal, listing, error).await;
            }
        }
    }
    Ok(())
}

/// Tells whether the list could be read.
async fn list(
    context: &Context,
    intake: &mut Intake<'_>,
    kind: &Kind,
    namespace: Option<String>,
) -> Result<bool, Cause> {
    let listing = Listing { kind: kind.clone(), namespace };
    match take_all(context, intake, &listing, Share::Beside).await? {
        Ok(()) => Ok(true),
        Err(error) => {
            failed(context, intake.ready, intake.journal, listing, error).await?;
            Ok(false)
        }
    }
}

/// What objects in a further version are in the archive.
#[derive(Clone, Copy, Debug)]
enum Share {
    /// Further versions of what was taken.
    Beside,
    /// All that there is of them.
    Instead,
}

/// Takes all objects of a list in a further version, or gives back why it cannot be read.
async fn take_all(
    context: &Context,
    intake: &mut Intake<'_>,
    listing: &Listing,
    share: Share,
) -> Result<Result<(), cluster::Error>, Cause> {
    let kind = &listing.kind;
    let lists = scopes(intake.ready, listing).into_iter();
    let mut pages = stream::iter(lists.map(|it| context.cluster.list(kind, &it))).flatten();
    loop {
        let page = match pages.try_next().await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        for listed in &page.items {
            match share {
                Share::Beside => intake.take_version(kind, listed).await?,
                Share::Instead => intake.take_instead(kind, listed).await?,
            }
        }
    }
}

/// Deals with a list that cannot be read in the preferred version.
///
/// Where a webhook that does not answer is why, the objects are taken in the version that they are
/// stored in, which needs none: in that one they can be made again, too.
pub(super) async fn list_stored(
    context: &Context,
    intake: &mut Intake<'_>,
    listing: Listing,
    error: cluster::Error,
) -> Result<(), Cause> {
    let (ready, journal) = (intake.ready, intake.journal);
    let Some((stored, webhook)) = stored_instead(context, ready, &listing.kind, &error).await
    else {
        return failed(context, ready, journal, listing, error).await;
    };
    let instead = Listing { kind: stored, namespace: listing.namespace.clone() };
    match take_all(context, intake, &instead, Share::Instead).await? {
        Ok(()) => {}
        Err(error) if error.is_unreachable() => return Err(error.into()),
        Err(_) => return failed(context, ready, journal, listing, error).await,
    }
    let Listing { kind, namespace } = listing;
    let id = definition_of(&kind.resource);
    let hint =
        format!("its definition {} has it converted by {webhook}: see that it answers", id.name);
    if intake.taken.has_any(&instead.kind) {
        intake.taken.related.insert(id);
    }
    let mut problem = unlisted(&kind, namespace, &error);
    let (stored, preferred) = (instead.kind.api_version(), kind.api_version());
    problem.message = format!("taken as {stored}, as stored; as {preferred}: {}", problem.message);
    journal.warn(problem.with_hint(hint));
    Ok(())
}

/// The version that objects are stored in and the webhook that converts them into the preferred one,
/// where it may be that webhook that keeps them from being listed.
async fn stored_instead(
    context: &Context,
    ready: &Ready,
    kind: &Kind,
    error: &cluster::Error,
) -> Option<(Kind, String)> {
    if error.status() != Some(500) {
        return None;
    }
    // Without its definition the error stands as it is.
    let conversion = conversion(context, ready, &kind.resource).await.ok()??;
    let stored = conversion.without_webhook()?;
    let kind = further(&ready.catalog, kind).into_iter().find(|it| it.version == stored)?;
    Some((kind, conversion.webhook?))
}

/// A list that cannot be read is an error of the backup, in words that lead to its cause; a cluster
/// that is gone ends it.
async fn failed(
    context: &Context,
    ready: &Ready,
    journal: &Journal,
    listing: Listing,
    error: cluster::Error,
) -> Result<(), Cause> {
    let Listing { kind, namespace } = listing;
    if error.is_unreachable() {
        return Err(error.into());
    }
    let conversion = conversion(context, ready, &kind.resource).await.ok().flatten();
    let webhook = conversion.and_then(|it| it.webhook.filter(|_| error.status() == Some(500)));
    let mut problem = unlisted(&kind, namespace, &error);
    if ready.catalog.get(&kind.resource) != Some(&kind) {
        problem.message = format!("as {}: {}", kind.api_version(), problem.message);
    }
    journal.error(match webhook {
        None => problem,
        Some(webhook) => problem.with_hint(format!(
            "its definition {} has it converted by {webhook}: see that it answers; these objects \
             are NOT in this backup",
            definition_of(&kind.resource).name
        )),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(resource: &str, version: &str) -> Kind {
        Kind {
            resource: resource.parse().unwrap(),
            version: version.to_owned(),
            kind: String::new(),
            singular: String::new(),
            short_names: Vec::new(),
            namespaced: true,
            verbs: Vec::new(),
        }
    }

    #[test]
    fn every_served_version_but_the_preferred_one_is_a_further_one() {
        let scaler = kind("horizontalpodautoscalers.autoscaling", "v2");
        let pod = kind("pods", "v1");
        let served = |kind: &Kind, version: &str| (kind.resource.clone(), version.to_owned());
        let catalog = Catalog {
            kinds: vec![scaler.clone(), pod.clone()],
            served: vec![
                served(&pod, "v1"),
                served(&scaler, "autoscaling/v2"),
                served(&scaler, "autoscaling/v1"),
            ],
            ..Catalog::default()
        };
        assert_eq!(
            further(&catalog, &scaler),
            [kind("horizontalpodautoscalers.autoscaling", "v1")]
        );
        assert_eq!(further(&catalog, &pod), []);
    }
}

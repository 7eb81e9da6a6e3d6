//! Reads all lists of the plan, several at once, and hands every object to the intake.

use std::collections::BTreeMap;

use bowline_api::GroupResource;
use futures::channel::mpsc::{UnboundedSender, channel};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::claim::Claim;
use super::error::Cause;
use super::intake::{Intake, Taken};
use super::plan::Listing;
use super::preflight::{Ready, namespace_kind};
use super::versions;
use crate::engine::archive::{Writer, Written};
use crate::engine::cluster::{self, ListScope, Page};
use crate::engine::context::Context;
use crate::engine::journal::Journal;
use crate::engine::model::Kind;
use crate::engine::report::{Problem, Scope, chain};

/// What came of the collection.
#[derive(Debug)]
pub(super) struct Collected {
    pub written: Written,
    pub taken: Taken,
}

/// What one read of one list gave.
type Read = (Kind, Option<String>, Result<Page, cluster::Error>);

/// Where to what was read goes.
#[derive(Debug)]
pub(super) struct Outlets {
    pub writer: Writer,
    pub claims: UnboundedSender<Claim>,
}

/// Reads everything and writes the archive, unless it is called off. Ends the stream of claims when it
/// is done.
pub(super) async fn collect(
    context: &Context,
    journal: &Journal,
    ready: &Ready,
    Outlets { writer, claims }: Outlets,
    called_off: impl Future<Output = ()>,
) -> Result<Collected, Cause> {
    let taken = Taken::default();
    let mut intake = Intake { ready, journal, writer, claims, taken };
    let collected = tokio::select! {
        biased;
        collected = collect_into(context, &mut intake) => collected,
        () = called_off => Err(Cause::Interrupted),
    };
    match collected {
        Ok(()) => {
            let Intake { writer, taken, .. } = intake;
            Ok(Collected { written: writer.finish().await?, taken })
        }
        Err(cause) => {
            // The upload is cleared with the attempt if it can't be aborted now.
            drop(intake.writer.abort().await);
            Err(cause)
        }
    }
}

async fn collect_into(context: &Context, intake: &mut Intake<'_>) -> Result<(), Cause> {
    report_unavailable(intake);
    super::ordered::collect(context, intake).await?;
    // Only now: a list that waits to be taken has a share of the requests and of the memory that
    // others need.
    let refused = take_lists(context, intake, &intake.ready.plan.listings).await?;
    for (listing, error) in take_one_by_one(context, intake, refused).await? {
        versions::list_stored(context, intake, listing, error).await?;
    }
    super::related::collect(context, intake).await?;
    namespaces(context, intake).await?;
    versions::collect(context, intake).await
}

/// Takes the objects of all lists; gives back the lists that cannot be read, and why.
///
/// All are read on while objects are taken: a request that nobody looks after while the store is slow
/// would be over its deadline, although the server has answered.
async fn take_lists(
    context: &Context,
    intake: &mut Intake<'_>,
    listings: &[Listing],
) -> Result<Vec<(Listing, cluster::Error)>, Cause> {
    let ready = intake.ready;
    let (sender, mut received) = channel(0);
    let reading = async move {
        let all = stream::iter(listings).for_each_concurrent(context.limits.lists, |listing| {
            let sent = read(context, ready, listing).map(Ok).forward(sender.clone());
            // Nobody receives any more where taking has failed, which is told.
            sent.map(drop)
        });
        all.await;
    };
    let taking = async {
        let mut refused = BTreeMap::new();
        while let Some((kind, namespace, page)) = received.next().await {
            match page {
                Ok(page) => take_page(intake, &kind, &page).await?,
                Err(error) if error.is_unreachable() => return Err(error.into()),
                // Each selector has a list of its own, and none can be read.
                Err(error) => {
                    let key = (kind.resource.clone(), namespace.clone());
                    refused.entry(key).or_insert((Listing { kind, namespace }, error));
                }
            }
        }
        Ok::<_, Cause>(refused)
    };
    let ((), refused) = futures::try_join!(reading.map(Ok), taking)?;
    Ok(refused.into_values().collect())
}

/// Takes the objects of each namespace by itself where those of all could not be read: what is in the
/// way may be in one that is left out.
async fn take_one_by_one(
    context: &Context,
    intake: &mut Intake<'_>,
    refused: Vec<(Listing, cluster::Error)>,
) -> Result<Vec<(Listing, cluster::Error)>, Cause> {
    let ready = intake.ready;
    let is_partial = !ready.filters.namespaces.is_everything();
    let is_whole = |listing: &Listing| listing.kind.namespaced && listing.namespace.is_none();
    let (whole, mut left): (Vec<_>, Vec<_>) =
        refused.into_iter().partition(|(listing, _)| is_partial && is_whole(listing));
    for (Listing { kind, .. }, _) in whole {
        let of = |name: &String| Listing { kind: kind.clone(), namespace: Some(name.clone()) };
        let listings: Vec<_> = ready.plan.namespaces.iter().map(of).collect();
        left.extend(take_lists(context, intake, &listings).await?);
    }
    Ok(left)
}

async fn take_page(intake: &mut Intake<'_>, kind: &Kind, page: &Page) -> Result<(), Cause> {
    let filters = &intake.ready.filters;
    for listed in page.items.iter().filter(|it| filters.includes_item(kind, &it.meta)) {
        intake.take(kind, listed).await?;
    }
    Ok(())
}

fn read<'a>(
    context: &'a Context,
    ready: &Ready,
    listing: &'a Listing,
) -> stream::BoxStream<'a, Read> {
    stream::iter(scopes(ready, listing))
        .flat_map(|scope| context.cluster.list(&listing.kind, &scope))
        .map(|page| (listing.kind.clone(), listing.namespace.clone(), page))
        .boxed()
}

/// What to ask the API for: of several selectors each gets a list of its own, and an object that two
/// of them select is listed twice.
pub(super) fn scopes(ready: &Ready, listing: &Listing) -> Vec<ListScope> {
    let scope = |label_selector| ListScope { namespace: listing.namespace.clone(), label_selector };
    ready.filters.selectors.lists().into_iter().map(scope).collect()
}

/// A list that cannot be read is an error of the backup; a cluster that is gone ends it.
pub(super) fn failed(
    journal: &Journal,
    kind: &Kind,
    namespace: Option<String>,
    error: cluster::Error,
) -> Result<(), Cause> {
    if error.is_unreachable() {
        return Err(error.into());
    }
    journal.error(unlisted(kind, namespace, &error));
    Ok(())
}

/// A list that cannot be read.
pub(super) fn unlisted(kind: &Kind, namespace: Option<String>, error: &cluster::Error) -> Problem {
    let problem = Problem {
        scope: if namespace.is_some() { Scope::Namespace } else { Scope::Cluster },
        resource: Some(kind.resource.to_string()),
        namespace,
        ..Problem::of_run("list", chain(error))
    };
    problem.with_status(error.status())
}

/// API groups that hold nothing that could be restored.
const METRICS: [&str; 3] = ["metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"];

fn report_unavailable(intake: &Intake<'_>) {
    for group in &intake.ready.plan.unavailable {
        let message = format!("API group {} cannot be discovered: {}", group.name, group.reason);
        let problem = Problem::of_run("discover", message)
            .with_hint("repair or delete its APIService; its objects are NOT in this backup");
        if METRICS.iter().any(|metrics| group.name.starts_with(metrics)) {
            intake.journal.warn(problem);
        } else {
            intake.journal.error(problem);
        }
    }
}

/// Takes the Namespace objects: those that the filter asks for, and those of everything taken.
async fn namespaces(context: &Context, intake: &mut Intake<'_>) -> Result<(), Cause> {
    let Some(kind) = namespace_kind(&intake.ready.catalog).cloned() else { return Ok(()) };
    if !intake.ready.filters.includes_kind(&kind) {
        return Ok(());
    }
    let mut pages = context.cluster.list(&kind, &ListScope::default());
    while let Some(page) = pages.try_next().await? {
        for listed in &page.items {
            let name = &listed.meta.name;
            let wanted = intake.taken.namespaces.contains(name)
                || intake.ready.filters.includes_item(&kind, &listed.meta);
            if wanted && !listed.meta.is_excluded() {
                intake.take(&kind, listed).await?;
            }
        }
    }
    Ok(())
}

/// The kind of a resource, if the cluster serves it.
pub(super) fn kind<'a>(ready: &'a Ready, resource: &GroupResource) -> Option<&'a Kind> {
    ready.catalog.get(resource)
}

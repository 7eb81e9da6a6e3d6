//! Claims that something else made first: which of them are replaced.
//!
//! An operator, or a `StatefulSet` that was there before, makes its claims at once, and a provisioner fills
//! them with something empty. Such a claim is in the way of the one that waits for the backup's data.

use std::collections::BTreeSet;
use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;
use serde_json::Value;
use tokio::time::Instant;

use super::claim_users;
use super::claims::claims;
use super::error::Error;
use super::execute::Execution;
use super::existing_claims::{VOLUME_NAME, leave_claims_that_are_there};
use super::plan::{Plan, Verdict};
use super::preflight::{Ready, Request};
use super::quiesce::Quiesced;
use crate::engine::clock::pause;
use crate::engine::cluster::{self, ListScope};
use crate::engine::context::{Access, Context};
use crate::engine::model::fields::text_at;
use crate::engine::report::{Problem, chain};

/// The label of a volume that a claim had which a restore replaced; it says which restore.
pub(super) const KEPT_LABEL: &str = "bowline.io/taken-over-by";

/// How long a volume may stay attached once the pods are gone that had it.
const DETACHED_WITHIN: Duration = Duration::from_mins(1);
/// How often that is looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// What to do about a claim that something else made.
const HINT: &str = "it was left as it is; --take-over-claims replaces it while nothing mounts it, and keeps \
     the volume that it has";
/// What to do about one that is used.
pub(super) const IN_USE: &str = "stop what mounts it (scale its workload to 0, with --quiesce for an operator) \
     and restore again with --take-over-claims";

/// Decides which of the claims that something else made are replaced; no volume is made for the others.
pub(super) async fn decide(
    context: &Context,
    ready: &Ready,
    request: &Request,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    let rows: Vec<usize> = plan.claims.iter().map(|claim| claim.row).collect();
    for index in rows {
        let row = &mut plan.rows[index];
        if row.verdict != Verdict::Refuse || row.live_uid().is_none() {
            continue;
        }
        row.more_mut().hint = Some(HINT);
        if !request.spec.take_over_claims {
            let reason = format!("{} (--take-over-claims replaces it)", row.reason());
            row.decide(Verdict::Refuse, reason);
            continue;
        }
        let target = plan.preparation.target(&row.entry.id());
        let decided = judge(context, ready, &plan.quiesced, &target).await;
        let row = &mut plan.rows[index];
        match decided.map_err(Error::Cluster)? {
            Ok(reason) => {
                row.decide(Verdict::Recreate, reason);
                row.ours = false;
            }
            Err(user) => {
                let reason = format!("{}; {user}", row.reason());
                row.decide(Verdict::Refuse, reason);
                row.more_mut().hint = Some(IN_USE);
            }
        }
    }
    leave_claims_that_are_there(plan);
    Ok(())
}

impl Execution<'_> {
    /// Finds who uses a claim that is to be replaced; none if nobody does.
    ///
    /// A volume stays attached for a while after the pods are gone of what was scaled down.
    pub(super) async fn claim_user(
        &self,
        claim: &ItemId,
        volume: Option<&str>,
    ) -> Result<Option<String>, cluster::Error> {
        let (cluster, catalog) = (&self.context.cluster, &self.ready.catalog);
        let nobody = BTreeSet::new();
        let patience = if self.plan.quiesced.is_empty() { Duration::ZERO } else { DETACHED_WITHIN };
        let started = Instant::now();
        loop {
            let user = claim_users::user(cluster, catalog, claim, volume, &nobody).await?;
            if user.is_none() || started.elapsed() >= patience {
                return Ok(user);
            }
            pause(INTERVAL).await;
        }
    }
}

/// The pods in a namespace of what will be scaled down before anything is replaced.
async fn leaving(
    context: &Context,
    ready: &Ready,
    quiesced: &[Quiesced],
    namespace: Option<&String>,
) -> Result<BTreeSet<String>, cluster::Error> {
    let mut pods = BTreeSet::new();
    let Some(kind) = ready.catalog.get(&GroupResource::core("pods")) else { return Ok(pods) };
    for it in quiesced.iter().filter(|it| it.id.namespace.as_ref() == namespace) {
        let Some(selector) = &it.selector else { continue };
        let label_selector = Some(selector.clone());
        let scope = ListScope { namespace: it.id.namespace.clone(), label_selector };
        let mut pages = context.cluster.list(kind, &scope);
        while let Some(page) = pages.try_next().await? {
            pods.extend(page.items.into_iter().map(|listed| listed.meta.name));
        }
    }
    Ok(pods)
}

/// What the plan says of a claim that is replaced, or who uses it.
async fn judge(
    context: &Context,
    ready: &Ready,
    quiesced: &[Quiesced],
    claim: &ItemId,
) -> Result<Result<String, String>, cluster::Error> {
    let nothing = "replaces a claim that something else made, and that has no volume";
    let Some(kind) = ready.catalog.get(&claims()) else { return Ok(Ok(nothing.to_owned())) };
    let live = context.cluster.get(kind, claim.namespace.as_deref(), &claim.name).await?;
    let live = live.unwrap_or_default();
    let volume = text_at(&live, VOLUME_NAME).filter(|name| !name.is_empty());
    let leaving = leaving(context, ready, quiesced, claim.namespace.as_ref()).await?;
    let (cluster, catalog) = (&context.cluster, &ready.catalog);
    let user = claim_users::user(cluster, catalog, claim, volume, &leaving).await?;
    Ok(match (user, volume) {
        (Some(user), _) => Err(user),
        (None, None) => Ok(nothing.to_owned()),
        (None, Some(volume)) => {
            Ok(format!("takes over from volume {volume}, which is kept (Retain)"))
        }
    })
}

/// What replacing a claim needs to be allowed, beyond making it.
pub(super) fn rights(target: &ItemId) -> Vec<Access> {
    let access = |verb, resource, namespace| Access { verb, resource, namespace };
    vec![
        access("list", GroupResource::core("pods"), target.namespace.clone()),
        access("list", GroupResource::new("storage.k8s.io", "volumeattachments"), None),
        access("list", GroupResource::core("persistentvolumes"), None),
        access("get", GroupResource::core("persistentvolumes"), None),
        access("patch", GroupResource::core("persistentvolumes"), None),
    ]
}

/// Names the volumes that were kept, also those of runs before this one.
///
/// All is done by then: that they cannot be listed is a warning.
pub(super) async fn report_kept(execution: &Execution<'_>) {
    if let Err(error) = tell_kept(execution).await {
        let message = format!("the volumes that were kept are not known: {}", chain(&error));
        let hint = format!("kubectl get persistentvolumes --selector={}", selector(execution));
        execution.journal.warn(Problem::of_run("take over", message).with_hint(hint));
    }
}

fn selector(execution: &Execution<'_>) -> String {
    format!("{KEPT_LABEL}={}", execution.plan.preparation.restore_uid)
}

async fn tell_kept(execution: &Execution<'_>) -> Result<(), cluster::Error> {
    let resource = GroupResource::core("persistentvolumes");
    let kind = execution.ready.catalog.get(&resource);
    let Some(kind) = kind.filter(|_| execution.request.spec.take_over_claims) else {
        return Ok(());
    };
    let scope = ListScope { namespace: None, label_selector: Some(selector(execution)) };
    let mut pages = execution.context.cluster.list(kind, &scope);
    while let Some(page) = pages.try_next().await? {
        for listed in &page.items {
            let volume: Value = serde_json::from_slice(&listed.json).unwrap_or_default();
            let id = ItemId::cluster(resource.clone(), &listed.meta.name);
            execution.journal.warn(kept(&id, &volume));
        }
    }
    Ok(())
}

fn kept(id: &ItemId, volume: &Value) -> Problem {
    let claim = &volume["spec"]["claimRef"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let message = format!(
        "it was the volume of claim {}/{}, which this restore replaced, and is kept with what is on it",
        text(&claim["namespace"]),
        text(&claim["name"])
    );
    let hint = format!(
        "where nobody needs that: kubectl delete persistentvolume {}, and then the disk behind it",
        id.name
    );
    Problem::of_item(id, "take over", message).with_hint(hint)
}

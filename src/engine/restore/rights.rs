//! What a restore needs to be allowed: as much as its plan makes, and no more.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, Operation};

use super::claims::claims;
use super::error::Error;
use super::plan::{Plan, Verdict};
use super::row::Row;
use super::take_over;
use super::{hooks, jobs};
use crate::engine::context::{Access, Context, Right, rights};
use crate::engine::model::kinds::Step;

/// Asks for all rights that the plan needs.
pub(super) async fn ask(context: &Context, plan: &Plan<'_>) -> Vec<Right> {
    let mut found = rights::of_cluster(context, needed(plan)).await;
    for provider in plan.providers() {
        if let Some(snapshotter) = context.snapshotters.of_provider(provider) {
            found.extend(rights::of_provider(snapshotter, Operation::Restore, None).await);
        }
    }
    found
}

/// Refuses a plan that is not allowed as a whole, before anything of it is done.
pub(super) async fn require(context: &Context, plan: &Plan<'_>) -> Result<(), Error> {
    let missing = Right::missing(&ask(context, plan).await);
    if missing.is_empty() { Ok(()) } else { Err(Error::NotAllowed { missing }) }
}

fn needed(plan: &Plan<'_>) -> BTreeSet<Access> {
    let mut needed = BTreeSet::new();
    // Not collected: that would hold them all before it leaves out what is there twice.
    plan.rows.iter().for_each(|row| needed.extend(of_row(plan, row)));
    needed.extend(hooks::needed(plan));
    if !plan.bare_namespaces.is_empty() {
        let resource = GroupResource::core("namespaces");
        needed.insert(Access { verb: "create", resource, namespace: None });
    }
    if plan.rows.iter().any(|row| is_installed(row)) {
        let resource = GroupResource::new("discovery.k8s.io", "endpointslices");
        needed.insert(Access { verb: "list", resource, namespace: None });
    }
    let is_there = |row: &Row<'_>| *row.entry.resource() == claims() && row.live_uid().is_some();
    if plan.rows.iter().any(is_there) {
        let resource = GroupResource::core("persistentvolumes");
        needed.insert(Access { verb: "list", resource, namespace: None });
    }
    for it in &plan.quiesced {
        let (resource, namespace) = (it.id.resource.clone(), it.id.namespace.clone());
        needed.insert(Access { verb: "patch", resource, namespace: namespace.clone() });
        let listed = it.scalers.iter().cloned().chain([GroupResource::core("pods")]);
        needed.extend(listed.map(|resource| {
            let namespace = namespace.clone();
            Access { verb: "list", resource, namespace }
        }));
    }
    needed
}

/// Whether it is installed once its backend is ready.
fn is_installed(row: &Row<'_>) -> bool {
    let waits = matches!(row.step, Step::Registrations | Step::LateRegistrations);
    waits && row.is_applied() && !row.ours && row.stage().is_some()
}

/// What one row needs. What an interrupted run has made is not made again.
fn of_row(plan: &Plan<'_>, row: &Row<'_>) -> Vec<Access> {
    let verbs: &[&'static str] = match row.verdict {
        _ if row.ours && jobs::is_job(row.entry.resource()) && !row.finished => &["get", "patch"],
        _ if row.ours => &[],
        // A job is made suspended, and released with a patch.
        Verdict::Create if jobs::is_job(row.entry.resource()) => &["create", "patch"],
        Verdict::Create | Verdict::Reattach => &["create"],
        Verdict::Update => &["get", "patch"],
        Verdict::Recreate if jobs::is_job(row.entry.resource()) => {
            &["get", "delete", "create", "patch"]
        }
        Verdict::Recreate => &["get", "delete", "create"],
        Verdict::Unchanged | Verdict::Differs | Verdict::Skip | Verdict::Refuse => &[],
    };
    let target = plan.preparation.target(&row.entry.id());
    let access = |verb: &&'static str| Access {
        verb,
        resource: target.resource.clone(),
        namespace: target.namespace.clone(),
    };
    let awaited: &[&'static str] = if row.dying { &["get"] } else { &[] };
    let mut needed: Vec<Access> = verbs.iter().chain(awaited).map(access).collect();
    if row.verdict == Verdict::Recreate && target.resource == claims() {
        needed.extend(take_over::rights(&target));
    }
    needed
}

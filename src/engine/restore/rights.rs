//! What a restore needs to be allowed: as much as its plan makes, and no more.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, Operation};

use super::error::Error;
use super::jobs;
use super::plan::{Plan, Row, Verdict};
use crate::engine::context::{Access, Context, Right, rights};

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
    let mut needed: BTreeSet<Access> = plan.rows.iter().flat_map(|row| of_row(plan, row)).collect();
    if !plan.bare_namespaces.is_empty() {
        let resource = GroupResource::core("namespaces");
        needed.insert(Access { verb: "create", resource, namespace: None });
    }
    needed
}

/// What one row needs. What an interrupted run has made is not made again.
fn of_row(plan: &Plan<'_>, row: &Row<'_>) -> Vec<Access> {
    let verbs: &[&'static str] = match row.verdict {
        _ if row.ours => &[],
        // A job is made suspended, and released with a patch.
        Verdict::Create if jobs::is_job(row.entry.resource()) => &["create", "patch"],
        Verdict::Create | Verdict::Reattach => &["create"],
        Verdict::Update => &["patch"],
        Verdict::Unchanged | Verdict::Differs | Verdict::Skip | Verdict::Refuse => &[],
    };
    let target = plan.preparation.target(&row.entry.id());
    let access = |verb: &&'static str| Access {
        verb,
        resource: target.resource.clone(),
        namespace: target.namespace.clone(),
    };
    verbs.iter().map(access).collect()
}

//! What becomes of every object, decided before anything is changed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};
use serde::Serialize;

use super::Preparation;
use super::claims::{self, ClaimPlan};
use super::classify::{Tables, aggregated_apis};
use super::error::{Cause, Error};
use super::hooks::{self, PodHooks};
use super::identity::Identity;
use super::ignored;
use super::isolation;
use super::missing::{self, Missing};
use super::namespaces::Namespaces;
use super::parts;
use super::preflight::{Ready, Request};
use super::prepare::{self, Prepared};
use super::quiesce::{self, Quiesced};
use super::row::Row;
use super::select;
use super::staging;
use super::versions::{self, Versions};
use super::{alterations, children, classes, clones, earlier_jobs, earlier_volumes, existing};
use super::{
    fail_closed, live_operators, makers, mounters, node_ports, owners, reattach, snapshots,
    take_over, zones,
};
use crate::engine::archive::Entry;
use crate::engine::context::Context;
use crate::engine::model::Kind;
use crate::engine::model::kinds::{self, Step};
use crate::engine::model::zones::Zones;
use crate::engine::report::Problem;

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is made.
    Create,
    /// It is there, and the same.
    Unchanged,
    /// It is there and differs; it is left as it is.
    Differs,
    /// It is there and differs; it is changed to what the backup holds. A service account always gets
    /// what the backup's has beyond it, and loses nothing; what it says otherwise is changed only by
    /// `--existing-resource-policy=update`.
    Update,
    /// It is there and differs; it is deleted and made anew.
    Recreate,
    /// A volume comes back as the very disk that it was.
    Reattach,
    /// It is left out on purpose.
    Skip,
    /// It cannot be restored.
    Refuse,
}

/// How the reason of a claim begins that comes back without its data.
pub(super) const EMPTY: &str = "EMPTY";

impl Verdict {
    /// The word that plans print.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Unchanged => "unchanged",
            Self::Differs => "differs",
            Self::Update => "update",
            Self::Recreate => "recreate",
            Self::Reattach => "reattach",
            Self::Skip => "skip",
            Self::Refuse => "refuse",
        }
    }
}

/// When an object comes among the others of its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// A service that names its ports, lest the cluster gives them to one that does not; a pod with
    /// hooks, lest its controller makes another.
    First,
    /// What is between such a pod and its controller.
    Second,
    /// All others.
    Rest,
}

impl Turn {
    pub(super) const ALL: [Self; 3] = [Self::First, Self::Second, Self::Rest];
}

/// All that is decided.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// In the order of the steps.
    pub rows: Vec<Row<'a>>,
    pub claims: Vec<ClaimPlan<'a>>,
    /// What cannot come back, as the archive does not hold it.
    pub missing: Vec<Missing>,
    /// The claims, as they were backed up, that neither come back nor are in the target.
    pub lost: BTreeSet<ItemId>,
    /// Where the volumes of each provider go.
    pub zones: BTreeMap<&'static str, Zones>,
    /// What is odd about it, although it can be carried out.
    pub warnings: Vec<Problem>,
    /// What is run in pods once they are back.
    pub hooks: Vec<PodHooks>,
    /// Why some provider could not be asked all, where that is so: such a plan is not carried out.
    pub unanswered: Option<Error>,
    /// Namespaces of the target that neither exist nor are in the backup.
    pub bare_namespaces: Vec<String>,
    /// Namespaces of the target that are being deleted.
    pub ending: BTreeSet<String>,
    /// Workloads of the target that are scaled down meanwhile.
    pub quiesced: Vec<Quiesced>,
    /// What objects are prepared with.
    pub preparation: Preparation,
}

impl Plan<'_> {
    /// An object as it is made: read from the archive, and prepared for the target.
    pub(super) fn prepared(&self, ready: &Ready, row: &Row<'_>) -> Result<Prepared, Cause> {
        let (_, object) = select::read(ready, row.entry)?;
        Ok(prepare::prepare(&row.entry.id(), object, &self.preparation))
    }

    /// The providers that volumes are made by.
    pub(super) fn providers(&self) -> BTreeSet<&'static str> {
        let sources = self.claims.iter().filter_map(|claim| claim.source.as_ref());
        sources.map(|source| source.provider).collect()
    }

    /// Fails if some provider could not be asked all.
    ///
    /// Rights are to be asked for first: if one is missing, that says more.
    pub(super) fn check_answered(&mut self) -> Result<(), Error> {
        self.unanswered.take().map_or(Ok(()), Err)
    }
}

/// Decides what becomes of every object that is meant.
///
/// What was decided without an object that was left out when the archive was opened may be wrong, and is
/// decided anew.
pub(super) async fn plan<'a>(
    context: &Context,
    request: &Request,
    ready: &'a Ready,
    identity: &Identity,
) -> Result<Plan<'a>, Error> {
    let plan = decide(context, request, ready, identity).await;
    if !parts::complete(&context.store, &ready.opened).await? {
        return plan;
    }
    drop(plan);
    decide(context, request, ready, identity).await
}

async fn decide<'a>(
    context: &Context,
    request: &Request,
    ready: &'a Ready,
    identity: &Identity,
) -> Result<Plan<'a>, Error> {
    let namespaces = Namespaces::read(context, ready).await?;
    let mut plan = by_tables(context, request, ready, &namespaces, identity).await?;
    clones::meet(context, ready, request, &namespaces, &mut plan).await?;
    claims::plan(context, ready, request, &mut plan)?;
    existing::compare(context, ready, request, &namespaces, &mut plan).await?;
    let policy = request.spec.existing_resource_policy.unwrap_or_default();
    versions::look_at_definitions(ready, policy, &mut plan)?;
    earlier_jobs::leave(context, identity, &mut plan).await?;
    let quiet = quiesce::spare(&mut plan);
    node_ports::refuse(ready, &mut plan)?;
    take_over::decide(context, ready, request, &mut plan).await?;
    reattach::check(context, ready, request, &mut plan).await?;
    classes::check(context, ready, request, &mut plan).await?;
    look_at_volumes(context, ready, request, &mut plan).await?;
    // All claims are decided: now who would start on them.
    let mut refused = makers::refuse(context, ready, request, &mut plan).await?;
    refused.extend(mounters::refuse(ready, &mut plan)?);
    refused.extend(quiet);
    plan.bare_namespaces = bare_namespaces(&plan, &namespaces);
    let kept = hooks::plan(ready, request, &mut plan)?;
    leave_children_to_owners(&mut plan.rows, &refused, &kept);
    alterations::check(context, ready, &plan).await?;
    let operators = live_operators::look(context, ready, request, &plan).await;
    plan.warnings.extend(operators);
    earlier_volumes::tell(context, ready, &mut plan).await?;
    // Last: it holds what became of every owner.
    plan.preparation.owners = Some(owners::planned(&plan));
    Ok(plan)
}

/// Decides where volumes are made, and whether they can be.
async fn look_at_volumes(
    context: &Context,
    ready: &Ready,
    request: &Request,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    zones::place(context, ready, request, plan).await?;
    if plan.unanswered.is_none() {
        snapshots::look(context, ready, request, plan).await;
    }
    Ok(())
}

/// What the tables of kinds, and the objects among themselves, say: the target is asked about its
/// namespaces and definitions only.
async fn by_tables<'a>(
    context: &Context,
    request: &Request,
    ready: &'a Ready,
    namespaces: &Namespaces,
    identity: &Identity,
) -> Result<Plan<'a>, Error> {
    let mut preparation = preparation(request, ready, &identity.record.uid);
    alterations::ask_for(request, &mut preparation)?;
    let mut selected = select::select(ready)?;
    selected.retain(|it| !is_there_as_home(ready, &preparation, namespaces, &it.id()));
    let versions = Versions::of(context, ready, aggregated_apis(ready, &selected)?).await?;
    let tables = Tables { ready, request, versions: &versions, preparation: &preparation };
    let mut rows = Vec::with_capacity(selected.len());
    for entry in selected {
        rows.push(tables.classify(entry)?);
    }
    owners::identify(ready, &mut rows)?;
    if preparation.isolated {
        isolation::leave_out(&preparation, &mut rows);
    }
    let order = staging::arrange(ready, &preparation, namespaces, &mut rows)?;
    // In place; otherwise they stay in the order of the archive.
    rows.sort_unstable_by_key(|row| {
        (row.step, row.stage().map(|stage| stage.round), row.entry.index())
    });
    preparation.versions = versions.notes(ready, &rows);
    let (missing, mut warnings) = missing::plan(ready, request);
    warnings.extend(order);
    warnings.extend(ready.warnings.iter().cloned());
    warnings.extend(ignored::warning(&ready.opened.contents.ignored));
    let (quiesced, gone) = quiesce::plan(context, ready, request, identity.runs > 0).await?;
    warnings.extend(gone);
    warnings.extend(fail_closed::look(context, ready, &quiesced).await);
    Ok(Plan {
        rows,
        claims: Vec::new(),
        missing,
        lost: BTreeSet::new(),
        zones: BTreeMap::new(),
        warnings,
        hooks: Vec::new(),
        unanswered: None,
        bare_namespaces: Vec::new(),
        ending: namespaces.ending(),
        quiesced,
        preparation,
    })
}

fn preparation(request: &Request, ready: &Ready, uid: &str) -> Preparation {
    Preparation {
        namespaces: request.spec.namespace_mapping.clone(),
        backup: request.spec.backup_name.clone(),
        backup_uid: ready.opened.backup.metadata.uid.clone(),
        restore: request.name.clone(),
        restore_uid: uid.to_owned(),
        status: ready.status.clone(),
        preserve_node_ports: request.spec.preserve_node_ports == Some(true),
        finished_jobs: request.spec.restore_finished_jobs,
        isolated: request.spec.drill.is_some(),
        ..Preparation::default()
    }
}

/// Whether it is a namespace that the filters leave out, and that is there: it is left as it is.
fn is_there_as_home(
    ready: &Ready,
    preparation: &Preparation,
    namespaces: &Namespaces,
    id: &ItemId,
) -> bool {
    select::is_home_only(ready, id) && namespaces.contains(&preparation.target(id).name)
}

/// Namespaces that must be made although the backup does not hold them.
fn bare_namespaces(plan: &Plan<'_>, existing: &Namespaces) -> Vec<String> {
    if plan.preparation.isolated {
        // Those of a drill are made by the drill, closed off, or not at all.
        return Vec::new();
    }
    let (mut made, mut wanted) = (BTreeSet::new(), BTreeSet::new());
    for row in plan.rows.iter().filter(|row| row.verdict == Verdict::Create) {
        let ItemId { namespace, name, .. } = plan.preparation.target(&row.entry.id());
        if row.step == Step::Namespaces {
            made.insert(name);
        }
        wanted.extend(namespace);
    }
    wanted.into_iter().filter(|name| !made.contains(name) && !existing.contains(name)).collect()
}

/// Leaves out what the controller of a restored owner makes again, and what one that is refused would:
/// without it nobody looks after its children.
///
/// Those that are `kept` come back themselves.
fn leave_children_to_owners(
    rows: &mut [Row<'_>],
    refused: &BTreeSet<usize>,
    kept: &BTreeSet<usize>,
) {
    let by_uid = owners::by_uid(rows);
    let mut remade: BTreeMap<usize, String> = BTreeMap::new();
    // A pod's ReplicaSet is itself left to its Deployment: two rounds see the whole chain.
    for _ in 0..3 {
        for (index, row) in rows.iter().enumerate() {
            let decides = row.verdict != Verdict::Skip && !row.finished && !kept.contains(&index);
            let Some(reference) = row.controller().filter(|_| decides) else { continue };
            let owner = |uid: &str| {
                let owner = *by_uid.get(uid)?;
                let fate = match remade.contains_key(&owner) {
                    true => children::Fate::Remade,
                    false if refused.contains(&owner) => children::Fate::Refused,
                    false if has_run(&rows[owner]) => children::Fate::Finished,
                    false => fate(&rows[owner]),
                };
                Some(children::Owner { id: rows[owner].entry.id(), fate })
            };
            if let Some(reason) = children::left_to_owner(&row.entry.id(), reference, owner) {
                remade.insert(index, reason);
            }
        }
    }
    for (index, reason) in remade {
        rows[index].decide(Verdict::Skip, reason);
    }
}

/// Whether it is a job whose pods are not to run again.
fn has_run(owner: &Row<'_>) -> bool {
    owner.reason() == kinds::FINISHED_JOB || owner.reason() == earlier_jobs::RAN
}

fn fate(owner: &Row<'_>) -> children::Fate {
    match owner.verdict {
        Verdict::Differs => children::Fate::There,
        _ if owner.is_made() => children::Fate::Made,
        _ => children::Fate::Absent,
    }
}

/// The kind of an entry in the target.
pub(super) fn kind_of<'c>(
    catalog: &'c crate::engine::model::Catalog,
    entry: &Entry<'_>,
) -> Option<Cow<'c, Kind>> {
    let kind = catalog.get(entry.resource())?;
    if kind.version == entry.version() {
        return Some(Cow::Borrowed(kind));
    }
    Some(Cow::Owned(Kind { version: entry.version().to_owned(), ..kind.clone() }))
}

/// The group and version as objects name them: `apps/v1`, `v1`.
pub(super) fn api_version(resource: &GroupResource, version: &str) -> String {
    match resource.group.as_str() {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    }
}

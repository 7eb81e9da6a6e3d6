//! What becomes of every object, decided before anything is changed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bowline_api::{GroupResource, ItemId};
use serde::Serialize;

use super::Preparation;
use super::claims::{self, ClaimPlan};
use super::classify::{Tables, custom_kinds};
use super::error::Error;
use super::makers;
use super::missing::{self, Missing};
use super::preflight::{Ready, Request};
use super::select;
use super::{children, existing, reattach, snapshots, zones};
use crate::engine::archive::Entry;
use crate::engine::context::Context;
use crate::engine::model::kinds::Step;
use crate::engine::model::zones::Zones;
use crate::engine::model::{Kind, Meta};
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
    /// It is there, and gets what the backup's has beyond it.
    Update,
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
            Self::Reattach => "reattach",
            Self::Skip => "skip",
            Self::Refuse => "refuse",
        }
    }
}

/// One object of the plan.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub entry: Entry<'a>,
    pub step: Step,
    pub verdict: Verdict,
    pub reason: Cow<'static, str>,
    /// The identity of the object when it was backed up.
    pub uid: String,
    /// The identity of the live object, where it exists already and something refers to it.
    pub live_uid: Option<String>,
    /// Whether an interrupted run of this very restore made it.
    pub ours: bool,
    /// What would help, where it is refused.
    pub hint: Option<&'static str>,
    /// Whether it goes before the others of its step: a service that names its ports must, lest the
    /// cluster gives them to one that does not.
    pub first: bool,
    /// The metadata of objects that their owner may make again.
    pub child: Option<Box<Meta>>,
}

impl Row<'_> {
    pub(super) fn decide(&mut self, verdict: Verdict, reason: impl Into<Cow<'static, str>>) {
        self.verdict = verdict;
        self.reason = reason.into();
    }

    /// Whether it is a claim that comes back without its data.
    pub(super) fn is_empty(&self) -> bool {
        self.reason.starts_with(EMPTY)
    }

    /// Whether it is there once the plan is carried out.
    pub(super) fn is_made(&self) -> bool {
        matches!(
            self.verdict,
            Verdict::Create | Verdict::Unchanged | Verdict::Update | Verdict::Reattach
        )
    }
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
    /// Why some provider could not be asked all, where that is so: such a plan is not carried out.
    pub unanswered: Option<Error>,
    /// Namespaces of the target that neither exist nor are in the backup.
    pub bare_namespaces: Vec<String>,
    /// What objects are prepared with.
    pub preparation: Preparation,
}

impl Plan<'_> {
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

    /// The UIDs in the archive that some object of the plan refers to as its owner's.
    pub(super) fn wanted_owners(&self) -> HashSet<String> {
        let children = self.rows.iter().filter_map(|row| row.child.as_deref());
        children.flat_map(|meta| &meta.owner_references).map(|owner| owner.uid.clone()).collect()
    }
}

/// Decides what becomes of every object that is meant.
pub(super) async fn plan<'a>(
    context: &Context,
    request: &Request,
    ready: &'a Ready,
    uid: &str,
) -> Result<Plan<'a>, Error> {
    let preparation = preparation(request, ready, uid);
    let tables = Tables { ready, request, custom: custom_kinds(ready), preparation: &preparation };
    let mut rows = Vec::new();
    for selected in select::select(ready)? {
        rows.push(tables.classify(selected)?);
    }
    rows.sort_by_key(|row| row.step);
    let (missing, mut warnings) = missing::plan(ready, request);
    warnings.extend(ready.warnings.iter().cloned());
    let mut plan = Plan {
        rows,
        claims: Vec::new(),
        missing,
        lost: BTreeSet::new(),
        zones: BTreeMap::new(),
        warnings,
        unanswered: None,
        bare_namespaces: Vec::new(),
        preparation,
    };
    claims::plan(context, ready, request, &mut plan)?;
    let namespaces = existing::compare(context, ready, &mut plan).await?;
    reattach::check(context, ready, request, &mut plan).await?;
    let refused = makers::refuse(context, ready, request, &mut plan).await?;
    plan.bare_namespaces = bare_namespaces(&plan, &namespaces);
    leave_children_to_owners(&mut plan.rows, &refused);
    zones::place(context, ready, request, &mut plan).await?;
    if plan.unanswered.is_none() {
        snapshots::look(context, ready, request, &mut plan).await;
    }
    Ok(plan)
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
        ..Preparation::default()
    }
}

/// Namespaces that must be made although the backup does not hold them.
fn bare_namespaces(plan: &Plan<'_>, existing: &BTreeSet<String>) -> Vec<String> {
    let made: BTreeSet<String> = plan
        .rows
        .iter()
        .filter(|row| row.step == Step::Namespaces && row.verdict == Verdict::Create)
        .map(|row| plan.preparation.target(&row.entry.id()).name)
        .collect();
    let wanted: BTreeSet<String> = plan
        .rows
        .iter()
        .filter(|row| row.verdict == Verdict::Create)
        .filter_map(|row| plan.preparation.target(&row.entry.id()).namespace)
        .collect();
    wanted.into_iter().filter(|name| !made.contains(name) && !existing.contains(name)).collect()
}

/// Leaves out what the controller of a restored owner makes again, and what one that is refused would:
/// without it nobody looks after its children.
fn leave_children_to_owners(rows: &mut [Row<'_>], refused: &BTreeSet<usize>) {
    let by_uid: HashMap<String, usize> =
        rows.iter().enumerate().map(|(index, row)| (row.uid.clone(), index)).collect();
    let mut remade: BTreeMap<usize, String> = BTreeMap::new();
    // A pod's ReplicaSet is itself left to its Deployment: two rounds see the whole chain.
    for _ in 0..3 {
        for (index, row) in rows.iter().enumerate() {
            let Some(meta) = row.child.as_deref().filter(|_| row.verdict != Verdict::Skip) else {
                continue;
            };
            let owner = |uid: &str| {
                let owner = *by_uid.get(uid)?;
                let fate = match remade.contains_key(&owner) {
                    true => children::Fate::Remade,
                    false if refused.contains(&owner) => children::Fate::Refused,
                    false => fate(&rows[owner]),
                };
                Some(children::Owner { id: rows[owner].entry.id(), fate })
            };
            if let Some(reason) = children::left_to_owner(&row.entry.id(), meta, owner) {
                remade.insert(index, reason);
            }
        }
    }
    for (index, reason) in remade {
        rows[index].decide(Verdict::Skip, reason);
    }
}

fn fate(owner: &Row<'_>) -> children::Fate {
    if owner.is_made() { children::Fate::Made } else { children::Fate::Absent }
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

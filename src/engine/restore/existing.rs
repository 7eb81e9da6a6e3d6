//! What is there already, and whether it is the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bowline_api::GroupResource;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value};

use super::Preparation;
use super::autoscaled;
use super::claims;
use super::dependents;
use super::error::Error;
use super::existing_claims::{self, VOLUME_NAME, has_volume};
use super::judgement::{self, Judgement};
use super::namespaces::{AWAITED, Namespaces};
use super::originals;
use super::plan::{Plan, Verdict, kind_of};
use super::preflight::{Ready, Request};
use super::prepare;
use super::row::Row;
use super::same_volumes::SameVolumes;
use super::select;
use crate::engine::cluster::{self, ListScope, Listed};
use crate::engine::context::Context;
use crate::engine::model::Kind;
use crate::engine::model::fields::text_at;
use crate::engine::model::kinds::{Step, is_built_in_group};
use crate::engine::model::restore::ExistingResourcePolicy;
use crate::engine::report::chain;

/// Rows of one kind in one namespace of the target, or in all of it.
#[derive(Clone)]
struct Group {
    kind: Kind,
    namespace: Option<String>,
    rows: Vec<u32>,
}

impl Group {
    /// Whether it is of several namespaces, listed as one.
    fn is_whole(&self) -> bool {
        self.kind.namespaced && self.namespace.is_none()
    }
}

/// What the live object of a row says.
struct Found {
    row: usize,
    judgement: Judgement,
    uid: String,
    ours: bool,
    /// Whether it is being deleted, so that it counts for nothing.
    dying: bool,
}

/// What a list in the target told.
enum Look {
    /// What is there of a group.
    Seen(Vec<Found>),
    /// The API is served and does not answer: of these rows nothing is known.
    Blind { rows: Vec<usize>, reason: String },
}

impl Look {
    fn tell(self, rows: &mut [Row<'_>]) {
        match self {
            Self::Seen(found) => found.into_iter().for_each(|it| decide(&mut rows[it.row], it)),
            Self::Blind { rows: unknown, reason } => {
                for row in unknown {
                    refuse(&mut rows[row], &reason);
                }
            }
        }
    }
}

/// Of what may be there already nobody knows what making it would come to.
fn refuse(row: &mut Row<'_>, reason: &str) {
    // A claim that cannot have its volume is refused for that.
    if row.verdict == Verdict::Create {
        row.decide(Verdict::Refuse, reason.to_owned());
        row.more_mut().hint = Some(MUST_ANSWER);
    }
}

/// What helps where an API does not answer.
const MUST_ANSWER: &str = "see that what serves its API answers, a backend or a conversion webhook; \
     bowline restore resume then makes it";

/// What live objects are judged by.
struct Judge<'a> {
    context: &'a Context,
    ready: &'a Ready,
    rows: &'a [Row<'a>],
    preparation: &'a Preparation,
    volumes: SameVolumes,
    policy: ExistingResourcePolicy,
}

/// Compares what would be made with what is there.
pub(super) async fn compare(
    context: &Context,
    ready: &Ready,
    request: &Request,
    namespaces: &Namespaces,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    let scaled = scaled_namespaces(plan, namespaces);
    let scalers = autoscaled::scalers();
    let is_whole = is_listed_whole(context, namespaces, &scalers, scaled.len()).await;
    let scaled = (!is_whole).then_some(scaled);
    let targets = autoscaled::targets(context, &ready.catalog, scaled).await;
    plan.preparation.autoscaled = targets.map_err(Error::Cluster)?;
    let groups = together(context, namespaces, groups(ready, plan, namespaces)).await;
    let policy = request.spec.existing_resource_policy.unwrap_or_default();
    let volumes = if groups.iter().any(|group| group.kind.resource == claims::claims()) {
        SameVolumes::read(context, ready, plan).await?
    } else {
        SameVolumes::default()
    };
    let Plan { rows, preparation, .. } = &*plan;
    let judge = Judge { context, ready, rows, preparation, volumes, policy };
    let judge = &judge;
    let found: Vec<Vec<Look>> = stream::iter(groups)
        .map(|group| async move { judge.look(group).await })
        .buffer_unordered(context.limits.lists)
        .try_collect()
        .await?;
    for look in found.into_iter().flatten() {
        look.tell(&mut plan.rows);
    }
    dependents::spare(context, ready, plan).await
}

fn decide(row: &mut Row<'_>, found: Found) {
    if found.dying {
        // What cannot come back is not awaited either.
        if row.verdict != Verdict::Refuse {
            row.dying = true;
            row.explain(AWAITED);
        }
        return;
    }
    let Judgement { verdict, reason, hint, differences, seen } = found.judgement;
    // What an interrupted run of this restore made is as it should be; jobs wait to be released.
    let stays = matches!(verdict, Verdict::Differs | Verdict::Update | Verdict::Recreate);
    row.decide(if found.ours && stays { Verdict::Unchanged } else { verdict }, reason);
    row.ours = found.ours;
    let more = row.more_mut();
    (more.hint, more.differences, more.seen) = (hint, differences, seen);
    more.live_uid = Some(found.uid);
}

/// Namespaces of the target in which something is compared that an autoscaler may scale.
fn scaled_namespaces(plan: &Plan<'_>, namespaces: &Namespaces) -> BTreeSet<String> {
    let rows = plan.rows.iter().filter(|row| autoscaled::may_be_scaled(row.entry.resource()));
    let all = rows.filter_map(|row| plan.preparation.target(&row.entry.id()).namespace);
    all.filter(|namespace| namespaces.contains(namespace)).collect()
}

/// Lists all objects of a kind in the target.
pub(super) async fn list(
    context: &Context,
    ready: &Ready,
    resource: &GroupResource,
) -> Result<Vec<Listed>, Error> {
    let Some(kind) = ready.catalog.get(resource) else { return Ok(Vec::new()) };
    let pages = context.cluster.list(kind, &ListScope::default());
    let pages: Vec<Vec<Listed>> =
        pages.map_ok(|page| page.items).try_collect().await.map_err(Error::Cluster)?;
    Ok(pages.into_iter().flatten().collect())
}

/// So many lists of single namespaces are no burden.
const FEW: usize = 16;

/// Whether a kind is to be listed in the whole target rather than in so many of its namespaces: they
/// are at least half of it, and that is allowed.
async fn is_listed_whole(
    context: &Context,
    namespaces: &Namespaces,
    resource: &GroupResource,
    count: usize,
) -> bool {
    let is_most = count > FEW && count * 2 >= namespaces.count();
    is_most && context.cluster.can_i("list", resource, None).await.is_ok_and(|it| it.allowed)
}

/// Puts the groups of a kind together that are listed as one.
async fn together(context: &Context, namespaces: &Namespaces, groups: Vec<Group>) -> Vec<Group> {
    let is_of_one_kind = |one: &Group, other: &Group| one.kind == other.kind;
    let of_kind = stream::iter(groups.chunk_by(is_of_one_kind)).map(|of_kind| async move {
        let [Group { kind, namespace: Some(_), .. }, ..] = of_kind else { return of_kind.to_vec() };
        if !is_listed_whole(context, namespaces, &kind.resource, of_kind.len()).await {
            return of_kind.to_vec();
        }
        let rows = of_kind.iter().flat_map(|group| group.rows.iter().copied()).collect();
        vec![Group { kind: kind.clone(), namespace: None, rows }]
    });
    of_kind.buffered(context.limits.lists).collect::<Vec<_>>().await.concat()
}

fn groups(ready: &Ready, plan: &Plan<'_>, namespaces: &Namespaces) -> Vec<Group> {
    let mut groups: BTreeMap<(GroupResource, String, Option<String>), Group> = BTreeMap::new();
    for (index, row) in (0..).zip(&plan.rows) {
        if !is_compared(row) || row.step == Step::Volumes {
            continue;
        }
        let target = plan.preparation.target(&row.entry.id());
        if target.namespace.as_ref().is_some_and(|namespace| !namespaces.contains(namespace)) {
            continue;
        }
        let Some(kind) = kind_of(&ready.catalog, &row.entry) else { continue };
        let key = (target.resource, kind.version.clone(), target.namespace.clone());
        let group = groups.entry(key).or_insert_with(|| Group {
            kind: kind.into_owned(),
            namespace: target.namespace,
            rows: Vec::new(),
        });
        group.rows.push(index);
    }
    groups.into_values().collect()
}

/// What names an object among those of its kind.
fn key(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

/// A claim that cannot have its volume may be there with the very one that it had.
fn is_compared(row: &Row<'_>) -> bool {
    let is_claim = *row.entry.resource() == claims::claims();
    row.verdict == Verdict::Create || is_claim && row.verdict == Verdict::Refuse
}

/// Whether it is this list alone that cannot be had: the API server lets us in, and somebody else
/// serves or converts these objects.
fn is_of_one_api(kind: &Kind, error: &cluster::Error) -> bool {
    let is_answer = error.status().is_some_and(|code| !matches!(code, 401 | 403));
    is_answer && !is_built_in_group(&kind.resource.group)
}

/// What a list told of a group; one API that does not answer does not keep all others from being
/// restored.
fn told(group: Group, found: Result<Vec<Found>, Error>) -> Result<Look, Error> {
    match found {
        Ok(found) => Ok(Look::Seen(found)),
        Err(Error::Cluster(error)) if is_of_one_api(&group.kind, &error) => Ok(Look::Blind {
            rows: group.rows.into_iter().map(|row| row as usize).collect(),
            reason: format!("whether it is there is not known: {}", chain(&error)),
        }),
        Err(error) => Err(error),
    }
}

impl Judge<'_> {
    /// Looks for what is there. What keeps a list of all namespaces from being read may be in one that
    /// the restore has nothing to do with.
    async fn look(&self, group: Group) -> Result<Vec<Look>, Error> {
        match self.look_up(&group).await {
            Err(Error::Cluster(error)) if group.is_whole() && !error.is_unreachable() => {
                let parts = stream::iter(self.parts(group));
                let looks = parts.then(|part| async move {
                    let found = self.look_up(&part).await;
                    told(part, found)
                });
                looks.try_collect().await
            }
            found => Ok(vec![told(group, found)?]),
        }
    }

    /// A group of several namespaces, namespace by namespace.
    fn parts(&self, group: Group) -> Vec<Group> {
        let mut parts: BTreeMap<Option<String>, Vec<u32>> = BTreeMap::new();
        for row in group.rows {
            let id = self.preparation.target(&self.rows[row as usize].entry.id());
            parts.entry(id.namespace).or_default().push(row);
        }
        let part = |(namespace, rows)| Group { kind: group.kind.clone(), namespace, rows };
        parts.into_iter().map(part).collect()
    }

    async fn look_up(&self, group: &Group) -> Result<Vec<Found>, Error> {
        let named = |&row: &u32| {
            let id = self.preparation.target(&self.rows[row as usize].entry.id());
            (key(id.namespace.as_deref(), &id.name), row as usize)
        };
        let rows: HashMap<String, usize> = group.rows.iter().map(named).collect();
        let scope = ListScope { namespace: group.namespace.clone(), label_selector: None };
        let mut pages = self.context.cluster.list(&group.kind, &scope);
        let mut found = Vec::new();
        while let Some(page) = pages.try_next().await.map_err(Error::Cluster)? {
            let row_of = |listed: &Listed| {
                let key = key(listed.meta.namespace.as_deref(), &listed.meta.name);
                rows.get(&key).copied()
            };
            for (row, listed) in page.items.iter().filter_map(|it| Some((row_of(it)?, it))) {
                found.extend(self.judge(row, listed)?);
            }
        }
        Ok(found)
    }

    /// The volume of the backup's claim, if the target's of that name is the very same.
    fn recorded_volume(
        &self,
        row: &Row<'_>,
        claim: &Map<String, Value>,
        listed: &Listed,
    ) -> Result<Option<String>, Error> {
        let is_claim = *row.entry.resource() == claims::claims();
        let Some(name) = text_at(claim, VOLUME_NAME).filter(|_| is_claim) else {
            return Ok(None);
        };
        // A claim keeps its volume for life.
        let recorded = text_at(claim, &["metadata", "uid"]);
        let is_same = recorded == Some(&listed.meta.uid) || self.volumes.has(self.ready, name)?;
        Ok(is_same.then(|| name.to_owned()))
    }

    fn judge(&self, index: usize, listed: &Listed) -> Result<Option<Found>, Error> {
        let row = &self.rows[index];
        let id = row.entry.id();
        let object = select::object(self.ready, row.entry)?;
        let recorded = self.recorded_volume(row, &object, listed)?;
        let mut prepared = prepare::prepare(&id, object, self.preparation);
        let live: Map<String, Value> = serde_json::from_slice(&listed.json).unwrap_or_default();
        if row.verdict == Verdict::Refuse && !has_volume(&live, recorded.as_deref()) {
            return Ok(None);
        }
        let targets = &self.preparation.autoscaled;
        autoscaled::keep_replicas(targets, &prepared.id, &mut prepared.object, &live);
        let restore = listed.meta.labels.get(prepare::RESTORE_UID_LABEL);
        let ours = restore == Some(&self.preparation.restore_uid);
        let of_claim = (id.resource == claims::claims())
            .then(|| existing_claims::judge(ours, recorded.as_deref(), &prepared.object, &live));
        let judgement = match of_claim.flatten() {
            Some((verdict, reason)) => Judgement::new(verdict, reason),
            None => judgement::judge(self.policy, &prepared.id, &prepared.object, &live),
        };
        let judgement = originals::leave(self.preparation, &prepared.id, &live, judgement);
        let (uid, dying) = (listed.meta.uid.clone(), listed.meta.deletion_timestamp.is_some());
        Ok(Some(Found { row: index, judgement, uid, ours, dying }))
    }
}

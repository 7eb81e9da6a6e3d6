//! Who owns what, across the change of all UIDs.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bowline_api::ItemId;
use serde_json::{Value, json};

use super::actions::Draft;
use super::error::Error;
use super::plan::{Plan, Verdict, kind_of};
use super::preflight::Ready;
use super::row::Row;
use super::select;
use crate::engine::cluster::Object;
use crate::engine::model::fields::text_at;
use crate::engine::model::{Catalog, Kind};

/// What the plan does about an owner that some object of it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedOwner {
    /// Where it lives, as recorded; none if it is cluster-scoped.
    pub namespace: Option<String>,
    /// Why it is not there afterwards, if so.
    pub lost: Option<&'static str>,
}

/// What becomes of the owners that objects of a plan name, by their recorded UIDs.
pub(super) type PlannedOwners = HashMap<String, PlannedOwner>;

/// The rows of owners by the identity that these had.
pub(super) type ByUid = HashMap<String, usize>;

/// Tells what becomes of every owner that is named.
pub(super) fn planned(plan: &Plan<'_>) -> PlannedOwners {
    let owners = plan.rows.iter().filter_map(|row| Some((row.uid()?, row)));
    owners.map(|(uid, row)| (uid.to_owned(), PlannedOwner::of(row))).collect()
}

/// Notes the identity that each owner had that some object of the plan names.
pub(super) fn identify(ready: &Ready, rows: &mut [Row<'_>]) -> Result<(), Error> {
    let named = rows.iter().flat_map(Row::owners);
    let named: HashMap<String, String> =
        named.map(|owner| (owner.uid.clone(), owner.name.clone())).collect();
    let candidates: HashSet<&str> = named.values().map(String::as_str).collect();
    for row in rows.iter_mut().filter(|row| candidates.contains(row.entry.name())) {
        let (meta, _) = select::read(ready, row.entry).map_err(|it| select::damaged(ready, it))?;
        if named.contains_key(&meta.uid) {
            row.more_mut().uid = Some(meta.uid);
        }
    }
    Ok(())
}

/// The rows of the owners that some object of the plan names, by the identity that these had.
pub(super) fn by_uid(rows: &[Row<'_>]) -> ByUid {
    let owners = rows.iter().enumerate();
    owners.filter_map(|(index, row)| Some((row.uid()?.to_owned(), index))).collect()
}

impl PlannedOwner {
    fn of(row: &Row<'_>) -> Self {
        let lost = match row.verdict {
            Verdict::Skip => Some("it is skipped"),
            Verdict::Refuse => Some("it is refused"),
            _ => None,
        };
        Self { namespace: row.entry.namespace().map(str::to_owned), lost }
    }
}

/// Keeps the references to owners that come back and may own the object; names the others.
pub(super) fn keep(draft: &mut Draft<'_>, references: Vec<Value>) -> Vec<Value> {
    let Some(owners) = &draft.context.owners else { return references };
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for reference in references {
        match fault(owners, draft.id, &reference) {
            None => kept.push(reference),
            Some(reason) => dropped.push(format!("owner {} dropped: {reason}", words(&reference))),
        }
    }
    draft.changes.extend(dropped);
    kept
}

/// Why a reference can't be put back. The garbage collector takes what only has owners that are not
/// there, or that live in another namespace.
fn fault(owners: &PlannedOwners, id: &ItemId, reference: &Value) -> Option<&'static str> {
    let Some(owner) = reference["uid"].as_str().and_then(|uid| owners.get(uid)) else {
        return Some("it is not a part of this restore");
    };
    if owner.namespace.is_some() && owner.namespace != id.namespace {
        return Some("it lives in another namespace");
    }
    owner.lost
}

/// An owner as people name it: `Widget main`.
pub(super) fn words(reference: &Value) -> String {
    let text = |key: &str| reference[key].as_str().unwrap_or_default();
    format!("{} {}", text("kind"), text("name"))
}

/// An owner in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub uid: String,
    pub kind: Kind,
    pub id: ItemId,
}

impl Known {
    /// The reference to it, otherwise as it was recorded.
    pub(super) fn renew(&self, reference: &Value) -> Value {
        let mut renewed = reference.clone();
        renewed["uid"] = json!(self.uid);
        renewed["name"] = json!(self.id.name);
        renewed["apiVersion"] = json!(self.kind.api_version());
        renewed
    }
}

/// The owners of this restore as far as they are there, and the objects that still lack something.
#[derive(Debug)]
pub(super) struct Owners {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What is there, by the UIDs in the archive.
    known: HashMap<String, Known>,
    /// New UIDs of owners that were seen alive in this step.
    alive: HashSet<String>,
    unlinked: Vec<Unlinked>,
}

/// An object that was made without all that it had.
#[derive(Clone, Debug)]
pub(super) struct Unlinked {
    pub row: usize,
    pub kind: Kind,
    /// The recorded UID of an owner that it waits for.
    pub awaits: Option<String>,
}

impl Owners {
    /// Starts with what the plan knows of objects that exist already.
    pub(super) fn new(plan: &Plan<'_>, catalog: &Catalog) -> Self {
        let lives = |row: &&Row<'_>| row.verdict != Verdict::Recreate;
        let known = plan.rows.iter().filter(lives).filter_map(|row| {
            let old = row.uid()?.to_owned();
            let uid = row.live_uid().filter(|_| PlannedOwner::of(row).lost.is_none())?;
            let kind = kind_of(catalog, &row.entry)?.into_owned();
            let id = plan.preparation.target(&row.entry.id());
            Some((old, Known { uid: uid.to_owned(), kind, id }))
        });
        Self { state: Mutex::new(State { known: known.collect(), ..State::default() }) }
    }

    /// An object was made: what refers to its old UID, if anything does, may now refer to the new one.
    pub(super) fn made(&self, old: Option<&str>, kind: &Kind, id: &ItemId, object: &Object) {
        let Some(old) = old else { return };
        let Some(uid) = text_at(object, &["metadata", "uid"]) else { return };
        let known = Known { uid: uid.to_owned(), kind: kind.clone(), id: id.clone() };
        let mut state = self.state();
        state.alive.insert(uid.to_owned());
        state.known.insert(old.to_owned(), known);
    }

    /// An owner in the target, by its recorded UID.
    pub(super) fn find(&self, old: &str) -> Option<Known> {
        self.state().known.get(old).cloned()
    }

    /// Whether an owner was seen alive in this step.
    pub(super) fn is_alive(&self, uid: &str) -> bool {
        self.state().alive.contains(uid)
    }

    /// An owner was seen alive.
    pub(super) fn saw_alive(&self, uid: &str) {
        self.state().alive.insert(uid.to_owned());
    }

    /// A step is over: what is alive has to be seen anew.
    pub(super) fn forget_who_is_alive(&self) {
        self.state().alive.clear();
    }

    /// An object was made that still lacks something.
    pub(super) fn remember(&self, unlinked: Unlinked) {
        self.state().unlinked.push(unlinked);
    }

    /// Takes the objects that wait for no owner any more; or all of them, where none will come.
    pub(super) fn take(&self, all: bool) -> Vec<Unlinked> {
        let mut state = self.state();
        let State { known, unlinked, .. } = &mut *state;
        let is_due =
            |it: &mut Unlinked| all || it.awaits.as_ref().is_none_or(|uid| known.contains_key(uid));
        let due = unlinked.extract_if(.., is_due).collect();
        drop(state);
        due
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::restore::Preparation;
    use crate::engine::restore::prepare::{Prepared, prepare};

    fn owner(namespace: Option<&str>, lost: Option<&'static str>) -> PlannedOwner {
        PlannedOwner { namespace: namespace.map(str::to_owned), lost }
    }

    fn prepared(id: &str, uid: &str, owners: Option<PlannedOwners>) -> Prepared {
        let context = Preparation {
            owners,
            namespaces: [("shop".to_owned(), "copy".to_owned())].into(),
            ..Preparation::default()
        };
        let references = json!([{"apiVersion": "example.com/v1", "kind": "Widget", "name": "main",
            "uid": uid, "controller": true}]);
        let object = json!({"metadata": {"ownerReferences": references}});
        prepare(&id.parse().unwrap(), object.as_object().cloned().unwrap(), &context)
    }

    #[test]
    fn a_reference_that_cannot_be_put_back_is_dropped_and_named_in_the_plan() {
        let owners = || {
            PlannedOwners::from([
                ("here".to_owned(), owner(Some("shop"), None)),
                ("cluster".to_owned(), owner(None, None)),
                ("elsewhere".to_owned(), owner(Some("other"), None)),
                ("skipped".to_owned(), owner(Some("shop"), Some("it is skipped"))),
            ])
        };
        let told = |id: &str, uid: &str| {
            let it = prepared(id, uid, Some(owners()));
            assert_eq!(it.owners.is_empty(), it.changes.iter().any(|it| it.contains("dropped")));
            it.changes.into_iter().find(|it| it.starts_with("owner"))
        };
        let dropped = |reason: &str| Some(format!("owner Widget main dropped: {reason}"));
        assert_eq!(told("configmaps/shop/c", "here"), None);
        assert_eq!(told("configmaps/shop/c", "cluster"), None);
        assert_eq!(
            told("configmaps/shop/c", "elsewhere"),
            dropped("it lives in another namespace")
        );
        assert_eq!(told("clusterroles.x.io/c", "here"), dropped("it lives in another namespace"));
        assert_eq!(told("configmaps/shop/c", "skipped"), dropped("it is skipped"));
        assert_eq!(
            told("persistentvolumeclaims/shop/data", "dead"),
            dropped("it is not a part of this restore")
        );
    }

    #[test]
    fn before_the_plan_is_made_no_reference_is_judged() {
        assert_eq!(prepared("configmaps/shop/c", "dead", None).owners.len(), 1);
    }

    #[test]
    fn a_reference_follows_its_owner_to_its_new_identity_name_and_version() {
        let kind = Kind {
            resource: "widgets.example.com".parse().unwrap(),
            version: "v2".to_owned(),
            kind: "Widget".to_owned(),
            singular: String::new(),
            short_names: Vec::new(),
            namespaced: true,
            verbs: Vec::new(),
        };
        let id = "widgets.example.com/copy/main".parse().unwrap();
        let known = Known { uid: "new".to_owned(), kind, id };
        let recorded = json!({"apiVersion": "example.com/v1", "kind": "Widget", "name": "main",
            "uid": "old", "controller": true, "blockOwnerDeletion": true});
        let expected = json!({"apiVersion": "example.com/v2", "kind": "Widget", "name": "main",
            "uid": "new", "controller": true, "blockOwnerDeletion": true});
        assert_eq!(known.renew(&recorded), expected);
    }
}

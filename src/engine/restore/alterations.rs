//! What a person wants changed about objects, held against the backup and the target before anything
//! is done: nothing that is asked for may turn out to mean nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};

use super::Preparation;
use super::error::Error as RestoreError;
use super::isolation;
use super::maps::Use;
use super::plan::{Plan, Verdict};
use super::preflight::{Ready, Request};
use super::select::damaged;
use crate::engine::context::Context;
use crate::engine::model::modifier::Modifiers;
use crate::engine::model::policy::{self, Origin};

/// Of how many objects is told that a modifier does not fit them.
const TOLD: usize = 5;

/// Why what a person wants changed cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The resource modifiers cannot be understood.
    #[error("the resource modifiers cannot be used")]
    Modifiers(#[from] policy::Error),
    /// The `ConfigMap` with the resource modifiers does not exist.
    #[error(
        "ConfigMap \"{name}\" with the resource modifiers does not exist in namespace \"{namespace}\""
    )]
    UnknownModifiers {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A rule would change nothing.
    #[error("modifier rule {rule} ({resources}) matches no object of this restore")]
    UnusedRule {
        /// Which rule, from 1.
        rule: usize,
        /// Its kinds.
        resources: String,
    },
    /// A rule would change nothing, as what it matches is not made.
    #[error("modifier rule {rule} ({resources}) matches no object that is made: {id} ({reason})")]
    IdleRule {
        /// Which rule, from 1.
        rule: usize,
        /// Its kinds.
        resources: String,
        /// One of the objects that it matches.
        id: Box<ItemId>,
        /// What becomes of that one, and why.
        reason: String,
    },
    /// Rules do not fit objects that they match.
    #[error("the resource modifiers do not fit: {}", faults.join("; "))]
    Unfit {
        /// What does not fit what.
        faults: Vec<String>,
    },
    /// An entry of a map would change nothing.
    #[error("{flag} maps \"{old}\", which no object of this restore names")]
    UnusedMapping {
        /// The flag.
        flag: &'static str,
        /// What is mapped.
        old: String,
    },
    /// A storage class is nowhere.
    #[error(
        "storage class \"{name}\" (--storage-class-mappings) is neither in the target nor restored"
    )]
    UnknownStorageClass {
        /// Its name.
        name: String,
    },
}

impl Error {
    /// What would help.
    pub fn hint(&self) -> Cow<'static, str> {
        match self {
            Self::Modifiers(error) => error.hint().into(),
            Self::UnknownModifiers { .. } => {
                "a bare NAME means namespace velero; elsewhere it is NAMESPACE/NAME".into()
            }
            Self::UnusedRule { .. } => {
                "its conditions go by the names and namespaces in the backup; take the rule out if \
                 it is for another one"
                    .into()
            }
            Self::IdleRule { .. } => {
                "nothing was changed; bowline restore create --dry-run without the rule shows what \
                 becomes of each object"
                    .into()
            }
            Self::Unfit { .. } => {
                "nothing was changed; narrow the rule's conditions, or put a test \
                                   before it: where that does not hold, the rule is left out"
                    .into()
            }
            Self::UnusedMapping { .. } => {
                "bowline restore create --dry-run shows what is named; leave the entry out".into()
            }
            Self::UnknownStorageClass { .. } => {
                "kubectl get storageclasses shows what there is; make it first".into()
            }
        }
    }
}

/// Reads the resource modifiers that are in a `ConfigMap`: from here on the request holds them.
pub(super) async fn load<'a>(
    context: &Context,
    request: &'a Request,
) -> Result<Cow<'a, Request>, RestoreError> {
    let spec = &request.spec;
    let Some(place) =
        spec.resource_modifier.as_ref().filter(|_| spec.resource_modifier_rules.is_none())
    else {
        return Ok(Cow::Borrowed(request));
    };
    let (namespace, name) = (place.namespace.clone(), place.name.clone());
    let catalog = context.cluster.catalog().await.map_err(RestoreError::Cluster)?;
    let kind = catalog.get(&GroupResource::core("configmaps"));
    let found = match kind {
        Some(kind) => context.cluster.get(kind, Some(&namespace), &name).await,
        None => Ok(None),
    };
    let Some(found) = found.map_err(RestoreError::Cluster)? else {
        return Err(Error::UnknownModifiers { namespace, name }.into());
    };
    let text = policy::only_text(&found).map_err(|fault| {
        Error::Modifiers(policy::Error { origin: Origin::ConfigMap { namespace, name }, fault })
    })?;
    let mut request = request.clone();
    request.spec.resource_modifier_rules = Some(text.to_owned());
    Ok(Cow::Owned(request))
}

/// Tells the preparation of objects what is to be changed about them.
pub(super) fn ask_for(request: &Request, preparation: &mut Preparation) -> Result<(), Error> {
    let spec = &request.spec;
    spec.storage_class_mapping.clone_into(&mut preparation.storage_classes);
    spec.image_mapping.clone_into(&mut preparation.images);
    let Some(text) = &spec.resource_modifier_rules else { return Ok(()) };
    let origin = match spec.resource_modifier.clone() {
        Some(place) => Origin::ConfigMap { namespace: place.namespace, name: place.name },
        None => Origin::File("of the restore".to_owned()),
    };
    preparation.modifiers = Modifiers::read(origin, text)?;
    Ok(())
}

/// Checks that every rule and every entry of a map changes something, that every rule fits what it
/// matches, and that storage classes are there.
pub(super) async fn check(
    context: &Context,
    ready: &Ready,
    plan: &Plan<'_>,
) -> Result<(), RestoreError> {
    let Preparation { modifiers, storage_classes, images, .. } = &plan.preparation;
    if modifiers.rules().is_empty() && storage_classes.is_empty() && images.is_empty() {
        return Ok(());
    }
    let Uses { uses, idle } = uses(ready, plan)?;
    for (index, rule) in modifiers.rules().iter().enumerate() {
        if uses.contains(&Use::Rule(index)) {
            continue;
        }
        let (rule, resources) = (index + 1, rule.conditions.resources().to_owned());
        let error = match idle.get(&index).map(|row| &plan.rows[*row]) {
            Some(row) => {
                let (id, reason) =
                    (row.entry.id(), format!("{}: {}", row.verdict.word(), row.reason()));
                Error::IdleRule { rule, resources, id: Box::new(id), reason }
            }
            None => Error::UnusedRule { rule, resources },
        };
        return Err(error.into());
    }
    for (old, new) in storage_classes {
        if !uses.contains(&Use::StorageClass(old.clone())) {
            return Err(unused("--storage-class-mappings", old));
        }
        check_class(context, ready, plan, new).await?;
    }
    match images.keys().find(|old| !uses.contains(&Use::Image((*old).clone()))) {
        Some(old) => Err(unused("--image-mappings", old)),
        None => Ok(()),
    }
}

fn unused(flag: &'static str, old: &str) -> RestoreError {
    Error::UnusedMapping { flag, old: old.to_owned() }.into()
}

/// What is made use of by the objects of the plan.
#[derive(Default)]
struct Uses {
    /// Entries of maps, whatever becomes of the object; rules only if it is made, or was.
    uses: BTreeSet<Use>,
    /// Rules that match an object which is not made: the first such row.
    idle: BTreeMap<usize, usize>,
}

impl Uses {
    fn take(&mut self, index: usize, is_made: bool, used: Vec<Use>) {
        for used in used {
            match used {
                Use::Rule(rule) if !is_made => {
                    self.idle.entry(rule).or_insert(index);
                }
                used => drop(self.uses.insert(used)),
            }
        }
    }
}

/// What is made use of; fails if a rule does not fit an object that may be made.
fn uses(ready: &Ready, plan: &Plan<'_>) -> Result<Uses, RestoreError> {
    let mut uses = Uses::default();
    let mut faults = Vec::new();
    for (index, row) in plan.rows.iter().enumerate() {
        let prepared = plan.prepared(ready, row).map_err(|cause| damaged(ready, cause))?;
        // What only a drill leaves out is made by the restore that it rehearses.
        let is_made = row.is_made() || isolation::is_left_out(&plan.preparation, row);
        uses.take(index, is_made, prepared.uses);
        let is_left = matches!(row.verdict, Verdict::Skip | Verdict::Refuse);
        faults.extend(
            prepared.fault.filter(|_| !is_left).map(|fault| format!("{}: {fault}", row.entry.id())),
        );
    }
    if faults.is_empty() {
        return Ok(uses);
    }
    let more = faults.len().saturating_sub(TOLD);
    faults.truncate(TOLD);
    if more > 0 {
        faults.push(format!("and {more} more objects"));
    }
    Err(Error::Unfit { faults }.into())
}

async fn check_class(
    context: &Context,
    ready: &Ready,
    plan: &Plan<'_>,
    name: &str,
) -> Result<(), RestoreError> {
    let resource = GroupResource::new("storage.k8s.io", "storageclasses");
    let id = ItemId::cluster(resource.clone(), name);
    if plan.rows.iter().any(|row| row.is_made() && row.entry.id() == id) {
        return Ok(());
    }
    let Some(kind) = ready.catalog.get(&resource) else { return Ok(()) };
    match context.cluster.get(kind, None, name).await.map_err(RestoreError::Cluster)? {
        Some(_) => Ok(()),
        None => Err(Error::UnknownStorageClass { name: name.to_owned() }.into()),
    }
}

//! A plan as people and programs read it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::Error;
use super::missing::Missing;
use super::plan::{Plan, Row, Verdict};
use super::preflight::{Ready, Request};
use super::prepare;
use super::select::{self, damaged};
use crate::engine::context::Right;
use crate::engine::model::kinds::{self, Step};
use crate::engine::report::Problem;

/// One object of the plan, as it is printed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlannedItem {
    /// The step in which it is dealt with.
    pub step: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// The group and resource.
    pub resource: String,
    /// The namespace in the target.
    pub namespace: Option<String>,
    /// The name in the target.
    pub name: String,
    /// Why.
    pub reason: Option<String>,
    /// How it is changed before it is made.
    pub transformations: Vec<String>,
}

/// The whole plan, as it is printed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlanDocument {
    /// The restore's name.
    pub name: String,
    /// The backup.
    pub backup: String,
    /// Namespaces that come back under another name.
    pub namespace_mapping: BTreeMap<String, String>,
    /// How many objects have which verdict.
    pub counts: BTreeMap<&'static str, u64>,
    /// Every object, in the order of the steps.
    pub items: Vec<PlannedItem>,
    /// What the restore needs to be allowed, and whether it is.
    pub rights: Vec<Right>,
    /// What is odd about it, although it can be carried out.
    pub warnings: Vec<Problem>,
}

/// Writes a plan out as people and programs read it.
pub(super) fn write(
    request: &Request,
    ready: &Ready,
    plan: &Plan<'_>,
    rights: Vec<Right>,
) -> Result<PlanDocument, Error> {
    let mut items: Vec<PlannedItem> =
        plan.bare_namespaces.iter().map(|name| bare_namespace(name)).collect();
    for row in &plan.rows {
        items.push(planned(ready, plan, row)?);
    }
    items.extend(plan.missing.iter().map(|missing| not_held(plan, missing)));
    let mut counts = BTreeMap::new();
    for item in &items {
        *counts.entry(item.verdict.word()).or_insert(0) += 1;
    }
    Ok(PlanDocument {
        name: request.name.clone(),
        backup: request.spec.backup_name.clone(),
        namespace_mapping: request.spec.namespace_mapping.clone(),
        counts,
        items,
        rights,
        warnings: plan.warnings.clone(),
    })
}

fn bare_namespace(name: &str) -> PlannedItem {
    PlannedItem {
        step: Step::Namespaces.to_string(),
        verdict: Verdict::Create,
        resource: "namespaces".to_owned(),
        namespace: None,
        name: name.to_owned(),
        reason: Some("the backup does not hold the namespace itself".to_owned()),
        transformations: Vec::new(),
    }
}

fn not_held(plan: &Plan<'_>, missing: &Missing) -> PlannedItem {
    let target = plan.preparation.target(&missing.id);
    let (step, _) = kinds::step(&target.resource, false);
    PlannedItem {
        step: step.to_string(),
        verdict: missing.verdict,
        resource: target.resource.to_string(),
        namespace: target.namespace,
        name: target.name,
        reason: Some(missing.reason.clone()),
        transformations: Vec::new(),
    }
}

fn planned(ready: &Ready, plan: &Plan<'_>, row: &Row<'_>) -> Result<PlannedItem, Error> {
    let id = row.entry.id();
    let (target, changes) = if matches!(row.verdict, Verdict::Create | Verdict::Reattach) {
        let (_, object) = select::read(ready, row.entry).map_err(|cause| damaged(ready, cause))?;
        let prepared = prepare::prepare(&id, object, &plan.preparation);
        (prepared.id, prepared.changes)
    } else {
        (plan.preparation.target(&id), Vec::new())
    };
    Ok(PlannedItem {
        step: row.step.to_string(),
        verdict: row.verdict,
        resource: target.resource.to_string(),
        namespace: target.namespace,
        name: target.name,
        reason: Some(row.reason.to_string()).filter(|reason| !reason.is_empty()),
        transformations: changes,
    })
}

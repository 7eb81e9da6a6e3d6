//! Webhooks and aggregated APIs are installed only where their backends answer.
//!
//! A webhook that fails closed, without a backend, blocks every later change of its kinds; an
//! aggregated API without one leaves namespaces Terminating for ever. Not installed is an error that
//! can be mended; installed too early is an outage. What shapes the pods of other workloads comes
//! before these, in rounds: backends, their endpoints, their registrations.

use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use tokio::time::Instant;

use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::row::Row;
use super::staging::{Service, services};
use crate::engine::clock::pause;
use crate::engine::cluster::{self, ListScope};
use crate::engine::model::Catalog;
use crate::engine::model::fields::text_at;
use crate::engine::model::kinds::Step;
use crate::engine::report::{Problem, chain};

/// How long a backend may take that this restore does not bring, or whose workloads are ready.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked for.
const INTERVAL: Duration = Duration::from_millis(500);

/// Makes the backends and installs the registrations that others need, round by round.
pub(super) async fn in_rounds(execution: &Execution<'_>, catalog: &Catalog) -> Result<(), Cause> {
    let rows = execution.plan.rows.iter();
    let staged = rows.filter(|row| matches!(row.step, Step::Backends | Step::Registrations));
    for round in 0..=staged.map(round).max().unwrap_or_default() {
        let is_now = |row: &Row<'_>| row.step == Step::Backends && self::round(row) == round;
        execution.make(is_now, catalog).await?;
        let is_now = |row: &Row<'_>| row.step == Step::Registrations && self::round(row) == round;
        install(execution, is_now, ready_timeout(execution)).await?;
    }
    Ok(())
}

/// Installs the registrations that nothing of the restore has to pass.
pub(super) async fn late(execution: &Execution<'_>) -> Result<(), Cause> {
    install(execution, |row| row.step == Step::LateRegistrations, PATIENCE).await
}

fn round(row: &Row<'_>) -> usize {
    row.stage().map_or(0, |stage| stage.round)
}

/// Installs what has its backends in time; all of them together have the time that one has.
async fn install(
    execution: &Execution<'_>,
    is_now: impl Fn(&Row<'_>) -> bool + Send + Sync,
    patience: Duration,
) -> Result<(), Cause> {
    let rows = execution.plan.rows.iter().enumerate();
    let rows = rows.filter(|(_, row)| row.is_applied() && is_now(row));
    stream::iter(rows)
        .map(|(index, row)| install_one(execution, index, row, patience))
        .buffer_unordered(execution.context.limits.creates)
        .try_collect()
        .await
}

async fn install_one(
    execution: &Execution<'_>,
    index: usize,
    row: &Row<'_>,
    patience: Duration,
) -> Result<(), Cause> {
    let is_backed = row.stage().is_some_and(|stage| stage.is_backed);
    let patience = if is_backed { patience } else { patience.min(PATIENCE) };
    let lacking = if row.ours { None } else { missing_backend(execution, row, patience).await? };
    if let Some(lacking) = lacking {
        let consequence = consequence(execution, &row.entry.id());
        let message = format!("not installed: {lacking}{consequence}");
        let problem = Problem::of_item(&execution.target(row), "install", message);
        execution.journal.error(problem.with_hint(format!(
            "when its backend is ready, bowline restore resume {}",
            execution.request.name
        )));
        execution.record(index, Outcome::Failed);
    } else {
        execution.restore(index, row, &execution.ready.catalog).await?;
    }
    if execution.outcome(index) == Some(Outcome::Failed) {
        execution.gate.lacks(row.entry.id());
    }
    Ok(())
}

/// What it means for others that a registration is not there.
fn consequence(execution: &Execution<'_>, registration: &ItemId) -> String {
    let shaped = |closed: bool| {
        let rows = execution.plan.rows.iter().filter(|row| row.is_applied());
        rows.filter_map(|row| row.stage())
            .filter(|it| it.shaped_by.iter().any(|by| by.0 == *registration && by.1 == closed))
            .count()
    };
    let held = match shaped(true) {
        0 => String::new(),
        count => format!("; {count} workloads whose pods it must shape are not created"),
    };
    match shaped(false) {
        0 => held,
        count => format!("{held}; the pods of {count} workloads come up without it"),
    }
}

/// What the first backend of a registration lacks that has no ready endpoint in time.
async fn missing_backend(
    execution: &Execution<'_>,
    row: &Row<'_>,
    patience: Duration,
) -> Result<Option<String>, Cause> {
    let prepared = execution.plan.prepared(execution.ready, row)?;
    let deadline = Instant::now() + patience.min(ready_timeout(execution));
    for service in services(&prepared.id, &prepared.object) {
        let (namespace, name) = &service;
        match answers(execution, &service, deadline).await {
            Ok(true) => {}
            Ok(false) => {
                return Ok(Some(format!("service {namespace}/{name} has no ready endpoint")));
            }
            Err(error) if error.is_unreachable() => return Err(error.into()),
            Err(error) => {
                let why = chain(&error);
                return Ok(Some(format!("service {namespace}/{name} cannot be looked at: {why}")));
            }
        }
    }
    Ok(None)
}

/// How long a backend of this restore may take. It is awaited even where no workload is.
fn ready_timeout(execution: &Execution<'_>) -> Duration {
    let asked = execution.request.ready_timeout;
    if asked.is_zero() { PATIENCE } else { asked }
}

async fn answers(
    execution: &Execution<'_>,
    service: &Service,
    deadline: Instant,
) -> Result<bool, cluster::Error> {
    loop {
        if has_endpoint(execution, service).await? || leads_elsewhere(execution, service).await? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        pause(INTERVAL).await;
    }
}

async fn has_endpoint(
    execution: &Execution<'_>,
    (namespace, name): &Service,
) -> Result<bool, cluster::Error> {
    let resource = GroupResource::new("discovery.k8s.io", "endpointslices");
    let Some(kind) = execution.ready.catalog.get(&resource) else { return Ok(false) };
    let scope = ListScope {
        namespace: Some(namespace.clone()),
        label_selector: Some(format!("kubernetes.io/service-name={name}")),
    };
    let mut pages = execution.context.cluster.list(kind, &scope);
    while let Some(page) = pages.try_next().await? {
        let slices = page.items.iter().filter_map(|item| serde_json::from_slice(&item.json).ok());
        if slices.into_iter().any(|slice: Value| is_ready(&slice)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a service names a host outside of the cluster, of which nothing can be known here.
async fn leads_elsewhere(
    execution: &Execution<'_>,
    (namespace, name): &Service,
) -> Result<bool, cluster::Error> {
    let resource = GroupResource::core("services");
    let Some(kind) = execution.ready.catalog.get(&resource) else { return Ok(false) };
    let live = execution.context.cluster.get(kind, Some(namespace), name).await?;
    Ok(live.is_some_and(|it| text_at(&it, &["spec", "type"]) == Some("ExternalName")))
}

/// Whether a slice has an endpoint that takes requests; unknown counts as ready, as in Kubernetes.
fn is_ready(slice: &Value) -> bool {
    let endpoints = slice.get("endpoints").and_then(Value::as_array).into_iter().flatten();
    endpoints
        .filter(|endpoint| endpoint.pointer("/conditions/ready") != Some(&Value::Bool(false)))
        .any(|endpoint| {
            endpoint.get("addresses").and_then(Value::as_array).is_some_and(|a| !a.is_empty())
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_endpoint_without_an_address_or_that_is_not_ready_takes_no_requests() {
        let slice = |ready: bool, addresses: Value| json!({"endpoints": [{"addresses": addresses, "conditions": {"ready": ready}}]});
        assert!(is_ready(&slice(true, json!(["10.0.0.1"]))));
        assert!(!is_ready(&slice(false, json!(["10.0.0.1"]))));
        assert!(!is_ready(&slice(true, json!([]))));
        assert!(is_ready(&json!({"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {}}]})));
    }
}

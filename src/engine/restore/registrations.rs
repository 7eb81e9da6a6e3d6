//! Webhooks and aggregated APIs are installed last, and only where their backends answer.
//!
//! A webhook that fails closed, without a backend, blocks every later change of its kinds; an
//! aggregated API without one leaves namespaces Terminating for ever. Not installed is an error that
//! can be mended; installed too early is an outage.

use std::time::Duration;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::plan::{Row, Verdict};
use super::prepare;
use super::select;
use crate::engine::clock::pause;
use crate::engine::cluster::ListScope;
use crate::engine::model::kinds::Step;
use crate::engine::report::Problem;

/// How long a backend may take after all workloads are ready.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked for.
const INTERVAL: Duration = Duration::from_millis(500);

/// A service that the API server calls: namespace and name.
type Backend = (String, String);

/// Installs what has its backends, and after that the objects that aggregated APIs serve.
pub(super) async fn install(execution: &Execution<'_>) -> Result<(), Cause> {
    for (index, row) in rows(execution, Step::Registrations) {
        if let Some((namespace, name)) = missing_backend(execution, row).await? {
            let message =
                format!("not installed: service {namespace}/{name} has no ready endpoint");
            let problem = Problem::of_item(&execution.target(row), "install", message);
            execution.journal.error(
                problem.with_hint(
                    "when its backend is ready, restore it alone with --include-resources",
                ),
            );
            execution.record(index, Outcome::Failed);
        } else {
            execution.restore(index, row, &execution.ready.catalog).await?;
        }
    }
    aggregated(execution).await
}

async fn aggregated(execution: &Execution<'_>) -> Result<(), Cause> {
    let mut rows = rows(execution, Step::Aggregated).peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let catalog = execution.context.cluster.catalog().await?;
    for (index, row) in rows {
        execution.restore(index, row, &catalog).await?;
    }
    Ok(())
}

fn rows<'a>(
    execution: &'a Execution<'a>,
    step: Step,
) -> impl Iterator<Item = (usize, &'a Row<'a>)> {
    let rows = execution.plan.rows.iter().enumerate();
    rows.filter(move |(_, row)| row.step == step && row.verdict == Verdict::Create)
}

/// The first backend of a registration that has no ready endpoint in time.
async fn missing_backend(
    execution: &Execution<'_>,
    row: &Row<'_>,
) -> Result<Option<Backend>, Cause> {
    let (_, object) = select::read(execution.ready, row.entry)?;
    let prepared = prepare::prepare(&row.entry.id(), object, &execution.plan.preparation);
    for backend in backends(&prepared.id, &prepared.object) {
        if !answers(execution, &backend).await? {
            return Ok(Some(backend));
        }
    }
    Ok(None)
}

/// The services that a webhook configuration or an `APIService` names.
fn backends(id: &ItemId, object: &Map<String, Value>) -> Vec<Backend> {
    let object = Value::Object(object.clone());
    let service = |service: &Value| {
        let text = |key: &str| Some(service.get(key)?.as_str()?.to_owned());
        Some((text("namespace")?, text("name")?))
    };
    if id.resource.resource == "apiservices" {
        return object.pointer("/spec/service").and_then(service).into_iter().collect();
    }
    let webhooks = object.get("webhooks").and_then(Value::as_array).into_iter().flatten();
    webhooks.filter_map(|webhook| service(webhook.pointer("/clientConfig/service")?)).collect()
}

async fn answers(execution: &Execution<'_>, backend: &Backend) -> Result<bool, Cause> {
    let patience = PATIENCE.min(execution.request.ready_timeout);
    let started = Instant::now();
    loop {
        if has_endpoint(execution, backend).await? {
            return Ok(true);
        }
        if started.elapsed() >= patience {
            return Ok(false);
        }
        pause(INTERVAL).await;
    }
}

async fn has_endpoint(
    execution: &Execution<'_>,
    (namespace, name): &Backend,
) -> Result<bool, Cause> {
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
    fn the_services_behind_webhooks_and_aggregated_apis_are_their_backends() {
        let webhooks = json!({"webhooks": [
            {"clientConfig": {"service": {"namespace": "certs", "name": "webhook"}}},
            {"clientConfig": {"url": "https://example.com"}},
        ]});
        let id = "validatingwebhookconfigurations.admissionregistration.k8s.io/x".parse().unwrap();
        let found = backends(&id, webhooks.as_object().unwrap());
        assert_eq!(found, [("certs".to_owned(), "webhook".to_owned())]);
        let api = json!({"spec": {"service": {"namespace": "kube-system", "name": "metrics"}}});
        let id = "apiservices.apiregistration.k8s.io/v1beta1.metrics.k8s.io".parse().unwrap();
        let found = backends(&id, api.as_object().unwrap());
        assert_eq!(found, [("kube-system".to_owned(), "metrics".to_owned())]);
    }

    #[test]
    fn an_endpoint_without_an_address_or_that_is_not_ready_takes_no_requests() {
        let slice = |ready: bool, addresses: Value| json!({"endpoints": [{"addresses": addresses, "conditions": {"ready": ready}}]});
        assert!(is_ready(&slice(true, json!(["10.0.0.1"]))));
        assert!(!is_ready(&slice(false, json!(["10.0.0.1"]))));
        assert!(!is_ready(&slice(true, json!([]))));
        assert!(is_ready(&json!({"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {}}]})));
    }
}

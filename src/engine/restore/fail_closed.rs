//! Webhooks of the target that fail closed, and are answered by what is to be scaled down.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::GroupResource;

use super::live_operators::each;
use super::preflight::Ready;
use super::quiesce::Quiesced;
use super::staging::Service;
use crate::engine::cluster;
use crate::engine::context::Context;
use crate::engine::model::Object;
use crate::engine::model::fields::{map_at, maps_at, text_at};
use crate::engine::report::{Problem, chain};

const KINDS: [&str; 2] = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

/// Names the workloads that are to be quiet, and without which the API server refuses changes.
///
/// That this cannot be looked for is told, and hinders nothing.
pub(super) async fn look(context: &Context, ready: &Ready, quiesced: &[Quiesced]) -> Vec<Problem> {
    if quiesced.is_empty() {
        return Vec::new();
    }
    find(context, ready, quiesced).await.unwrap_or_else(|error| {
        let message = format!(
            "whether webhooks fail while workloads are scaled down is not known: {}",
            chain(&error)
        );
        vec![Problem::of_run("plan", message)]
    })
}

async fn find(
    context: &Context,
    ready: &Ready,
    quiesced: &[Quiesced],
) -> Result<Vec<Problem>, cluster::Error> {
    let Some(services) = ready.catalog.get(&GroupResource::core("services")) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for ((namespace, name), webhooks) in called(context, ready).await? {
        let beside: Vec<&Quiesced> =
            quiesced.iter().filter(|it| it.id.namespace.as_ref() == Some(&namespace)).collect();
        if beside.is_empty() {
            continue;
        }
        let service = context.cluster.get(services, Some(&namespace), &name).await?;
        let Some(service) = service else { continue };
        let answering = beside.into_iter().filter(|it| leads_to(&service, it));
        found.extend(answering.map(|it| problem(it, &webhooks)));
    }
    Ok(found)
}

/// The services that webhooks call which fail closed, with the names of their configurations.
async fn called(
    context: &Context,
    ready: &Ready,
) -> Result<BTreeMap<Service, BTreeSet<String>>, cluster::Error> {
    let mut called: BTreeMap<Service, BTreeSet<String>> = BTreeMap::new();
    for kind in KINDS {
        let resource = GroupResource::new("admissionregistration.k8s.io", kind);
        each(context, ready, &resource, |id, _, object| {
            for service in essential(&object) {
                called.entry(service).or_default().insert(format!("{kind} {}", id.name));
            }
        })
        .await?;
    }
    Ok(called)
}

fn essential(configuration: &Object) -> Vec<Service> {
    // What is not said is `Fail` since v1.
    let closed = maps_at(configuration, &["webhooks"])
        .filter(|webhook| text_at(webhook, &["failurePolicy"]) != Some("Ignore"));
    let services = closed.filter_map(|webhook| map_at(webhook, &["clientConfig", "service"]));
    let text = |service: &Object, key: &str| text_at(service, &[key]).map(str::to_owned);
    services.filter_map(|it| text(it, "namespace").zip(text(it, "name"))).collect()
}

/// Whether a service leads to the pods of a workload.
fn leads_to(service: &Object, workload: &Quiesced) -> bool {
    let selector = map_at(service, &["spec", "selector"]).filter(|it| !it.is_empty());
    selector.is_some_and(|it| {
        it.iter().all(|(key, value)| workload.labels.get(key).map(String::as_str) == value.as_str())
    })
}

fn problem(workload: &Quiesced, webhooks: &BTreeSet<String>) -> Problem {
    let webhooks: Vec<&str> = webhooks.iter().map(String::as_str).collect();
    let message = format!(
        "it answers for {}, which fails closed: what that is asked about is refused while it is \
         scaled down",
        webhooks.join(" and ")
    );
    Problem::of_item(&workload.id, "quiesce", message)
        .with_hint("leave it out of --quiesce, or let the webhook ignore failures meanwhile")
}

//! Applying the lab and waiting until all of it runs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::{ControlPlane, wait};

/// The file that describes the lab.
pub const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/lab.yaml");
/// The lab's namespace.
pub const NAMESPACE: &str = "shop";
/// The claims of the lab's stateful set, each with a volume of its own.
pub const CLAIMS: [&str; 3] = ["data-nginx-ss-0", "data-nginx-ss-1", "data-nginx-ss-2"];

const UP: Duration = Duration::from_mins(2);

/// Applies the lab, waits until it is up, and makes the object that its custom resource owns.
pub async fn deploy(cluster: &ControlPlane) -> Result<()> {
    // The widget's kind exists only after its definition: without it, the rest is applied.
    apply(cluster).await.ok();
    let established = ["wait", "--for=condition=Established", "crd/widgets.example.com"];
    run(cluster, &established).await?;
    apply(cluster).await?;
    let client = cluster.client().await?;
    wait_until_up(&client, NAMESPACE).await?;
    create_owned(cluster, &client).await
}

async fn apply(cluster: &ControlPlane) -> Result<()> {
    run(cluster, &["apply", "--filename", MANIFEST]).await.map(drop)
}

async fn run(cluster: &ControlPlane, arguments: &[&str]) -> Result<String> {
    let output = cluster.kubectl(arguments).await?;
    let command = arguments.join(" ");
    ensure!(output.code == Some(0), "kubectl {command} failed: {}", output.stderr.trim());
    Ok(output.stdout)
}

/// Makes a config map that the custom resource owns, as its controller would.
async fn create_owned(cluster: &ControlPlane, client: &Client) -> Result<()> {
    let uid = ["-n", NAMESPACE, "get", "widget", "counter", "-o", "jsonpath={.metadata.uid}"];
    let uid = run(cluster, &uid).await?;
    let state = serde_json::from_value(json!({
        "metadata": {
            "name": "counter-state",
            "ownerReferences": [{
                "apiVersion": "example.com/v1",
                "kind": "Widget",
                "name": "counter",
                "uid": uid,
                "controller": true,
            }],
        },
        "data": { "count": "42" },
    }))?;
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
    config_maps.create(&PostParams::default(), &state).await.context("no counter-state")?;
    Ok(())
}

/// Waits until the lab in a namespace is up: claims bound, pods running, its job finished.
pub async fn wait_until_up(client: &Client, namespace: &str) -> Result<()> {
    wait::until(&format!("the lab in {namespace} is up"), UP, async || {
        let missing = missing(client, namespace).await?;
        ensure!(missing.is_empty(), "waiting for {}", missing.join(", "));
        Ok(Some(()))
    })
    .await
}

/// What is not up yet, in words.
async fn missing(client: &Client, namespace: &str) -> Result<Vec<String>> {
    let mut missing = unbound(client, namespace).await?;
    missing.extend(idle(client, namespace).await?);
    let stateful = Api::<StatefulSet>::namespaced(client.clone(), namespace);
    let ready = stateful.get("nginx-ss").await?.status.and_then(|status| status.ready_replicas);
    missing.extend((ready != Some(3)).then(|| "statefulset nginx-ss".to_owned()));
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    let ready = deployments.get("web").await?.status.and_then(|status| status.ready_replicas);
    missing.extend((ready < Some(2)).then(|| "deployment web".to_owned()));
    let daemons = Api::<DaemonSet>::namespaced(client.clone(), namespace);
    let ready = daemons.get("log-shipper").await?.status.map(|status| status.number_ready);
    missing.extend((ready < Some(1)).then(|| "daemonset log-shipper".to_owned()));
    let jobs = Api::<Job>::namespaced(client.clone(), namespace);
    let done = match jobs.get_opt("migrate").await? {
        Some(job) => job.status.and_then(|status| status.succeeded) == Some(1),
        None => true,
    };
    missing.extend((!done).then(|| "job migrate".to_owned()));
    Ok(missing)
}

/// The lab's claims that are not bound.
async fn unbound(client: &Client, namespace: &str) -> Result<Vec<String>> {
    let api = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
    let bound: Vec<String> = api
        .list(&ListParams::default())
        .await?
        .into_iter()
        .filter(|claim| claim.status.iter().any(|one| one.phase.as_deref() == Some("Bound")))
        .filter_map(|claim| claim.metadata.name)
        .collect();
    let missing = CLAIMS.iter().filter(|name| !bound.iter().any(|one| one == *name));
    Ok(missing.map(|name| format!("claim {name}")).collect())
}

/// The pods that neither run nor have finished.
async fn idle(client: &Client, namespace: &str) -> Result<Vec<String>> {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let pods = pods.list(&ListParams::default()).await?;
    let idle = pods.items.into_iter().filter(|pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        !matches!(phase, Some("Running" | "Succeeded"))
    });
    Ok(idle.filter_map(|pod| Some(format!("pod {}", pod.metadata.name?))).collect())
}

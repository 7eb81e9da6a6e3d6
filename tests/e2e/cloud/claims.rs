//! Claims with EBS volumes and without pods: the least that has data.

use std::time::Duration;

use bowline_testkit::cloud::{Ec2, NewVolume, Tags};
use bowline_testkit::provisioner::DRIVER;
use bowline_testkit::{ControlPlane, wait};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

/// How long claims are left alone before they are nudged, and how often that is done.
const PATIENCE: Duration = Duration::from_secs(1);
const NUDGES: usize = 60;
/// How many objects are made at once.
const AT_ONCE: usize = 16;

/// Makes a namespace with so many claims, each Bound to an EBS volume of its own.
pub(super) async fn make(cluster: &ControlPlane, ec2: &Ec2, namespace: &str, count: usize) {
    let client = cluster.client().await.unwrap();
    let object = serde_json::from_value(json!({ "metadata": { "name": namespace } })).unwrap();
    let namespaces = Api::<Namespace>::all(client.clone());
    namespaces.create(&PostParams::default(), &object).await.unwrap();
    let pairs = (0..count).map(|number| pair(&client, ec2, namespace, name(number)));
    stream::iter(pairs).buffer_unordered(AT_ONCE).collect::<()>().await;
    wait_until_bound(&client, namespace).await;
}

/// What the claim of this number is called.
pub(super) fn name(number: usize) -> String {
    format!("data-{number:03}")
}

async fn pair(client: &Client, ec2: &Ec2, namespace: &str, claim: String) {
    let tags = Tags::from([("ebs.csi.aws.com/cluster".to_owned(), "true".to_owned())]);
    let volume = NewVolume { tags, ..NewVolume::default() };
    let made = ec2.create_volume(&volume).await.unwrap();
    let volume = format!("{namespace}-{claim}");
    let zone = json!({
        "key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": [made.zone],
    });
    let object = serde_json::from_value(json!({
        "metadata": { "name": volume },
        "spec": {
            "capacity": { "storage": "1Gi" },
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "csi": { "driver": DRIVER, "volumeHandle": made.id, "fsType": "ext4" },
            "claimRef": { "namespace": namespace, "name": claim },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [
                { "matchExpressions": [zone] },
            ] } },
        },
    }))
    .unwrap();
    let volumes = Api::<PersistentVolume>::all(client.clone());
    volumes.create(&PostParams::default(), &object).await.unwrap();
    let object = serde_json::from_value(json!({
        "metadata": { "name": claim },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Gi" } },
            "storageClassName": "",
            "volumeName": volume,
        },
    }))
    .unwrap();
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
    claims.create(&PostParams::default(), &object).await.unwrap();
}

/// Waits, and nudges: the volume controller overlooks some pairs until its next resync.
async fn wait_until_bound(client: &Client, namespace: &str) {
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
    for nudge in 0..NUDGES {
        let bound = async || Ok(pending(&claims).await?.is_empty().then_some(()));
        if wait::until("all claims are bound", PATIENCE, bound).await.is_ok() {
            return;
        }
        let nudge =
            Patch::Merge(json!({ "metadata": { "annotations": { "n": nudge.to_string() } } }));
        for name in pending(&claims).await.unwrap() {
            claims.patch(&name, &PatchParams::default(), &nudge).await.unwrap();
        }
    }
    panic!("these are not bound: {:?}", pending(&claims).await);
}

async fn pending(claims: &Api<PersistentVolumeClaim>) -> Result<Vec<String>, kube::Error> {
    let bound = |claim: &PersistentVolumeClaim| {
        claim.status.iter().any(|status| status.phase.as_deref() == Some("Bound"))
    };
    let claims = claims.list(&ListParams::default()).await?;
    Ok(claims.iter().filter(|claim| !bound(claim)).map(ResourceExt::name_any).collect())
}

//! What a cluster does by itself: claims bind, workloads make their pods, orphans are collected.
//!
//! All of it happens at once after every change; what bowline must not rely on, an order or a
//! delay, is not acted out here.
#![expect(clippy::needless_pass_by_value, reason = "all controllers have one signature")]

use serde_json::{Value, json};

use super::kinds::Served;
use super::objects::{Objects, key_of};

/// Lets all controllers work until nothing changes any more.
pub(super) fn settle(objects: &mut Objects) {
    for _ in 0..20 {
        let before = versions(objects);
        collect_garbage(objects);
        for (controller, resource) in CONTROLLERS {
            run(objects, *controller, resource);
        }
        if before == versions(objects) {
            return;
        }
    }
}

fn run(objects: &mut Objects, controller: Controller, resource: &str) {
    let keys: Vec<String> = objects.all(resource).map(|(key, _)| key.clone()).collect();
    for key in keys {
        if let Some(object) = objects.get(resource, &key).cloned() {
            controller(objects, object);
        }
    }
}

type Controller = fn(&mut Objects, Value);

const CONTROLLERS: &[(Controller, &str)] = &[
    (namespace, "namespaces"),
    (definition, "customresourcedefinitions.apiextensions.k8s.io"),
    (quota, "resourcequotas"),
    (service, "services"),
    (operator, "namespaces"),
    (claim, "persistentvolumeclaims"),
    (volume, "persistentvolumes"),
    (stateful_set, "statefulsets.apps"),
    (deployment, "deployments.apps"),
    (replica_set, "replicasets.apps"),
    (pod, "pods"),
    (endpoints, "services"),
    (workload_status, "statefulsets.apps"),
    (workload_status, "replicasets.apps"),
    (workload_status, "deployments.apps"),
];

/// The versions of all objects, by which a change is noticed.
fn versions(objects: &Objects) -> Vec<(String, String)> {
    let versions = objects.resources().flat_map(|resource| {
        objects.all(resource).map(move |(key, object)| {
            (format!("{resource}/{key}"), object["metadata"]["resourceVersion"].to_string())
        })
    });
    versions.collect()
}

/// Takes objects all of whose owners are gone, as the garbage collector does within seconds.
fn collect_garbage(objects: &mut Objects) {
    let mut doomed = Vec::new();
    for resource in objects.resources() {
        for (key, object) in objects.all(resource) {
            let owners = object["metadata"]["ownerReferences"].as_array();
            let gone = |owner: &Value| !objects.exists(owner["uid"].as_str().unwrap_or_default());
            if owners.is_some_and(|owners| !owners.is_empty() && owners.iter().all(gone)) {
                doomed.push((resource.clone(), key.clone()));
            }
        }
    }
    for (resource, key) in doomed {
        objects.remove(&resource, &key);
        objects.collected.push(format!("{resource} {key}"));
    }
}

/// Makes an object unless it is there.
fn ensure(objects: &mut Objects, resource: &str, object: Value) {
    let kind: Option<Served> = objects.kind(resource).cloned();
    if let Some(kind) =
        kind.filter(|_| objects.get(resource, &key_of(&object["metadata"])).is_none())
    {
        objects.insert(&kind, object);
    }
}

fn update(objects: &mut Objects, resource: &str, object: Value) {
    objects.put(resource, &key_of(&object["metadata"]), object);
}

fn namespace(objects: &mut Objects, mut namespace: Value) {
    if !namespace["metadata"]["deletionTimestamp"].is_null() {
        return;
    }
    let name = namespace["metadata"]["name"].clone();
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": name}});
    ensure(objects, "serviceaccounts", account);
    let certificate = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kube-root-ca.crt", "namespace": name}, "data": {"ca.crt": "here"}});
    ensure(objects, "configmaps", certificate);
    namespace["status"] = json!({"phase": "Active"});
    update(objects, "namespaces", namespace);
}

fn definition(objects: &mut Objects, mut definition: Value) {
    if objects.is_establishing(definition["metadata"]["name"].as_str().unwrap_or_default()) {
        return;
    }
    let condition = |kind: &str| json!({"type": kind, "status": "True"});
    definition["status"] =
        json!({"conditions": [condition("NamesAccepted"), condition("Established")]});
    update(objects, "customresourcedefinitions.apiextensions.k8s.io", definition);
}

/// Until it is seen, a quota lets nothing be made that it counts.
fn quota(objects: &mut Objects, mut quota: Value) {
    quota["status"] = json!({"hard": quota["spec"]["hard"]});
    update(objects, "resourcequotas", quota);
}

fn service(objects: &mut Objects, mut service: Value) {
    if service["spec"]["clusterIP"].is_null() {
        let uid = service["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let number = uid.rsplit('-').next().unwrap_or_default().trim_start_matches('0').to_owned();
        service["spec"]["clusterIP"] = json!(format!("10.0.0.{number}"));
        service["spec"]["clusterIPs"] = json!([service["spec"]["clusterIP"]]);
    }
    if service["spec"]["type"] == "NodePort" {
        for port in service["spec"]["ports"].as_array_mut().into_iter().flatten() {
            if port["nodePort"].is_null() {
                let free = (31000..32768).find(|port| !objects.has_node_port(*port));
                port["nodePort"] = json!(free);
            }
        }
    }
    update(objects, "services", service);
}

/// Binds a claim to the volume that it names, or to a fresh one of its class.
fn claim(objects: &mut Objects, mut claim: Value) {
    if claim["status"]["phase"] == "Bound" {
        return;
    }
    claim["status"]["phase"] = json!("Pending");
    let wanted = claim["spec"]["volumeName"].as_str().unwrap_or_default().to_owned();
    let wanted = if wanted.is_empty() {
        promised(objects, &claim).or_else(|| provision(objects, &claim))
    } else {
        Some(wanted)
    };
    let volume = wanted.and_then(|name| objects.get("persistentvolumes", &name)).cloned();
    if let Some(mut volume) = volume.filter(|volume| is_promised(volume, &claim)) {
        volume["spec"]["claimRef"]["uid"] = claim["metadata"]["uid"].clone();
        volume["status"] = json!({"phase": "Bound"});
        claim["spec"]["volumeName"] = volume["metadata"]["name"].clone();
        claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = json!("yes");
        claim["status"] = json!({"phase": "Bound"});
        update(objects, "persistentvolumes", volume);
    }
    update(objects, "persistentvolumeclaims", claim);
}

fn is_promised(volume: &Value, claim: &Value) -> bool {
    let reference = &volume["spec"]["claimRef"];
    let same = |key: &str| reference[key] == claim["metadata"][key];
    same("name") && same("namespace") && (reference["uid"].is_null() || same("uid"))
}

/// The volume that waits for a claim of this name.
fn promised(objects: &Objects, claim: &Value) -> Option<String> {
    let mut volumes = objects.all("persistentvolumes");
    volumes.find(|(_, volume)| is_promised(volume, claim)).map(|(name, _)| name.clone())
}

/// Releases a volume whose claim is gone, or takes it along.
fn volume(objects: &mut Objects, mut volume: Value) {
    let reference = &volume["spec"]["claimRef"];
    let gone = !objects.exists(reference["uid"].as_str().unwrap_or_default());
    if reference["uid"].is_null() && volume["status"]["phase"] != "Available" {
        volume["status"] = json!({"phase": "Available"});
    } else if volume["status"]["phase"] == "Bound" && gone {
        let name = volume["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete" {
            objects.remove("persistentvolumes", &name);
            objects.destroyed.push(name);
            return;
        }
        volume["status"] = json!({"phase": "Released"});
    }
    update(objects, "persistentvolumes", volume);
}

/// Makes the claims that it wants as soon as there is a namespace for them.
fn operator(objects: &mut Objects, namespace: Value) {
    for index in 0..objects.operated.len() {
        let (claim, left) = objects.operated[index].clone();
        let metadata = &claim["metadata"];
        let is_there = objects.get("persistentvolumeclaims", &key_of(metadata)).is_some();
        if left > 0 && !is_there && metadata["namespace"] == namespace["metadata"]["name"] {
            objects.operated[index].1 -= 1;
            ensure(objects, "persistentvolumeclaims", claim);
        }
    }
}

/// Makes an empty volume for a claim that names none, if its class has a provisioner.
fn provision(objects: &mut Objects, claim: &Value) -> Option<String> {
    let class = claim["spec"]["storageClassName"].as_str()?;
    objects.get("storageclasses.storage.k8s.io", class)?;
    objects.provisioned += 1;
    let metadata = &claim["metadata"];
    let name = format!("pvc-{}", metadata["uid"].as_str().unwrap_or_default());
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name,
            "annotations": {"pv.kubernetes.io/provisioned-by": super::DRIVER}},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "name": metadata["name"], "namespace": metadata["namespace"],
                "uid": metadata["uid"]},
            "csi": {"driver": super::DRIVER, "volumeHandle": format!("disk-{}", &name[4..])},
            "persistentVolumeReclaimPolicy": "Delete", "storageClassName": class}});
    ensure(objects, "persistentvolumes", volume);
    Some(name)
}

/// Tells where the running pods of a service are.
fn endpoints(objects: &mut Objects, service: Value) {
    let Some(selector) = service["spec"]["selector"].as_object() else { return };
    let metadata = &service["metadata"];
    let serves = |pod: &Value| {
        pod["metadata"]["namespace"] == metadata["namespace"]
            && pod["status"]["phase"] == "Running"
            && selector.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value)
    };
    let running = objects.all("pods").filter(|(_, pod)| serves(pod)).count();
    let name = metadata["name"].as_str().unwrap_or_default();
    let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": format!("{name}-x1"), "namespace": metadata["namespace"],
            "labels": {"kubernetes.io/service-name": name,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": name,
                "uid": metadata["uid"], "controller": true}]}});
    let key = key_of(&slice["metadata"]);
    ensure(objects, "endpointslices.discovery.k8s.io", slice);
    if let Some(mut slice) = objects.get("endpointslices.discovery.k8s.io", &key).cloned() {
        let addresses: Vec<Value> =
            (0..running).map(|it| json!({"addresses": [format!("10.1.0.{it}")]})).collect();
        slice["endpoints"] = json!(addresses);
        update(objects, "endpointslices.discovery.k8s.io", slice);
    }
}

fn stateful_set(objects: &mut Objects, set: Value) {
    let (metadata, spec) = (&set["metadata"], &set["spec"]);
    let name = metadata["name"].as_str().unwrap_or_default();
    for ordinal in 0..spec["replicas"].as_u64().unwrap_or(1) {
        let mut volumes = Vec::new();
        for template in spec["volumeClaimTemplates"].as_array().into_iter().flatten() {
            let part = template["metadata"]["name"].as_str().unwrap_or_default();
            let claim_name = format!("{part}-{name}-{ordinal}");
            let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": claim_name, "namespace": metadata["namespace"]},
                "spec": template["spec"]});
            ensure(objects, "persistentvolumeclaims", claim);
            volumes.push(json!({"name": part, "persistentVolumeClaim": {"claimName": claim_name}}));
        }
        let mut pod = pod_of(&set, "StatefulSet", &format!("{name}-{ordinal}"));
        pod["spec"]["volumes"] = json!(volumes);
        adopt(objects, &pod);
        ensure(objects, "pods", pod);
    }
}

/// Takes over a pod of this name that nobody owns.
fn adopt(objects: &mut Objects, pod: &Value) {
    let live = objects.get("pods", &key_of(&pod["metadata"])).cloned();
    let free = live.filter(|live| live["metadata"]["ownerReferences"].is_null());
    if let Some(mut live) = free {
        live["metadata"]["ownerReferences"] = pod["metadata"]["ownerReferences"].clone();
        update(objects, "pods", live);
    }
}

fn deployment(objects: &mut Objects, deployment: Value) {
    let metadata = &deployment["metadata"];
    let name = format!("{}-7d9f", metadata["name"].as_str().unwrap_or_default());
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": metadata["namespace"],
            "labels": deployment["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [owner(&deployment, "Deployment")]},
        "spec": {"replicas": deployment["spec"]["replicas"],
            "selector": deployment["spec"]["selector"],
            "template": deployment["spec"]["template"]}});
    let key = key_of(&set["metadata"]);
    ensure(objects, "replicasets.apps", set);
    if let Some(mut set) = objects.get("replicasets.apps", &key).cloned() {
        set["spec"]["replicas"] = deployment["spec"]["replicas"].clone();
        update(objects, "replicasets.apps", set);
    }
}

fn replica_set(objects: &mut Objects, set: Value) {
    let name = set["metadata"]["name"].as_str().unwrap_or_default();
    let replicas = set["spec"]["replicas"].as_u64().unwrap_or(1);
    for number in 0..replicas {
        ensure(objects, "pods", pod_of(&set, "ReplicaSet", &format!("{name}-{number}")));
    }
    let wanted: Vec<String> = (0..replicas).map(|number| format!("{name}-{number}")).collect();
    let surplus = objects.all("pods").filter(|(_, pod)| {
        let metadata = &pod["metadata"];
        metadata["ownerReferences"][0]["uid"] == set["metadata"]["uid"]
            && !wanted.iter().any(|name| metadata["name"] == **name)
    });
    let surplus: Vec<String> = surplus.map(|(key, _)| key.clone()).collect();
    for key in &surplus {
        objects.remove("pods", key);
    }
}

fn pod_of(owner_object: &Value, kind: &str, name: &str) -> Value {
    let template = &owner_object["spec"]["template"];
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": owner_object["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
            "ownerReferences": [owner(owner_object, kind)]},
        "spec": template["spec"]})
}

fn owner(object: &Value, kind: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true})
}

/// A pod runs as soon as all its claims are bound.
fn pod(objects: &mut Objects, mut pod: Value) {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let volumes = pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
    let claims = volumes.iter().filter_map(|it| it["persistentVolumeClaim"]["claimName"].as_str());
    let bound = |name: &str| {
        let claim = objects.get("persistentvolumeclaims", &format!("{namespace}/{name}"));
        claim.is_some_and(|claim| claim["status"]["phase"] == "Bound")
    };
    let runs = objects.unscheduled.is_none() && claims.into_iter().all(bound);
    // There is no kubelet: what it says of containers is for tests to set.
    let containers = pod["status"]["containerStatuses"].take();
    pod["status"] = json!({"phase": if runs { "Running" } else { "Pending" },
        "conditions": [{"type": "Ready", "status": if runs { "True" } else { "False" }}]});
    if let Some(reason) = &objects.unscheduled {
        let conditions = pod["status"]["conditions"].as_array_mut().unwrap();
        conditions.push(json!({"type": "PodScheduled", "status": "False", "message": reason}));
    }
    if !containers.is_null() {
        pod["status"]["containerStatuses"] = containers;
    }
    update(objects, "pods", pod);
}

/// Counts the ready pods below a workload.
fn workload_status(objects: &mut Objects, mut workload: Value) {
    let uid = workload["metadata"]["uid"].clone();
    let owned = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"] == uid;
    let pods = objects.all("pods").filter(|(_, pod)| owned(pod));
    let mut ready = pods.filter(|(_, pod)| pod["status"]["phase"] == "Running").count() as u64;
    let sets = objects.all("replicasets.apps").filter(|(_, set)| owned(set));
    ready += sets.filter_map(|(_, set)| set["status"]["readyReplicas"].as_u64()).sum::<u64>();
    workload["status"] = json!({"observedGeneration": workload["metadata"]["generation"],
        "replicas": workload["spec"]["replicas"], "readyReplicas": ready});
    let resource = objects.kind_of(&workload).map(Served::name);
    update(objects, &resource.unwrap_or_default(), workload);
}

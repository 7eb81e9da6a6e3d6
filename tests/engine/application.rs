//! The application that is backed up and restored, and what must be true of it afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use bowline::engine::backup;
use bowline::engine::model::backup::BackupSpec;
use bowline::engine::model::restore::RestoreSpec;
use bowline::engine::model::selector::Selectors;
use bowline::engine::restore;
use serde_json::{Value, json};

use crate::fake_cluster::{DRIVER, FakeCluster};
use crate::fake_world::World;

/// The node port that the application's Service asks for.
pub(crate) const NODE_PORT: i64 = 30080;

/// A cluster with the application in namespace `shop`, and something else beside it.
pub(crate) fn source() -> World {
    let cluster = FakeCluster::new("source");
    cluster.add(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "standard"}, "provisioner": DRIVER}));
    cluster.add(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "unused"}, "provisioner": DRIVER}));
    for namespace in ["shop", "other"] {
        cluster.add(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"team": namespace}}}));
        cluster.add(object("v1", "ConfigMap", namespace, "settings", &json!({"data": {"a": "b"}})));
    }
    add_rights(&cluster);
    add_custom_resource(&cluster);
    add_workloads(&cluster);
    World::new(cluster)
}

/// A cluster that has never seen the application.
pub(crate) fn target(world: &World) -> World {
    world.beside(FakeCluster::new("target"))
}

/// An object in a namespace.
pub(crate) fn object(
    api_version: &str,
    kind: &str,
    namespace: &str,
    name: &str,
    rest: &Value,
) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "namespace": namespace}});
    for (key, value) in rest.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object
}

fn add_rights(cluster: &FakeCluster) {
    let rights = "rbac.authorization.k8s.io/v1";
    let account = json!([{"kind": "ServiceAccount", "namespace": "shop", "name": "web"}]);
    let reference = |kind: &str, name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
    cluster.add(object("v1", "ServiceAccount", "shop", "web", &json!({})));
    for (role, subjects) in [("reader", account.clone()), ("stranger", json!([]))] {
        cluster
            .add(json!({"apiVersion": rights, "kind": "ClusterRole", "metadata": {"name": role},
            "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]}));
        cluster.add(json!({"apiVersion": rights, "kind": "ClusterRoleBinding",
            "metadata": {"name": role}, "subjects": subjects,
            "roleRef": reference("ClusterRole", role)}));
    }
    cluster.add(object(rights, "Role", "shop", "writer", &json!({"rules": []})));
    cluster.add(object(
        rights,
        "RoleBinding",
        "shop",
        "writer",
        &json!({"subjects": account, "roleRef": reference("Role", "writer")}),
    ));
}

/// The definition of widgets.
pub(crate) fn widgets() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true}]}})
}

fn add_custom_resource(cluster: &FakeCluster) {
    cluster.add(widgets());
    let widget = cluster.add(object(
        "example.com/v1",
        "Widget",
        "shop",
        "main",
        &json!({"spec": {"size": 3}}),
    ));
    let mut child = object("v1", "ConfigMap", "shop", "widget-child", &json!({"data": {"x": "y"}}));
    child["metadata"]["ownerReferences"] = json!([{"apiVersion": "example.com/v1",
        "kind": "Widget", "name": "main", "uid": widget["metadata"]["uid"], "controller": true}]);
    cluster.add(child);
}

fn add_workloads(cluster: &FakeCluster) {
    let applied = json!({"spec": {"ports": [{"port": 80, "nodePort": NODE_PORT}]}}).to_string();
    let mut service = object(
        "v1",
        "Service",
        "shop",
        "web",
        &json!({"spec": {"type": "NodePort",
        "selector": {"app": "web"}, "ports": [{"port": 80, "nodePort": NODE_PORT}]}}),
    );
    service["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/last-applied-configuration": applied});
    cluster.add(service);
    cluster.add(object("v1", "PersistentVolumeClaim", "shop", "files", &json!({"spec": claim()})));
    cluster.add(object(
        "apps/v1",
        "StatefulSet",
        "shop",
        "db",
        &json!({"spec": {"replicas": 1,
        "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": pods("db"),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim()}]}}),
    ));
    let mut template = pods("web");
    template["spec"]["serviceAccountName"] = json!("web");
    template["spec"]["volumes"] =
        json!([{"name": "files", "persistentVolumeClaim": {"claimName": "files"}}]);
    cluster.add(object(
        "apps/v1",
        "Deployment",
        "shop",
        "web",
        &json!({"spec": {"replicas": 2,
        "selector": {"matchLabels": {"app": "web"}}, "template": template}}),
    ));
}

/// The specification of a claim that the provisioner serves.
pub(crate) fn claim() -> Value {
    json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
        "resources": {"requests": {"storage": "1Gi"}}})
}

fn pods(app: &str) -> Value {
    json!({"metadata": {"labels": {"app": app}},
        "spec": {"containers": [{"name": app, "image": "registry.example.com/app:1"}]}})
}

/// A backup of the application.
pub(crate) fn backup() -> backup::Request {
    let included_namespaces = vec!["shop".to_owned()];
    backup::Request {
        name: "nightly".to_owned(),
        spec: BackupSpec { included_namespaces, ..BackupSpec::default() },
        ..backup::Request::default()
    }
}

/// A restore of the application.
pub(crate) fn restore(name: &str) -> restore::Request {
    restore::Request {
        name: name.to_owned(),
        labels: <_>::default(),
        annotations: <_>::default(),
        spec: RestoreSpec { backup_name: "nightly".to_owned(), ..RestoreSpec::default() },
        selectors: Selectors::default(),
        ready_timeout: Duration::from_mins(5),
        terminating_timeout: Duration::from_mins(10),
        options: <_>::default(),
        start: <_>::default(),
    }
}

/// The source and the backup of its application.
pub(crate) async fn backed_up() -> World {
    let world = source();
    let report = world.back_up(&backup()).await.unwrap();
    assert_eq!(report.errors, []);
    world
}

/// The disk behind a claim of the source.
pub(crate) fn disk(world: &World, claim: &str) -> String {
    let claim = world.cluster.get(&format!("persistentvolumeclaims/shop/{claim}"));
    let volume = claim["spec"]["volumeName"].as_str().unwrap().to_owned();
    let volume = world.cluster.get(&format!("persistentvolumes/{volume}"));
    volume["spec"]["csi"]["volumeHandle"].as_str().unwrap().to_owned()
}

/// What is wrong with the application in `target`, restored from `source` into `namespace`: nothing
/// is missing, doubled or empty, and owners are who they were.
pub(crate) fn faults_of(source: &World, target: &World, namespace: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (here, there) = (source.cluster.names_in("shop"), target.cluster.names_in(namespace));
    if here != there {
        let (here, there): (BTreeSet<_>, BTreeSet<_>) =
            (here.iter().collect(), there.iter().collect());
        faults.push(format!("names differ: {:?}", here.symmetric_difference(&there)));
    }
    for name in ["files", "data-db-0"] {
        faults.extend(volume_fault(source, target, namespace, name));
    }
    let made = target.cluster.all("persistentvolumes").len();
    if made != 2 {
        faults.push(format!("{made} persistent volumes"));
    }
    let mut claims: Vec<_> =
        target.cloud.volumes().iter().map(|it| it.tags["bowline.io/claim"].clone()).collect();
    claims.sort_unstable();
    if claims != [format!("{namespace}/data-db-0"), format!("{namespace}/files")] {
        faults.push(format!("volumes: {:?}", target.cloud.volumes()));
    }
    if target.cluster.provisioned() > 0 {
        faults.push("an empty volume was provisioned".to_owned());
    }
    if !target.cluster.collected().is_empty() {
        faults.push(format!("collected: {:?}", target.cluster.collected()));
    }
    let uid = |id: String| target.cluster.find(&id).map(|it| it["metadata"]["uid"].clone());
    let widget = uid(format!("widgets.example.com/{namespace}/main"));
    let child = target.cluster.find(&format!("configmaps/{namespace}/widget-child"));
    let owner = child.map(|child| child["metadata"]["ownerReferences"][0]["uid"].clone());
    if widget.is_none() || owner != widget {
        faults.push(format!("the child's owner is {owner:?}, not {widget:?}"));
    }
    faults
}

/// What is wrong with the volume of a claim: it is to be made from the snapshot of its original.
fn volume_fault(source: &World, target: &World, namespace: &str, claim: &str) -> Option<String> {
    let handle = |world: &World, namespace: &str| {
        let claim = world.cluster.find(&format!("persistentvolumeclaims/{namespace}/{claim}"))?;
        let volume = claim["spec"]["volumeName"].as_str()?;
        let volume = world.cluster.find(&format!("persistentvolumes/{volume}"))?;
        let handle = volume["spec"]["csi"]["volumeHandle"].as_str()?.to_owned();
        (claim["status"]["phase"] == "Bound").then_some(handle)
    };
    let original = handle(source, "shop");
    let Some(restored) = handle(target, namespace) else {
        return Some(format!("{claim} is not bound"));
    };
    let made = target.cloud.volumes().into_iter().find(|volume| volume.id == restored);
    match made {
        Some(volume) if !volume.tags.contains_key("bowline.io/restore-uid") => {
            Some(format!("the volume of {claim} has the tags {:?}", volume.tags))
        }
        Some(volume) if Some(&volume.source) == original.as_ref() => None,
        other => Some(format!("{claim} has {restored}, which is {other:?}")),
    }
}

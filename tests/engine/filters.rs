//! What is asked for is taken, and what is not is not; what cannot be meant is refused.

use std::collections::BTreeSet;
use std::io::Read as _;

use bowline::engine::backup;
use bowline::engine::model::filter::Error;
use bowline::engine::report::Phase;
use bowline::engine::restore;
use bowline::engine::store::BackupKeys;
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use crate::application::{backed_up, backup, object, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;
use crate::records;

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// A backup of everything.
fn everything() -> backup::Request {
    let mut request = backup();
    request.spec.included_namespaces.clear();
    request
}

async fn spec(world: &World) -> Value {
    let document = world.bucket.read(&BackupKeys("nightly").metadata()).await;
    serde_json::from_slice::<Value>(&document).unwrap()["spec"].clone()
}

/// Makes a backup that must be refused before anything was written.
async fn refused_backup(request: &backup::Request) -> Error {
    let process = source().start(Script::Sound);
    let result = process.back_up(request).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    match result {
        Err(backup::Error::Filter(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Restores, which must be refused before anything was changed.
async fn refused_restore(change: impl FnOnce(&mut restore::Request)) -> restore::Error {
    let process = target(&backed_up().await).start(Script::Sound);
    let mut request = restore("rescue");
    change(&mut request);
    let result = process.restore(&request).await.unwrap();
    assert_eq!(process.faults.calls(), [""; 0]);
    result.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn the_newer_lists_choose_for_each_scope_and_are_recorded() {
    let world = source();
    let mut request = everything();
    request.spec.included_cluster_scoped_resources = words(&["StorageClass"]);
    request.spec.included_namespace_scoped_resources = words(&["configmap", "serviceaccounts"]);
    world.back_up(&request).await.unwrap();
    let objects = records::objects(&world).await;
    let kinds: BTreeSet<&str> =
        objects.iter().map(|object| object.split_once(' ').unwrap().0).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        [
            // Cluster-scoped ones that were not named come with the accounts that need them.
            "rbac.authorization.k8s.io/v1/ClusterRole",
            "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
            "storage.k8s.io/v1/StorageClass",
            "v1/ConfigMap",
            "v1/Namespace",
            "v1/ServiceAccount",
        ]
    );
    assert!(objects.contains(&"storage.k8s.io/v1/StorageClass unused".to_owned()), "{objects:?}");
    assert!(!objects.iter().any(|object| object.ends_with(" stranger")), "{objects:?}");
    let spec = spec(&world).await;
    assert_eq!(spec["includedClusterScopedResources"], json!(["StorageClass"]));
    assert_eq!(spec["includedNamespaceScopedResources"], json!(["configmap", "serviceaccounts"]));
    assert_eq!(spec.get("includedResources"), None);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_the_newer_lists_exclude_does_not_even_come_along() {
    let world = source();
    let mut request = backup();
    request.spec.excluded_cluster_scoped_resources = words(&["clusterroles", "namespace"]);
    request.spec.excluded_namespace_scoped_resources = words(&["*.apps"]);
    world.back_up(&request).await.unwrap();
    let objects = records::objects(&world).await;
    for left_out in ["ClusterRole ", "Namespace ", "apps/v1/"] {
        assert!(!objects.iter().any(|object| object.contains(left_out)), "{left_out}: {objects:?}");
    }
    assert!(objects.iter().any(|object| object.contains("ClusterRoleBinding reader")));
    assert!(objects.iter().any(|object| object.contains("StorageClass standard")));
}

#[tokio::test(start_paused = true)]
async fn filters_that_cannot_be_meant_are_refused_before_anything_is_written() {
    let mut request = backup();
    request.spec.included_resources = words(&["pods"]);
    request.spec.excluded_cluster_scoped_resources = words(&["nodes"]);
    let error = refused_backup(&request).await;
    assert!(matches!(error, Error::MixedSets { .. }), "{error:?}");
    let mut request = backup();
    request.spec.included_cluster_scoped_resources = words(&["pod"]);
    let error = refused_backup(&request).await;
    assert!(matches!(error, Error::OtherScope { namespaced: true, .. }), "{error:?}");
    let mut request = backup();
    request.spec.included_namespace_scoped_resources = words(&["confgmaps"]);
    let error = refused_backup(&request).await;
    assert!(error.hint().contains("\"configmaps\""), "{}", error.hint());
    let mut request = backup();
    request.spec.ordered_resources.insert("pods".to_owned(), "db-0".to_owned());
    let error = refused_backup(&request).await;
    assert!(matches!(error, Error::Order { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn of_several_selectors_one_must_match_and_nothing_is_taken_twice() {
    let world = source();
    for (name, labels) in [("one", json!({"a": "1"})), ("both", json!({"a": "1", "b": "2"}))] {
        let mut map = object("v1", "ConfigMap", "shop", name, &json!({"data": {}}));
        map["metadata"]["labels"] = labels;
        world.cluster.add(map);
    }
    let mut request = backup();
    request.selectors = "a=1 or b=2 or app=db".parse().unwrap();
    let report = world.back_up(&request).await.unwrap();
    let objects = records::objects(&world).await;
    let distinct: BTreeSet<_> = objects.iter().collect();
    assert_eq!((distinct.len(), objects.len() as u64), (objects.len(), report.items));
    for taken in ["v1/ConfigMap shop/one", "v1/ConfigMap shop/both", "v1/Pod shop/db-0"] {
        assert!(objects.contains(&taken.to_owned()), "{taken} is missing in {objects:?}");
    }
    assert!(!objects.iter().any(|object| object.contains("settings")), "{objects:?}");

    let target = target(&world);
    let mut request = restore("rescue");
    request.selectors = "b=2 or none=such".parse().unwrap();
    let report = target.restore(&request).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert!(target.cluster.find("configmaps/shop/both").is_some());
    assert!(target.cluster.find("configmaps/shop/one").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_counts_a_claim_once_that_two_selectors_select() {
    let world = source();
    world.cluster.edit("persistentvolumeclaims/shop/files", |claim| {
        claim["metadata"]["labels"] = json!({"a": "1", "b": "2"});
    });
    let mut request = backup();
    request.selectors = "a=1 or b=2".parse().unwrap();
    let plan = world.start(Script::Sound).engine.plan_backup(&request).await.unwrap();
    assert_eq!(plan.volumes.len(), 1, "{:?}", plan.volumes);
}

#[tokio::test(start_paused = true)]
async fn what_is_ordered_is_taken_first_and_what_is_absent_is_a_warning() {
    let world = source();
    let mut request = backup();
    let names = "shop/widget-child,shop/gone,other/settings,shop/settings";
    request.spec.ordered_resources.insert("ConfigMap".to_owned(), names.to_owned());
    let report = world.back_up(&request).await.unwrap();
    assert_eq!((report.phase, report.warnings.len()), (Phase::Completed, 2));
    let warned = |name: &str, reason: &str| {
        let of = |it: &&bowline::engine::report::Problem| it.name.as_deref() == Some(name);
        report.warnings.iter().find(of).is_some_and(|it| it.message.contains(reason))
    };
    assert!(warned("gone", "does not exist"), "{:?}", report.warnings);
    assert!(warned("settings", "filters leave it out"), "{:?}", report.warnings);
    let packed = world.bucket.read(&BackupKeys("nightly").archive()).await;
    let mut archive = Vec::new();
    MultiGzDecoder::new(&packed[..]).read_to_end(&mut archive).unwrap();
    let text = String::from_utf8_lossy(&archive);
    let files = text.match_indices("resources/").map(|(at, _)| &text[at..]);
    let mut files = files.filter(|rest| !rest[..200].contains("preferredversion"));
    for name in ["widget-child", "settings"] {
        let path = format!("resources/configmaps/namespaces/shop/{name}.json");
        assert!(files.next().unwrap().starts_with(&path), "{name}");
    }
    assert_eq!(spec(&world).await["orderedResources"], json!({"ConfigMap": names}));
}

#[tokio::test(start_paused = true)]
async fn the_claims_of_an_ordered_pod_are_snapshotted_first() {
    let world = source();
    let pods = world.cluster.all("pods");
    let named = |prefix: &str| {
        let names = pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap());
        names.into_iter().find(|name| name.starts_with(prefix)).unwrap().to_owned()
    };
    for (pod, claim) in [(named("web"), "shop/files"), (named("db"), "shop/data-db-0")] {
        let world = world.copy().await;
        let process = world.start(Script::Sound);
        let mut request = backup();
        request.spec.ordered_resources.insert("pods".to_owned(), format!("shop/{pod}"));
        process.back_up(&request).await.unwrap().unwrap();
        assert!(process.told()[0].starts_with(claim), "{claim}: {:?}", process.told());
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_restored_takes_of_the_cluster_only_what_it_needs() {
    let world = source();
    world.back_up(&everything()).await.unwrap();
    let target = target(&world);
    let mut request = restore("rescue");
    request.spec.included_namespaces = words(&["sh?p"]);
    let report = target.restore(&request).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    for needed in [
        "customresourcedefinitions.apiextensions.k8s.io/widgets.example.com",
        "widgets.example.com/shop/main",
        "storageclasses.storage.k8s.io/standard",
        "clusterroles.rbac.authorization.k8s.io/reader",
    ] {
        assert!(target.cluster.find(needed).is_some(), "{needed}");
    }
    for stranger in [
        "storageclasses.storage.k8s.io/unused",
        "clusterroles.rbac.authorization.k8s.io/stranger",
        "namespaces/other",
    ] {
        assert!(target.cluster.find(stranger).is_none(), "{stranger}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_custom_resource_that_is_named_brings_its_definition_along() {
    let world = source();
    world.cluster.edit(
        "customresourcedefinitions.apiextensions.k8s.io/widgets.example.com",
        |definition| {
            definition["spec"]["names"]["shortNames"] = json!(["wd"]);
        },
    );
    world.back_up(&backup()).await.unwrap();
    for word in ["widgets", "Widget", "wd", "*.example.com"] {
        let target = target(&world);
        let mut request = restore("rescue");
        request.name = format!("rescue-{}", word.len());
        request.spec.included_resources = words(&[word]);
        let report = target.restore(&request).await.unwrap();
        assert_eq!(report.phase, Phase::Completed, "{word}: {:?}", report.errors);
        assert!(target.cluster.find("widgets.example.com/shop/main").is_some(), "{word}");
        assert!(target.cluster.find("configmaps/shop/settings").is_none(), "{word}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_backup_does_not_hold_or_never_comes_back_cannot_be_asked_for() {
    let by_namespace = |name: &'static str| {
        refused_restore(move |it| it.spec.included_namespaces = words(&[name]))
    };
    let error = by_namespace("shops").await;
    let restore::Error::UnknownNamespace { similar, .. } = error else { panic!("{error:?}") };
    assert_eq!(similar.as_deref(), Some("shop"));
    let error = by_namespace("team-*").await;
    assert!(matches!(error, restore::Error::NoSuchNamespace { .. }), "{error:?}");
    let error = refused_restore(|it| it.spec.included_resources = words(&["node"])).await;
    assert!(matches!(error, restore::Error::Filter(Error::NeverRestored { .. })), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn node_ports_that_the_cluster_chose_are_kept_on_request() {
    let world = source();
    let ports = json!([{"name": "http", "port": 80, "nodePort": 31234}]);
    let spec = json!({"spec": {"type": "NodePort", "ports": ports}});
    world.cluster.add(object("v1", "Service", "shop", "chosen-by-cluster", &spec));
    world.back_up(&backup()).await.unwrap();
    for (number, preserve) in [None, Some(false), Some(true)].into_iter().enumerate() {
        let target = target(&world);
        let mut request = restore("rescue");
        request.name = format!("rescue-{number}");
        request.spec.preserve_node_ports = preserve;
        target.restore(&request).await.unwrap();
        let port = |name: &str| {
            let service = target.cluster.get(&format!("services/shop/{name}"));
            service["spec"]["ports"][0]["nodePort"].clone()
        };
        assert_eq!(port("chosen-by-cluster") == 31234, preserve == Some(true), "{preserve:?}");
        assert_eq!(port("web"), crate::application::NODE_PORT, "{preserve:?}");
    }
}

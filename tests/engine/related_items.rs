//! A namespace is taken with everything that it needs, and with nothing else.

use serde_json::json;

use crate::application::{backed_up, backup, object, restore, source, target};
use crate::records;

#[tokio::test(start_paused = true)]
async fn a_namespace_takes_its_classes_rights_definitions_and_volumes_along() {
    let world = backed_up().await;
    let objects = records::objects(&world).await;
    for needed in [
        "v1/Namespace shop",
        "storage.k8s.io/v1/StorageClass standard",
        "rbac.authorization.k8s.io/v1/ClusterRole reader",
        "rbac.authorization.k8s.io/v1/ClusterRoleBinding reader",
        "apiextensions.k8s.io/v1/CustomResourceDefinition widgets.example.com",
        "example.com/v1/Widget shop/main",
    ] {
        assert!(objects.contains(&needed.to_owned()), "{needed} is missing in {objects:?}");
    }
    let count = |kind: &str| objects.iter().filter(|object| object.starts_with(kind)).count();
    assert_eq!(count("v1/PersistentVolume "), 2);
    assert_eq!(count("v1/PersistentVolumeClaim "), 2);
    for stranger in ["unused", "stranger", " other", "Node "] {
        assert!(!objects.iter().any(|object| object.contains(stranger)), "{stranger}: {objects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_object_is_in_a_backup_twice_however_many_pages_its_list_has() {
    let world = source();
    for number in 0..130 {
        let data = json!({"data": {"number": number.to_string()}});
        world.cluster.add(object("v1", "ConfigMap", "shop", &format!("page-{number:03}"), &data));
    }
    let report = world.back_up(&backup()).await.unwrap();
    let objects = records::objects(&world).await;
    let pages = objects.iter().filter(|object| object.starts_with("v1/ConfigMap shop/page-"));
    assert_eq!((pages.count(), objects.len() as u64), (130, report.items));

    let target = target(&world);
    target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(target.cluster.get("configmaps/shop/page-129")["data"]["number"], "129");
    assert_eq!(target.cluster.names_in("shop"), world.cluster.names_in("shop"));
}

#[tokio::test(start_paused = true)]
async fn a_selector_takes_what_it_selects_and_what_that_needs() {
    let world = source();
    let mut request = backup();
    request.selectors = "app=db".parse().unwrap();
    world.back_up(&request).await.unwrap();
    let objects = records::objects(&world).await;
    for needed in
        ["v1/Pod shop/db-0", "v1/PersistentVolumeClaim shop/data-db-0", "v1/Namespace shop"]
    {
        assert!(objects.contains(&needed.to_owned()), "{needed} is missing in {objects:?}");
    }
    assert!(!objects.iter().any(|object| object.contains("settings")), "{objects:?}");
    assert_eq!(world.cloud.snapshots().len(), 1);
}

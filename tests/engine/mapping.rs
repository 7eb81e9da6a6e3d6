//! A namespace comes back under another name, beside its original or elsewhere.

use bowline::engine::report::Phase;
use bowline::engine::restore::Request;

use crate::application::{NODE_PORT, backed_up, faults_of, restore, target};

fn into_copy() -> Request {
    let mut request = restore("clone");
    request.spec.namespace_mapping = [("shop".to_owned(), "copy".to_owned())].into();
    request
}

#[tokio::test(start_paused = true)]
async fn a_mapped_namespace_is_whole_and_nothing_of_it_points_back() {
    let source = backed_up().await;
    let world = target(&source);
    let report = world.restore(&into_copy()).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(faults_of(&source, &world, "copy"), [""; 0]);
    assert_eq!(world.cluster.find("namespaces/shop"), None);
    let binding = world.cluster.get("rolebindings.rbac.authorization.k8s.io/copy/writer");
    assert_eq!(binding["subjects"][0]["namespace"], "copy");
    for volume in world.cluster.all("persistentvolumes") {
        assert_eq!(volume["spec"]["claimRef"]["namespace"], "copy");
    }
}

#[tokio::test(start_paused = true)]
async fn beside_its_original_a_clone_gives_way_with_its_node_port_and_has_its_own_volumes() {
    let world = backed_up().await;
    let before = world.cluster.names_in("shop");
    let report = world.restore(&into_copy()).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let port = |namespace: &str| {
        let service = world.cluster.get(&format!("services/{namespace}/web"));
        service["spec"]["ports"][0]["nodePort"].as_i64().unwrap()
    };
    assert_eq!(port("shop"), NODE_PORT);
    assert_ne!(port("copy"), NODE_PORT);
    assert_eq!(world.cluster.names_in("copy"), before);
    assert_eq!(world.cluster.all("persistentvolumes").len(), 4);
    assert_eq!(world.cloud.volumes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_holds_it_a_chosen_node_port_is_kept() {
    let world = target(&backed_up().await);
    world.restore(&into_copy()).await.unwrap();
    let service = world.cluster.get("services/copy/web");
    assert_eq!(service["spec"]["ports"][0]["nodePort"], NODE_PORT);
}

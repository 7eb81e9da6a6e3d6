//! A control plane starts and survives what tests do to it.

use bowline_testkit::{ControlPlane, Output};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, ResourceExt as _};

#[tokio::test]
async fn two_control_planes_start_at_once_each_with_a_node_of_this_host() {
    let (east, west) = ControlPlane::start_pair().await.unwrap();
    for cluster in [&east, &west] {
        let nodes = Api::<Node>::all(cluster.client().await.unwrap());
        let node = nodes.get(&format!("{}-node", cluster.name())).await.unwrap();
        let host = rustix::system::uname().nodename().to_str().unwrap().to_owned();
        assert_eq!(node.labels()["kubernetes.io/hostname"], host);
        assert_eq!(node.labels()["topology.kubernetes.io/zone"], "us-east-1a");
        assert_eq!(node.labels()["topology.kubernetes.io/region"], "us-east-1");
    }
    let classes = ["get", "storageclass", "--output=name"];
    let east = east.kubectl(&classes).await.unwrap().success();
    assert_eq!(east, "storageclass.storage.k8s.io/standard\n");
    assert_eq!(west.kubectl(&classes).await.unwrap().success(), "");
}

#[tokio::test]
async fn an_api_server_can_be_paused_killed_and_restarted() {
    let east = ControlPlane::start("east").await.unwrap();
    let namespaces = ["get", "namespaces", "--request-timeout=1s"];
    let ask = async || east.kubectl(&namespaces).await.unwrap();
    assert_eq!(ask().await.code, Some(0));

    east.api_server().pause().unwrap();
    let Output { code, stderr, .. } = ask().await;
    assert_eq!(code, Some(1));
    assert!(!stderr.contains("refused"), "{stderr}");
    east.api_server().resume().unwrap();
    east.wait_until_answering().await.unwrap();

    east.api_server().kill();
    let Output { code, stderr, .. } = ask().await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("refused"), "{stderr}");
    east.api_server().restart().unwrap();
    east.wait_until_answering().await.unwrap();
    assert_eq!(ask().await.code, Some(0));
}

use bowline_api::GroupResource;
use serde_json::json;

use super::super::access::Review;
use super::super::client::Cluster;
use super::super::error::Error;
use super::super::fake::Reply;
use super::super::identity::Version;

#[tokio::test]
async fn a_cluster_is_known_by_the_uid_of_kube_system() {
    let namespace = json!({"metadata": {"uid": "4b825dc6"}});
    let (cluster, log) = Cluster::scripted(vec![Reply::json(200, &namespace)]);
    assert_eq!(cluster.uid().await.unwrap(), "4b825dc6");
    assert_eq!(super::lines(&log), ["GET /api/v1/namespaces/kube-system"]);

    let (cluster, _) = Cluster::scripted(vec![Reply::json(200, &json!({}))]);
    assert!(matches!(cluster.uid().await, Err(Error::Decode { .. })));
}

#[tokio::test]
async fn a_version_may_carry_a_plus() {
    let info = json!({"major": "1", "minor": "35+", "gitVersion": "v1.35.4-eks-1"});
    let (cluster, _) = Cluster::scripted(vec![Reply::json(200, &info)]);
    let git_version = "v1.35.4-eks-1".to_owned();
    assert_eq!(cluster.version().await.unwrap(), Version { major: 1, minor: 35, git_version });
}

#[tokio::test]
async fn nodes_are_known_by_their_host_names_and_their_zones() {
    let nodes = json!({"items": [
        {"metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "b",
            "topology.kubernetes.io/zone": "z2", "failure-domain.beta.kubernetes.io/zone": "old"}}},
        {"metadata": {"name": "n2", "labels": {"kubernetes.io/hostname": "a",
            "failure-domain.beta.kubernetes.io/zone": "z1"}}},
        {"metadata": {"name": "n3", "labels": null}},
    ]});
    let (cluster, _) = Cluster::scripted(vec![Reply::json(200, &nodes)]);
    let nodes = cluster.nodes().await.unwrap();
    assert_eq!(nodes.hostnames.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(nodes.zones.into_iter().collect::<Vec<_>>(), ["z1", "z2"]);
}

#[tokio::test(start_paused = true)]
async fn rights_are_asked_for_and_the_question_may_be_repeated() {
    let yes = Reply::json(201, &json!({"status": {"allowed": true}}));
    let (cluster, log) = Cluster::scripted(vec![Reply::Lost, yes]);
    let exec = GroupResource::core("pods/exec");
    assert!(cluster.can_i("create", &exec, Some("shop")).await.unwrap().allowed);
    let asked = &super::requests(&log)[1].body["spec"]["resourceAttributes"];
    let expected = json!({"verb": "create", "group": "", "resource": "pods", "subresource": "exec", "namespace": "shop"});
    assert_eq!(asked, &expected);
}

#[tokio::test]
async fn what_is_not_allowed_is_a_no_with_the_reason_that_the_server_gives() {
    for (reply, reason) in [
        (json!({"status": {"allowed": false}}), None),
        (json!({"status": {"allowed": false, "reason": "not you"}}), Some("not you")),
        (json!({"status": {"allowed": false, "evaluationError": "no role"}}), Some("no role")),
        (json!({}), None),
    ] {
        let (cluster, _) = Cluster::scripted(vec![Reply::json(201, &reply)]);
        let apps = GroupResource::new("apps", "deployments");
        let expected = Review { allowed: false, reason: reason.map(str::to_owned) };
        assert_eq!(cluster.can_i("list", &apps, None).await.unwrap(), expected);
    }
}

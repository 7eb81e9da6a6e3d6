//! The lab comes up.

use bowline_testkit::{ControlPlane, lab};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

#[tokio::test]
async fn the_lab_comes_up_with_files_on_its_volumes() {
    let east = ControlPlane::start("east").await.unwrap();
    lab::deploy(&east).await.unwrap();

    let mut claims: Vec<String> = east.provisioned().into_iter().map(|one| one.claim).collect();
    claims.sort();
    assert_eq!(claims, lab::CLAIMS.map(|claim| format!("shop/{claim}")));

    let written = lab::write_files(&east).await.unwrap();
    assert_eq!(lab::read_files(&east, lab::NAMESPACE).await.unwrap(), written);
    assert_ne!(written[lab::CLAIMS[0]], written[lab::CLAIMS[1]]);

    let config_maps = Api::<ConfigMap>::namespaced(east.client().await.unwrap(), lab::NAMESPACE);
    let owners = config_maps.get("counter-state").await.unwrap().metadata.owner_references;
    assert_eq!(owners.unwrap()[0].kind, "Widget");

    let exec = ["--namespace=shop", "exec", "nginx-ss-0", "--", "sh", "-c", "echo $((6 * 7))"];
    assert_eq!(east.kubectl(&exec).await.unwrap().success(), "42\n");
}

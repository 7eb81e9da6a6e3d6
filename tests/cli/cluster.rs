//! A cluster that cannot be reached, or is not even known.

use insta::assert_snapshot;

use crate::site::Site;

/// Nobody listens there.
const NOWHERE: &str = "https://127.0.0.1:1";

#[tokio::test]
async fn without_a_kubeconfig_nothing_is_written() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create x").await, @r#"
    exit code: 5
    --- stderr
    error: the cluster cannot be used
      cause: no usable kubeconfig
      cause: failed to read kubeconfig from '"/HOME/.kube/config"': No such file or directory (os error 2)
    hint: check --kubeconfig or $KUBECONFIG
    "#);
    assert_snapshot!(site.run("version --cluster -o json").await, @r#"
    exit code: 5
    --- stdout
    {
      "error": {
        "message": "the cluster cannot be used",
        "causes": [
          "no usable kubeconfig",
          "failed to read kubeconfig from '\"/HOME/.kube/config\"': No such file or directory (os error 2)"
        ],
        "hint": "check --kubeconfig or $KUBECONFIG",
        "exitCode": 5
      }
    }
    "#);
    std::fs::remove_dir(site.bowline.location()).unwrap();
    site.run("backup create x").await;
    assert!(!site.bowline.location().exists());
}

#[tokio::test]
async fn a_kubeconfig_that_is_none_is_told_from_one_that_is_not_there() {
    let site = Site::new().with_server(NOWHERE);
    assert_snapshot!(site.run("backup create x --kubeconfig other").await, @r#"
    exit code: 5
    --- stderr
    error: the cluster cannot be used
      cause: no usable kubeconfig
      cause: failed to read kubeconfig from '"other"': No such file or directory (os error 2)
    hint: check --kubeconfig or $KUBECONFIG
    "#);
    std::fs::write(site.bowline.home().join("kubeconfig"), "clusters: [").unwrap();
    let shown = site.run("backup create x").await;
    assert!(shown.contains("failed to parse kubeconfig YAML"), "{shown}");
}

#[tokio::test]
async fn a_context_that_is_not_there_is_answered_with_the_nearest() {
    let site = Site::new().with_server(NOWHERE);
    assert_snapshot!(site.run("backup create x --kubecontext est").await, @r#"
    exit code: 5
    --- stderr
    error: the cluster cannot be used
      cause: the kubeconfig has no context "est" (it has: east, west)
    hint: did you mean "east"?
    "#);
    assert_snapshot!(site.run("backup create x --context production").await, @r#"
    exit code: 5
    --- stderr
    error: the cluster cannot be used
      cause: the kubeconfig has no context "production" (it has: east, west)
    hint: kubectl config get-contexts lists those that exist
    "#);
}

#[tokio::test]
async fn one_that_does_not_answer_ends_the_run_before_anything_is_written() {
    let site = Site::new().with_server(NOWHERE);
    let create = "backup create x --request-timeout 500ms";
    assert_snapshot!(site.run(create).await, @r"
    exit code: 5
    --- stderr
    checking
    error: the cluster cannot be used
      cause: the API server at https://127.0.0.1:1 cannot be reached
      cause: client error (Connect)
      cause: tcp connect error
      cause: Connection refused (os error 111)
    hint: is the cluster up, and is it the one you meant (--kubecontext)?
    ");
    assert_snapshot!(site.run(&format!("{create} --quiet --kubecontext west")).await, @r"
    exit code: 5
    --- stderr
    error: the cluster cannot be used
      cause: the API server at https://127.0.0.1:1 cannot be reached
      cause: client error (Connect)
      cause: tcp connect error
      cause: Connection refused (os error 111)
    hint: is the cluster up, and is it the one you meant (--kubecontext)?
    ");
    assert_snapshot!(site.run(&format!("{create} --quiet -o json")).await, @r#"
    exit code: 5
    --- stdout
    {
      "error": {
        "message": "the cluster cannot be used",
        "causes": [
          "the API server at https://127.0.0.1:1 cannot be reached",
          "client error (Connect)",
          "tcp connect error",
          "Connection refused (os error 111)"
        ],
        "hint": "is the cluster up, and is it the one you meant (--kubecontext)?",
        "exitCode": 5
      }
    }
    "#);
    assert!(site.is_untouched());
    site.add_velero_backup("shop-full");
    let restore = "restore create r --from-backup shop-full --request-timeout 500ms";
    assert_snapshot!(site.run(restore).await, @r"
    exit code: 5
    --- stderr
    reading the backup
    error: the cluster cannot be used
      cause: the API server at https://127.0.0.1:1 cannot be reached
      cause: client error (Connect)
      cause: tcp connect error
      cause: Connection refused (os error 111)
    hint: is the cluster up, and is it the one you meant (--kubecontext)?
    ");
    assert!(!site.path("restores").exists());
}

#[tokio::test]
async fn each_attempt_is_told_only_to_those_who_ask() {
    let site = Site::new().with_server(NOWHERE);
    let version = "version --cluster --request-timeout 50ms";
    let shown = site.run(&format!("{version} --log-level debug")).await;
    assert!(!shown.contains("kube_client"), "{shown}");
    let shown = site.run(&format!("{version} --log-level trace")).await;
    assert!(shown.contains("kube_client"), "{shown}");
}

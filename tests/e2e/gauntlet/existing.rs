//! Objects that were changed since they were backed up: changed back in place, or made anew.
//!
//! <https://github.com/vmware-tanzu/velero/issues/469> and
//! <https://github.com/vmware-tanzu/velero/issues/6033> ask for what differs to be made anew.

use bowline_testkit::{Bowline, ControlPlane};
use serde_json::{Value, json};

use super::site::{self, apply, get, kubectl, report, wait_for};
use crate::plan::{self, Plan};

const UPDATE: &str = "--existing-resource-policy=update";
const RECREATE: &str = "--existing-resource-policy=recreate";

#[tokio::test]
async fn what_was_changed_is_brought_back_in_place_or_made_anew_and_no_data_is_lost() {
    let cluster = ControlPlane::start("east").await.unwrap();
    let bowline = site::bowline();
    let objects = application();
    apply(&cluster, &objects).await;
    ready(&cluster).await;
    let backup = ["nightly", "--include-namespaces=shop"];
    report(&site::run(&bowline, &cluster, "backup create -o=json", &backup).await, 0);
    let before = Watched::read(&cluster).await;
    spoil(&cluster, &objects).await;
    let spoilt = Watched::read(&cluster).await;

    updates_in_place(&bowline, &cluster, &before, &spoilt).await;
    recreates(&bowline, &cluster, &before, &spoilt).await;
    refuses_to_delete_what_would_not_come_back(&bowline, &cluster).await;
}

/// `update` changes what can be, keeps what the cluster chose, and tells what cannot be.
async fn updates_in_place(
    bowline: &Bowline,
    cluster: &ControlPlane,
    before: &Watched,
    spoilt: &Watched,
) {
    let restore = ["restore", "create", "in-place", "--from-backup=nightly", UPDATE];
    let plan = plan::of(&bowline.clone().on(cluster), &restore).await;
    for (id, verdict, reason) in [
        ("configmaps/shop/settings", "update", "/data/mode"),
        ("services/shop/web", "update", "/spec/ports[port=80]/targetPort"),
        (
            "deployments.apps/shop/web",
            "differs",
            "/spec/selector/matchLabels/app cannot be changed",
        ),
        ("statefulsets.apps/shop/db", "differs", "/spec/serviceName cannot be changed"),
        ("persistentvolumeclaims/shop/data-db-0", "unchanged", ""),
    ] {
        is_planned(&plan, id, verdict, reason);
    }
    let report = report(&run(bowline, cluster, &restore).await, 0);
    assert_eq!(report["items"]["updated"], 2, "{report}");
    let after = Watched::read(cluster).await;
    assert_eq!(after.settings["data"], before.settings["data"]);
    assert_eq!(after.service["spec"], before.service["spec"]);
    assert_eq!(uid(&after.service), uid(&before.service));
    assert_eq!(after.deployment["spec"], spoilt.deployment["spec"], "left as it was");
}

/// `recreate` makes anew what cannot be changed; pods and claims of a set stay.
async fn recreates(bowline: &Bowline, cluster: &ControlPlane, before: &Watched, spoilt: &Watched) {
    let restore = ["restore", "create", "anew", "--from-backup=nightly", RECREATE];
    let plan = plan::of(&bowline.clone().on(cluster), &restore).await;
    for id in ["deployments.apps/shop/web", "statefulsets.apps/shop/db"] {
        is_planned(&plan, id, "recreate", "");
    }
    let report = report(&run(bowline, cluster, &restore).await, 0);
    assert_eq!((&report["items"]["updated"], &report["items"]["created"]), (&json!(2), &json!(0)));
    let after = Watched::read(cluster).await;
    assert_eq!(after.deployment["spec"], before.deployment["spec"]);
    assert_eq!(after.set["spec"], before.set["spec"]);
    assert_ne!(uid(&after.deployment), uid(&spoilt.deployment));
    assert_ne!(uid(&after.set), uid(&spoilt.set));
    assert_eq!(uid(&after.pod), uid(&before.pod), "the pod was taken over");
    assert_eq!(
        (uid(&after.claim), &after.claim["spec"]),
        (uid(&before.claim), &before.claim["spec"])
    );
    wait_for(cluster, &["pod/db-0", "-n=shop"], |pod| {
        pod["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"
    })
    .await;
    wait_for(cluster, &["replicaset", "-n=shop"], |list| {
        list["items"].as_array().unwrap().len() == 1
    })
    .await;
}

/// What admission would not let be made again is not deleted.
async fn refuses_to_delete_what_would_not_come_back(bowline: &Bowline, cluster: &ControlPlane) {
    apply(cluster, &forbids_config_maps()).await;
    let denied = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "probe", "namespace": "shop"}});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), denied.to_string()).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    bowline_testkit::wait::until(
        "the policy holds",
        std::time::Duration::from_mins(1),
        async || {
            let output =
                cluster.kubectl(&["create", "--dry-run=server", "--filename", &path]).await?;
            Ok((output.code != Some(0)).then_some(()))
        },
    )
    .await
    .unwrap();
    let closed = r#"{"data":{"mode":"closed"}}"#;
    kubectl(cluster, &["patch", "configmap/settings", "-n=shop", "--patch", closed]).await;
    let live = get(cluster, &["configmap/settings", "-n=shop"]).await;
    let restore = ["restore", "create", "denied", "--from-backup=nightly", RECREATE];
    let report = report(&run(bowline, cluster, &restore).await, 3);
    let [error] = &report["errors"].as_array().unwrap()[..] else { panic!("{report}") };
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("nothing was deleted"), "{message}");
    assert!(message.contains("no config maps"), "{message}");
    assert_eq!(get(cluster, &["configmap/settings", "-n=shop"]).await, live);
}

async fn run(
    bowline: &Bowline,
    cluster: &ControlPlane,
    restore: &[&str],
) -> bowline_testkit::Output {
    bowline.clone().on(cluster).run(&[restore, &["--output=json"]].concat()).await.unwrap()
}

#[track_caller]
fn is_planned(plan: &Plan, id: &str, verdict: &str, reason: &str) {
    let planned = &plan[&id.parse().unwrap()];
    assert_eq!(planned.verdict, verdict, "{id}: {planned:?}");
    assert!(planned.reason.contains(reason), "{id}: {planned:?}");
}

fn uid(object: &Value) -> &Value {
    &object["metadata"]["uid"]
}

/// The objects that matter here, as they are.
struct Watched {
    settings: Value,
    service: Value,
    deployment: Value,
    set: Value,
    pod: Value,
    claim: Value,
}

impl Watched {
    async fn read(cluster: &ControlPlane) -> Self {
        let read = async |what: &str| get(cluster, &[what, "-n=shop"]).await;
        Self {
            settings: read("configmap/settings").await,
            service: read("service/web").await,
            deployment: read("deployment/web").await,
            set: read("statefulset/db").await,
            pod: read("pod/db-0").await,
            claim: read("persistentvolumeclaim/data-db-0").await,
        }
    }
}

fn application() -> Vec<Value> {
    let metadata = |name: &str| json!({"name": name, "namespace": "shop"});
    let template = |app: &str| {
        json!({"metadata": {"labels": {"app": app}},
            "spec": {"containers": [{"name": "c", "image": "registry.example.com/app:1"}]}})
    };
    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "storageClassName": "standard", "resources": {"requests": {"storage": "1Gi"}}}});
    let selector = |app: &str| json!({"matchLabels": {"app": app}});
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("settings"),
            "data": {"mode": "open"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("web"),
            "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("web"),
            "spec": {"selector": selector("web"), "template": template("web")}}),
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata("db"),
            "spec": {"serviceName": "db", "selector": selector("db"), "template": template("db"),
                "volumeClaimTemplates": [claim]}}),
    ]
}

async fn ready(cluster: &ControlPlane) {
    for workload in ["deployment/web", "statefulset/db"] {
        wait_for(cluster, &[workload, "-n=shop"], |it| it["status"]["readyReplicas"] == 1).await;
    }
}

/// What somebody did to the application since it was backed up.
async fn spoil(cluster: &ControlPlane, objects: &[Value]) {
    let mut spoilt = objects.to_vec();
    spoilt[1]["data"] = json!({"mode": "closed", "more": "x"});
    spoilt[2]["spec"]["ports"][0]["targetPort"] = json!(8080);
    spoilt[3]["spec"]["selector"]["matchLabels"]["app"] = json!("another");
    spoilt[3]["spec"]["template"]["metadata"]["labels"]["app"] = json!("another");
    spoilt[4]["spec"]["serviceName"] = json!("another");
    kubectl(cluster, &["delete", "deployment/web", "-n=shop"]).await;
    kubectl(cluster, &["delete", "statefulset/db", "-n=shop", "--cascade=orphan"]).await;
    apply(cluster, &spoilt).await;
    ready(cluster).await;
}

fn forbids_config_maps() -> [Value; 2] {
    let group = "admissionregistration.k8s.io/v1";
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
        "resources": ["configmaps"]}]);
    [
        json!({"apiVersion": group, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "none"},
            "spec": {"matchConstraints": {"resourceRules": rules},
                "validations": [{"expression": "false", "message": "no config maps here"}]}}),
        json!({"apiVersion": group, "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "none"},
            "spec": {"policyName": "none", "validationActions": ["Deny"]}}),
    ]
}

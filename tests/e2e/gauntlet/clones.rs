//! A clone in the cluster of its original takes nothing from it, and does nothing in its place.

use bowline_testkit::{Bowline, ControlPlane};
use serde_json::{Value, json};

use super::site::{apply, bowline, get, kubectl, report, run};

const MAPPED: [&str; 2] = ["--from-backup=shop", "--namespace-mappings=shop:copy"];

/// Ports: <https://github.com/vmware-tanzu/velero/issues/2308>,
/// <https://github.com/vmware-tanzu/velero/issues/1950>; Argo CD:
/// <https://github.com/vmware-tanzu/velero/issues/7848>.
#[tokio::test]
async fn a_clone_beside_its_original_gives_way_and_acts_outward_only_when_asked() {
    let east = ControlPlane::start("east").await.unwrap();
    let bowline = bowline();
    apply(&east, &shop()).await;
    let made = ["shop", "--include-namespaces=shop", "--include-cluster-resources=true"];
    report(&run(&bowline, &east, "backup create -o=json", &made).await, 0);

    let plan = plan(&bowline, &east, &["clone"], &MAPPED).await;
    let told = |resource: &str, name: &str, field: &str| {
        let items = plan["items"].as_array().unwrap();
        let is_it = |it: &&Value| it["resource"] == resource && it["name"] == name;
        let item = items.iter().find(is_it).unwrap_or_else(|| panic!("{resource} {name}: {plan}"));
        item[field].to_string()
    };
    let ports = told("services", "web", "transformations");
    assert!(ports.contains("is taken by shop/web: a free one instead"), "{ports}");
    let public = told("services", "public", "transformations");
    assert!(public.contains("LoadBalancer -> ClusterIP") && public.contains("Argo"), "{public}");
    for (resource, name) in OUTWARD {
        let reason = told(resource, name, "reason");
        assert!(
            reason.contains("acts outward") && reason.contains("--include-outward"),
            "{reason}"
        );
    }
    let hints = told("configmaps", "urls", "hints");
    assert!(hints.contains("/data/db still names shop (web.shop.svc)"), "{hints}");
    assert_eq!(told("secrets", "urls", "hints"), r#"["/data/db still names shop"]"#);
    assert!(!plan.to_string().contains("hunter2"));

    let done = restore(&bowline, &east, &["clone"], &MAPPED, 0).await;
    let warnings = done["warnings"].as_array().unwrap().iter();
    let mut told: Vec<_> = warnings.filter_map(|it| it["message"].as_str()).collect();
    told.sort_unstable();
    let expected = [
        "/data/db still names shop",
        "/data/db still names shop (web.shop.svc)",
        "node port 30080 of port 80 is taken by shop/web: a free one instead",
    ];
    assert_eq!(told, expected);
    gave_way(&east).await;
    is_bound_by_itself(&east).await;
    for (resource, _) in OUTWARD {
        assert_eq!(kubectl(&east, &["get", resource, "-n=copy", "-o=name"]).await, "");
    }
    let again = restore(&bowline, &east, &["again"], &MAPPED, 0).await;
    assert_eq!((&again["items"]["created"], &again["warnings"]), (&json!(0), &json!([])));

    let asked = ["outward", "--include-outward", "--ready-timeout=0"];
    restore(&bowline, &east, &asked, &MAPPED, 0).await;
    for (resource, name) in OUTWARD {
        get(&east, &[resource, name, "-n=copy"]).await;
    }
    a_port_that_must_be_had_is_refused(&bowline, &east).await;
}

const OUTWARD: [(&str, &str); 3] = [
    ("ingresses.networking.k8s.io", "web"),
    ("cronjobs.batch", "report"),
    ("jobs.batch", "migrate"),
];

async fn plan(bowline: &Bowline, east: &ControlPlane, name: &[&str], flags: &[&str]) -> Value {
    let flags = [name, flags, &["--dry-run"]].concat();
    report(&run(bowline, east, "restore create -o=json", &flags).await, 0)
}

async fn restore(
    bowline: &Bowline,
    east: &ControlPlane,
    name: &[&str],
    flags: &[&str],
    code: i32,
) -> Value {
    let flags = [name, flags].concat();
    report(&run(bowline, east, "restore create -o=json", &flags).await, code)
}

async fn gave_way(east: &ControlPlane) {
    let web = get(east, &["service", "web", "-n=copy"]).await;
    let port = &web["spec"]["ports"][0]["nodePort"];
    assert!(port.is_u64() && *port != 30080, "{web}");
    let original = get(east, &["service", "web", "-n=shop"]).await;
    assert_eq!(original["spec"]["ports"][0]["nodePort"], 30080);
    let public = get(east, &["service", "public", "-n=copy"]).await;
    assert_eq!(public["spec"]["type"], "ClusterIP");
    let annotations = public["metadata"]["annotations"].as_object().unwrap();
    let foreign = |key: &&String| key.contains("external-dns") || key.contains("argocd");
    assert_eq!(annotations.keys().find(foreign), None);
}

async fn is_bound_by_itself(east: &ControlPlane) {
    let clone = get(east, &["clusterrolebinding", "reader-copy"]).await;
    let subjects = json!([{"kind": "ServiceAccount", "name": "web", "namespace": "copy"}]);
    assert_eq!((&clone["subjects"], &clone["roleRef"]["name"]), (&subjects, &json!("reader")));
    assert_eq!(clone["metadata"]["labels"]["velero.io/restore-name"], "clone");
    let original = get(east, &["clusterrolebinding", "reader"]).await;
    assert_eq!(original["subjects"][0]["namespace"], "shop");
    let may = ["auth", "can-i", "list", "nodes", "--as=system:serviceaccount:copy:web"];
    assert_eq!(kubectl(east, &may).await.trim(), "yes");
}

/// <https://github.com/vmware-tanzu/velero/issues/6376>
async fn a_port_that_must_be_had_is_refused(bowline: &Bowline, east: &ControlPlane) {
    kubectl(east, &["delete", "service", "web", "-n=shop"]).await;
    let ports = json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 30080}]});
    apply(east, &[object("v1", "Service", "squatter", &json!({"spec": ports}), "default")]).await;
    let back = ["back", "--from-backup=shop", "--include-resources=services"];
    let planned = plan(bowline, east, &back, &[]).await;
    assert_eq!(planned["counts"]["refuse"], 1, "{planned}");
    let done = restore(bowline, east, &back, &[], 3).await;
    let error = &done["errors"][0];
    assert_eq!(error["message"], "node port 30080 is taken by service default/squatter");
    assert!(error["hint"].is_string());
}

fn object(version: &str, kind: &str, name: &str, rest: &Value, namespace: &str) -> Value {
    let mut object = json!({"apiVersion": version, "kind": kind,
        "metadata": {"name": name, "namespace": namespace}});
    for (key, value) in rest.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

fn shop() -> Vec<Value> {
    let of = |version: &str, kind: &str, name: &str, rest: Value| {
        object(version, kind, name, &rest, "shop")
    };
    let mut public = of(
        "v1",
        "Service",
        "public",
        json!({"spec": {"type": "LoadBalancer",
        "ports": [{"port": 80}], "externalTrafficPolicy": "Local", "selector": {"app": "web"}}}),
    );
    public["metadata"]["annotations"] = json!({
        "external-dns.alpha.kubernetes.io/hostname": "shop.example.com",
        "argocd.argoproj.io/tracking-id": "shop:/Service:shop/public"});
    let pod = json!({"spec": {"restartPolicy": "Never",
        "containers": [{"name": "a", "image": "registry.example.com/pause:3.10"}]}});
    let backend = json!({"service": {"name": "public", "port": {"number": 80}}});
    let urls = "postgres://ann:hunter2@web.shop.svc/db";
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "copy"}}),
        of("v1", "ServiceAccount", "web", json!({})),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "reader"},
            "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]}),
        of("v1", "ConfigMap", "urls", json!({"data": {"db": "http://web.shop.svc:80"}})),
        of("v1", "Secret", "urls", json!({"stringData": {"db": urls}})),
        of(
            "v1",
            "Service",
            "web",
            json!({"spec": {"type": "NodePort", "selector": {"app": "web"},
            "ports": [{"port": 80, "nodePort": 30080}]}}),
        ),
        public,
        of(
            "networking.k8s.io/v1",
            "Ingress",
            "web",
            json!({"spec": {"rules": [{
            "host": "shop.example.com", "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": backend}]}}]}}),
        ),
        of(
            "batch/v1",
            "CronJob",
            "report",
            json!({"spec": {"schedule": "30 4 1 1 *",
            "jobTemplate": {"spec": {"template": pod}}}}),
        ),
        of("batch/v1", "Job", "migrate", json!({"spec": {"template": pod}})),
    ]
}

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::ItemId;
use serde_json::{Value, json};

use super::super::samples::object;
use super::arrange::Order;
use super::registration::Registration;
use super::scene::{Answering, Look, Scene};
use super::{Authority, PodTemplate};
use crate::engine::model::Object;

const INJECTOR: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io";

fn id(id: &str) -> ItemId {
    id.parse().unwrap()
}

/// An injector for pods with the label `inject=NAME`, whose service is `mesh/NAME`.
fn injector(name: &str, policy: &str) -> Registration {
    let webhook = json!({"failurePolicy": policy,
        "clientConfig": {"service": {"namespace": "mesh", "name": name}},
        "objectSelector": {"matchLabels": {format!("inject-{name}"): "true"}},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}]});
    let webhooks = object(json!({"webhooks": [webhook]}));
    Registration::read(&id(&format!("{INJECTOR}/{name}")), &webhooks).unwrap()
}

fn deployment(labels: &Value) -> Object {
    object(json!({"spec": {"template": {"metadata": {"labels": labels},
        "spec": {"serviceAccountName": "runner"}}}}))
}

fn scene(registrations: Vec<Registration>) -> Scene {
    let service = |name: &str| {
        let labels = BTreeMap::from([("app".to_owned(), name.to_owned())]);
        (("mesh".to_owned(), name.to_owned()), Answering::Pods(labels))
    };
    let services = ["a", "b"].map(service).into();
    Scene { registrations, services, ..Scene::default() }
}

fn look(scene: &Scene, name: &str, object: &Object) -> Look {
    scene.look(&id(name), &id(name), object)
}

fn order<'a>(scene: &'a Scene, looks: &[Look]) -> Order<'a> {
    let looks = looks.iter().cloned().enumerate().collect();
    Order::new(&scene.registrations, &looks, &BTreeSet::new())
}

#[test]
fn a_workload_whose_pods_a_called_service_selects_backs_the_registration() {
    let scene = scene(vec![injector("a", "Fail")]);
    let backend = deployment(&json!({"app": "a", "more": "labels"}));
    assert_eq!(look(&scene, "deployments.apps/mesh/x", &backend).backs, [0]);
    assert!(look(&scene, "deployments.apps/shop/x", &backend).backs.is_empty(), "elsewhere");
    assert!(look(&scene, "jobs.batch/mesh/x", &backend).backs.is_empty(), "it comes and goes");
    let other = deployment(&json!({"app": "other"}));
    assert!(look(&scene, "deployments.apps/mesh/x", &other).is_plain());
    let pod = object(json!({"metadata": {"labels": {"app": "a"}}}));
    assert_eq!(look(&scene, "pods/mesh/x", &pod).backs, [0]);
}

#[test]
fn endpoints_that_somebody_wrote_down_back_it_too() {
    let mut scene = scene(vec![injector("a", "Fail")]);
    scene.services.insert(("mesh".to_owned(), "a".to_owned()), Answering::Endpoints);
    let slice = |service: &str| {
        object(json!({"metadata": {"labels": {"kubernetes.io/service-name": service}}}))
    };
    let slices = "endpointslices.discovery.k8s.io/mesh/a-x1";
    assert_eq!(look(&scene, slices, &slice("a")).backs, [0]);
    assert!(look(&scene, slices, &slice("b")).is_plain());
    assert_eq!(look(&scene, "endpoints/mesh/a", &object(json!({}))).backs, [0]);
}

#[test]
fn an_injector_whose_backend_another_shapes_comes_a_round_later() {
    let scene = scene(vec![injector("a", "Fail"), injector("b", "Fail")]);
    let looks = [
        look(
            &scene,
            "deployments.apps/mesh/a",
            &deployment(&json!({"app": "a", "inject-b": "true"})),
        ),
        look(&scene, "deployments.apps/mesh/b", &deployment(&json!({"app": "b"}))),
        look(&scene, "deployments.apps/shop/web", &deployment(&json!({"inject-a": "true"}))),
    ];
    let order = order(&scene, &looks);
    assert_eq!((order.urgent, order.rounds), (vec![true, true], vec![1, 0]));
    assert!(order.broken.is_empty());
}

#[test]
fn two_injectors_that_need_one_another_are_told_and_the_one_that_fails_open_gives_way() {
    let scene = scene(vec![injector("a", "Ignore"), injector("b", "Fail")]);
    let looks = [
        look(
            &scene,
            "deployments.apps/mesh/a",
            &deployment(&json!({"app": "a", "inject-b": "true"})),
        ),
        look(
            &scene,
            "deployments.apps/mesh/b",
            &deployment(&json!({"app": "b", "inject-a": "true"})),
        ),
    ];
    let order = order(&scene, &looks);
    assert_eq!(order.rounds, [1, 0]);
    let [warning] = &order.cycles()[..] else { panic!("{:?}", order.broken) };
    assert_eq!(warning.name.as_deref(), Some("b"));
    assert!(warning.message.contains("mutatingwebhookconfigurations"), "{}", warning.message);
}

#[test]
fn an_injector_that_would_shape_only_its_own_backend_holds_nobody_up() {
    let scene = scene(vec![injector("a", "Fail")]);
    let own = deployment(&json!({"app": "a", "inject-a": "true"}));
    let looks = [look(&scene, "deployments.apps/mesh/a", &own)];
    assert_eq!(looks[0].shaped_by, [(0, true)]);
    let order = order(&scene, &looks);
    assert_eq!((order.urgent, order.broken), (vec![false], vec![]));
}

/// A scene in which widgets are restored and `ops/runner` may write them.
fn operated() -> Scene {
    let allowed =
        json!({"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["update"]});
    let role = object(json!({"rules": [allowed]}));
    let subject = json!({"kind": "ServiceAccount", "namespace": "ops", "name": "runner"});
    let reference = json!({"kind": "ClusterRole", "name": "op"});
    let binding = object(json!({"subjects": [subject], "roleRef": reference}));
    let mut authority = Authority::default();
    authority.read(id("clusterroles.rbac.authorization.k8s.io/op"), role);
    authority.read(id("clusterrolebindings.rbac.authorization.k8s.io/op"), binding);
    let widgets = "widgets.example.com".parse().unwrap();
    Scene {
        authority,
        restored: BTreeSet::from([(widgets, Some("shop".to_owned()))]),
        custom: BTreeSet::from(["example.com".to_owned()]),
        ..scene(vec![injector("a", "Fail")])
    }
}

#[test]
fn a_workload_that_may_write_what_is_restored_is_an_operator() {
    let scene = operated();
    let it = deployment(&json!({}));
    let operates = |name: &str, object: &Object| look(&scene, name, object).operates;
    assert_eq!(operates("deployments.apps/ops/x", &it).unwrap().to_string(), "widgets.example.com");
    assert_eq!(operates("deployments.apps/shop/x", &it), None, "another account");
    assert_eq!(operates("jobs.batch/ops/x", &it), None, "it comes and goes");
    let mut managed = it;
    managed.insert(
        "metadata".to_owned(),
        json!({"ownerReferences": [{"apiVersion": "example.com/v1", "kind": "Widget"}]}),
    );
    assert_eq!(operates("statefulsets.apps/ops/x", &managed), None, "it is looked after itself");
}

#[test]
fn the_pods_of_jobs_are_shaped_and_a_recorded_pod_is_as_it_was_shaped() {
    let scene = scene(vec![injector("a", "Fail")]);
    let labels = json!({"inject-a": "true"});
    let job = deployment(&labels);
    assert_eq!(look(&scene, "jobs.batch/shop/x", &job).shaped_by, [(0, true)]);
    let cron = object(json!({"spec": {"jobTemplate": Value::Object(job)}}));
    assert_eq!(look(&scene, "cronjobs.batch/shop/x", &cron).shaped_by, [(0, true)]);
    let pod = object(json!({"metadata": {"labels": labels}}));
    assert!(look(&scene, "pods/shop/x", &pod).is_plain());
}

#[test]
fn the_template_of_a_workload_names_its_account() {
    let pods = PodTemplate::of(&id("deployments.apps/shop/x"), &deployment(&json!({"app": "a"})));
    let pods = pods.unwrap();
    assert_eq!((pods.account.as_str(), pods.labels["app"].as_str()), ("runner", "a"));
    let plain = object(json!({"spec": {"template": {"spec": {}}}}));
    let pods = PodTemplate::of(&id("deployments.apps/shop/x"), &plain).unwrap();
    assert_eq!(pods.account, "default");
    assert_eq!(PodTemplate::of(&id("configmaps/shop/x"), &plain), None);
}

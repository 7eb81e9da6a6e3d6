//! A namespace comes back under another name, beside its original or elsewhere.

use bowline::engine::logs::Reader;
use bowline::engine::report::Phase;
use bowline::engine::restore::{PlanDocument, PlannedItem, Request, Verdict};
use serde_json::{Value, json};

use crate::application::{
    NODE_PORT, backed_up, backup, faults_of, object, restore, source, target,
};
use crate::fake_world::World;
use crate::faults::Script;

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
async fn a_namespace_comes_with_its_labels_whatever_kinds_are_meant() {
    let world = source();
    world.cluster.edit("namespaces/shop", |it| it["metadata"]["labels"] = json!({"mesh": "on"}));
    world.back_up(&backup()).await.unwrap();
    for scoped in [None, Some(false)] {
        let world = target(&world);
        let mut request = into_copy();
        request.name = format!("clone-{}", scoped.is_some());
        request.spec.included_resources = vec!["configmaps".to_owned()];
        request.spec.include_cluster_resources = scoped;
        let plan = plan_of(&world, &request).await;
        let namespace = row(&plan, "namespaces", "copy");
        assert_eq!((namespace.verdict, &namespace.reason), (Verdict::Create, &None), "{scoped:?}");
        world.restore(&request).await.unwrap();
        assert_eq!(world.cluster.get("namespaces/copy")["metadata"]["labels"]["mesh"], "on");
        assert_eq!(world.cluster.find("deployments.apps/copy/web"), None);

        // One that is there is left as it is, and nothing is said of it.
        world.cluster.edit("namespaces/copy", |it| it["metadata"]["labels"] = json!({}));
        request.name = "again".to_owned();
        let plan = plan_of(&world, &request).await;
        assert!(!plan.items.iter().any(|it| it.resource == "namespaces"), "{:?}", plan.items);
    }
}

#[tokio::test(start_paused = true)]
async fn beside_its_original_a_clone_gives_way_with_its_node_port_and_has_its_own_volumes() {
    let world = backed_up().await;
    let before = world.cluster.names_in("shop");
    let mut request = into_copy();
    request.spec.include_outward = true;
    let report = world.restore(&request).await.unwrap();
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

async fn plan_of(world: &World, request: &Request) -> PlanDocument {
    world.start(Script::Sound).engine.plan_restore(request).await.unwrap()
}

fn row<'a>(plan: &'a PlanDocument, resource: &str, name: &str) -> &'a PlannedItem {
    let is_it = |it: &&PlannedItem| it.resource == resource && it.name == name;
    plan.items.iter().find(is_it).unwrap_or_else(|| panic!("{resource} {name}: {:?}", plan.items))
}

#[tokio::test(start_paused = true)]
async fn beside_its_original_a_clone_leaves_out_what_acts_outward_and_elsewhere_it_does_not() {
    let world = backed_up().await;
    let widgets = "widgets.example.com";
    let planned = |plan: &PlanDocument| {
        let row = row(plan, widgets, "main");
        (row.verdict, row.reason.clone().unwrap_or_default())
    };
    let (verdict, reason) = planned(&plan_of(&world, &into_copy()).await);
    assert_eq!(verdict, Verdict::Skip);
    assert!(
        reason.starts_with("acts outward: ") && reason.contains("--include-outward"),
        "{reason}"
    );
    let elsewhere = plan_of(&target(&world), &into_copy()).await;
    assert_eq!(planned(&elsewhere), (Verdict::Create, String::new()));
    let unmapped = plan_of(&world, &restore("again")).await;
    assert_eq!(planned(&unmapped).0, Verdict::Unchanged);

    world.restore(&into_copy()).await.unwrap();
    assert_eq!(world.cluster.find("widgets.example.com/copy/main"), None);
    assert!(world.cluster.find("configmaps/copy/widget-child").is_some());
}

#[tokio::test(start_paused = true)]
async fn beside_its_original_a_clones_accounts_are_bound_by_a_binding_of_its_own() {
    let world = backed_up().await;
    let original = "clusterrolebindings.rbac.authorization.k8s.io/reader";
    let before = world.cluster.get(original);
    let report = world.restore(&into_copy()).await.unwrap();
    let told: Vec<_> = report.warnings.iter().map(ToString::to_string).collect();
    let given_up = format!(
        "services/copy/web: node port {NODE_PORT} of port 80 is taken by shop/web: a free one instead"
    );
    assert_eq!((report.phase, told), (Phase::Completed, vec![given_up]));
    assert_eq!(world.cluster.get(original), before);
    let clone = world.cluster.get("clusterrolebindings.rbac.authorization.k8s.io/reader-copy");
    let subject = json!([{"kind": "ServiceAccount", "namespace": "copy", "name": "web"}]);
    assert_eq!((&clone["subjects"], &clone["roleRef"]), (&subject, &before["roleRef"]));
    assert_eq!(clone["metadata"]["labels"]["velero.io/restore-name"], "clone");

    let mut again = into_copy();
    "again".clone_into(&mut again.name);
    let report = world.restore(&again).await.unwrap();
    assert_eq!((report.items.created, report.items.failed), (0, 0), "{report:?}");
    let bindings = world.cluster.all("clusterrolebindings.rbac.authorization.k8s.io");
    assert_eq!(bindings.len(), 3);
}

/// A service that has the application's node port.
fn squatter() -> Value {
    let ports =
        json!({"spec": {"type": "NodePort", "ports": [{"port": 1, "nodePort": NODE_PORT}]}});
    object("v1", "Service", "default", "squatter", &ports)
}

#[tokio::test(start_paused = true)]
async fn a_chosen_node_port_that_another_service_holds_is_refused_by_name_unless_mapped() {
    let world = target(&backed_up().await);
    world.cluster.add(squatter());
    let plan = plan_of(&world, &restore("plain")).await;
    let refused = row(&plan, "services", "web");
    assert_eq!(refused.verdict, Verdict::Refuse);
    let expected = format!("node port {NODE_PORT} is taken by service default/squatter");
    assert_eq!(refused.reason.as_deref(), Some(expected.as_str()));
    let report = world.restore(&restore("plain")).await.unwrap();
    assert_eq!(report.errors[0].message, expected);
    assert!(report.errors[0].hint.as_ref().unwrap().contains("free the port"));

    let plan = plan_of(&world, &into_copy()).await;
    let changes = &row(&plan, "services", "web").transformations;
    let expected = format!(
        "node port {NODE_PORT} of port 80 is taken by default/squatter: a free one instead"
    );
    assert!(changes.contains(&expected), "{changes:?}");
}

/// Restores while somebody takes the node port just before the service is made.
async fn overtaken(
    request: &Request,
    create: &str,
) -> (World, bowline::engine::report::RestoreReport) {
    let source = backed_up().await;
    let rehearsal = target(&source.copy().await).start(Script::Sound);
    rehearsal.engine.create_restore(request).await.unwrap();
    let calls = rehearsal.faults.calls();
    let number =
        calls.iter().position(|call| call == create).unwrap_or_else(|| panic!("{calls:?}"));
    let world = target(&source);
    let process = world.start(Script::Waits(number));
    let meddle = async {
        process.faults.waiting().await;
        world.cluster.add(squatter());
        process.faults.release();
    };
    let (report, ()) = tokio::join!(process.engine.create_restore(request), meddle);
    (world.clone(), report.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_node_port_that_is_taken_in_between_never_costs_a_clone_its_service() {
    let (world, report) =
        overtaken(&into_copy(), "POST /api/v1/namespaces/copy/services/web").await;
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let service = world.cluster.get("services/copy/web");
    assert_ne!(service["spec"]["ports"][0]["nodePort"], NODE_PORT);
    let told: Vec<_> = report.warnings.iter().map(ToString::to_string).collect();
    let expected = format!(
        "services/copy/web: node port {NODE_PORT} was taken meanwhile: it has a free one instead"
    );
    assert!(told.contains(&expected), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_port_that_is_taken_in_between_is_an_error_that_names_who_has_it() {
    let (world, report) =
        overtaken(&restore("plain"), "POST /api/v1/namespaces/shop/services/web").await;
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let error = &report.errors[0];
    let expected = format!("node port {NODE_PORT} is taken by service default/squatter");
    assert_eq!((error.message.as_str(), error.status), (expected.as_str(), Some(422)));
    assert_eq!(world.cluster.find("services/shop/web"), None);
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_is_there_for_the_clones_accounts_is_theirs() {
    let world = target(&backed_up().await);
    world.restore(&into_copy()).await.unwrap();
    let bindings = || world.cluster.all("clusterrolebindings.rbac.authorization.k8s.io").len();
    let before = bindings();
    let again = Request { name: "again".to_owned(), ..into_copy() };
    let plan = plan_of(&world, &again).await;
    let reader = row(&plan, "clusterrolebindings.rbac.authorization.k8s.io", "reader");
    assert_eq!(reader.verdict, Verdict::Unchanged);
    world.restore(&again).await.unwrap();
    assert_eq!(bindings(), before);
}

#[tokio::test(start_paused = true)]
async fn a_clone_that_is_to_keep_its_node_ports_gives_none_up() {
    let mut request = into_copy();
    request.spec.preserve_node_ports = Some(true);
    let (world, report) = overtaken(&request, "POST /api/v1/namespaces/copy/services/web").await;
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let expected = format!("node port {NODE_PORT} is taken by service default/squatter");
    assert_eq!(report.errors[0].message, expected);
    assert_eq!(world.cluster.find("services/copy/web"), None);
}

#[tokio::test(start_paused = true)]
async fn beside_its_original_a_clone_leaves_out_the_pods_of_its_jobs_too() {
    let world = source();
    let spec = json!({"spec": {"template": {"spec": {"containers": []}}}});
    let job = world.cluster.add(object("batch/v1", "Job", "shop", "mail", &spec));
    let mut pod = object("v1", "Pod", "shop", "mail-x1", &json!({"spec": {"containers": []}}));
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "Job",
        "name": "mail", "uid": job["metadata"]["uid"], "controller": true}]);
    world.cluster.add(pod);
    assert_eq!(world.back_up(&backup()).await.unwrap().errors, []);
    let plan = plan_of(&world, &into_copy()).await;
    assert_eq!(row(&plan, "jobs.batch", "mail").verdict, Verdict::Skip);
    assert_eq!(row(&plan, "pods", "mail-x1").verdict, Verdict::Skip);
    world.restore(&into_copy()).await.unwrap();
    assert_eq!(world.cluster.find("pods/copy/mail-x1"), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_looked_at_is_in_the_report_and_every_object_in_the_log() {
    const LINKS: usize = 60;
    let source = source();
    for number in 0..LINKS {
        let data = json!({"data": {"host": "web.shop.svc"}});
        source.cluster.add(object("v1", "ConfigMap", "shop", &format!("link-{number}"), &data));
    }
    source.back_up(&backup()).await.unwrap();
    let world = target(&source);
    let report = world.restore(&into_copy()).await.unwrap();
    assert_eq!((report.phase, &report.errors[..]), (Phase::Completed, &[][..]));
    let (rest, named) = report.warnings.split_last().unwrap();
    let is_link = |it: &&bowline::engine::report::Problem| {
        it.message == "/data/host still names shop (web.shop.svc)"
            && it.name.as_ref().is_some_and(|name| name.starts_with("link-"))
    };
    assert_eq!((named.len(), named.iter().filter(is_link).count()), (50, 50), "{named:?}");
    assert_eq!(rest.message, "10 more objects are to be looked at: the log names them");

    let store = world.backups();
    let log = Reader::of_restore(&store, None, "clone").read_on().await.unwrap().text;
    let count =
        |words: &[&str]| log.lines().filter(|it| words.iter().all(|w| it.contains(w))).count();
    assert_eq!(count(&["web.shop.svc", "name=link-", "namespace=copy"]), LINKS, "{log}");
    assert_eq!(count(&["msg=created", "name=link-", "namespace=copy"]), LINKS, "{log}");
    let created = count(&["msg=created"]) + count(&["msg=\"created: a new volume"]);
    assert_eq!(created as u64, report.items.created, "{log}");
    assert_eq!(count(&["msg=\"skipped: "]) as u64, report.items.skipped, "{log}");
}

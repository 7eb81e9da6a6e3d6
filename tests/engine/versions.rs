//! Objects in another version than the one that their cluster prefers.

use bowline::engine::backup::{ApiVersions, Request};
use bowline::engine::model::restore::ExistingResourcePolicy;
use bowline::engine::model::selector::Selectors;
use bowline::engine::report::Phase;
use bowline::engine::restore::diff::Filter;
use bowline::engine::restore::{PlannedItem, Verdict};
use bowline::engine::verify::Level;
use serde_json::{Value, json};

use crate::application::{backup, object, restore, source, target};
use crate::diff::cluster;
use crate::fake_world::World;
use crate::faults::Script;
use crate::verify::{told, verify};

const GADGET: &str = "gadgets.tools.example.com/shop/main";

/// The definition of a kind in these versions, the preferred one first and the last one stored.
fn definition(versions: &[&str], conversion: &Value) -> Value {
    let version = |name: &&str| json!({"name": name, "served": true, "storage": Some(name) == versions.last()});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.tools.example.com"},
        "spec": {"group": "tools.example.com", "scope": "Namespaced", "conversion": conversion,
            "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
            "versions": versions.iter().map(version).collect::<Vec<_>>()}})
}

fn webhook() -> Value {
    json!({"strategy": "Webhook", "webhook": {"clientConfig":
        {"service": {"namespace": "shop", "name": "convert"}}}})
}

/// An application with a gadget, served as v2 and v1, and stored as v1.
fn with_gadget(conversion: &Value) -> World {
    let world = source();
    world.cluster.add(definition(&["v2", "v1"], conversion));
    let size = json!({"spec": {"size": 3}});
    world.cluster.add(object("tools.example.com/v2", "Gadget", "shop", "main", &size));
    world
}

fn in_versions(api_versions: ApiVersions) -> Request {
    Request { api_versions, ..backup() }
}

/// A target that serves gadgets in these versions already.
fn serving(world: &World, versions: &[&str]) -> World {
    let target = target(world);
    target.cluster.add(definition(versions, &json!(null)));
    target
}

async fn planned(world: &World) -> PlannedItem {
    let plan = world.start(Script::Sound).engine.plan_restore(&restore("rescue")).await.unwrap();
    plan.items.into_iter().find(|it| it.resource == "gadgets.tools.example.com").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_target_no_longer_serves_is_replaced_by_one_that_it_serves() {
    let source = with_gadget(&json!(null));
    let report = source.back_up(&in_versions(ApiVersions::All)).await.unwrap();
    assert_eq!(report.errors, []);
    let target = serving(&source, &["v1"]);
    let told = "as tools.example.com/v1: the target does not serve tools.example.com/v2";
    assert_eq!(planned(&target).await.transformations, [told]);
    let report = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let gadget = target.cluster.get(GADGET);
    assert_eq!(
        (&gadget["apiVersion"], &gadget["spec"]["size"]),
        (&json!("tools.example.com/v1"), &json!(3))
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_version_that_the_target_serves_an_object_is_refused_and_both_are_named() {
    let source = with_gadget(&json!(null));
    source.back_up(&backup()).await.unwrap();
    let target = serving(&source, &["v1", "v1beta1"]);
    let item = planned(&target).await;
    assert_eq!(item.verdict, Verdict::Refuse);
    let reason = "the backup holds it as tools.example.com/v2, which the target does not serve; it serves \
        tools.example.com/v1 and tools.example.com/v1beta1";
    assert_eq!(item.reason.as_deref(), Some(reason));
    let report = target.restore(&restore("rescue")).await.unwrap();
    let error = report.errors.iter().find(|it| it.message == reason).unwrap();
    assert!(error.hint.as_ref().unwrap().contains("--api-versions all"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_recorded_version_is_taken_wherever_the_target_serves_it() {
    let source = with_gadget(&json!(null));
    source.back_up(&in_versions(ApiVersions::All)).await.unwrap();
    let other = serving(&source.copy().await, &["v3", "v2", "v1"]);
    for target in [target(&source), other] {
        assert_eq!(planned(&target).await.transformations, [""; 0]);
        target.restore(&restore("rescue")).await.unwrap();
        assert_eq!(target.cluster.get(GADGET)["apiVersion"], "tools.example.com/v2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_a_webhook_converts_comes_back_although_it_does_not_answer() {
    let source = with_gadget(&webhook());
    source.back_up(&backup()).await.unwrap();
    let target = target(&source);
    target.cluster.break_conversion("gadgets.tools.example.com v2");
    let told =
        "as tools.example.com/v1: stored so, it needs no conversion from tools.example.com/v2";
    assert_eq!(planned(&target).await.transformations, [told]);
    let report = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(target.cluster.get(GADGET)["apiVersion"], "tools.example.com/v1");
}

#[tokio::test(start_paused = true)]
async fn what_a_webhook_does_not_convert_is_backed_up_as_it_is_stored() {
    let source = with_gadget(&webhook());
    source.cluster.break_conversion("gadgets.tools.example.com v2");
    let report = source.back_up(&backup()).await.unwrap();
    assert_eq!((report.phase, report.errors), (Phase::Completed, vec![]));
    let [warning] = &report.warnings[..] else { panic!("{:?}", report.warnings) };
    let told = "taken as tools.example.com/v1, as stored; as tools.example.com/v2: ";
    assert!(warning.message.starts_with(told), "{warning:?}");
    assert!(warning.hint.as_ref().unwrap().contains("service shop/convert"), "{warning:?}");
    let verified = verify(&source, Level::Parse).await;
    assert!(verified.verified, "{verified:?}");
    let target = target(&source);
    target.cluster.break_conversion("gadgets.tools.example.com v2");
    let report = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.errors, []);
    let gadget = target.cluster.get(GADGET);
    assert_eq!(
        (&gadget["apiVersion"], &gadget["spec"]["size"]),
        (&json!("tools.example.com/v1"), &json!(3))
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_listed_as_it_is_stored_is_taken_once() {
    let source = with_gadget(&webhook());
    let size = json!({"spec": {"size": 3}});
    source.cluster.add(object("tools.example.com/v2", "Gadget", "other", "main", &size));
    source.cluster.break_conversion("gadgets.tools.example.com v2 in other");
    let labels = json!({"a": "1", "b": "2"});
    source.cluster.edit(GADGET, |it| it["metadata"]["labels"] = labels.clone());
    let other = "gadgets.tools.example.com/other/main";
    source.cluster.edit(other, |it| it["metadata"]["labels"] = labels);
    let selectors = Selectors::new(["a=1", "b=2"].map(|it| it.parse().unwrap()));
    let mut request = Request { selectors, ..backup() };
    request.spec.included_namespaces.push("other".to_owned());
    let report = source.back_up(&request).await.unwrap();
    assert_eq!((report.errors, report.warnings.len()), (vec![], 1));
    let verified = verify(&source, Level::Parse).await;
    assert!(verified.verified, "{verified:?}");
    let target = serving(&source, &["v1"]);
    let report = target.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.errors, []);
    for id in [GADGET, other] {
        assert_eq!(target.cluster.get(id)["apiVersion"], "tools.example.com/v1", "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_does_not_answer_is_named_where_a_backup_needs_it() {
    let source = with_gadget(&webhook());
    source.cluster.break_conversion("gadgets.tools.example.com v2");
    source.cluster.break_conversion("gadgets.tools.example.com v1");
    let report = source.back_up(&backup()).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let [error] = &report.errors[..] else { panic!("{:?}", report.errors) };
    assert_eq!(error.resource.as_deref(), Some("gadgets.tools.example.com"));
    let hint = error.hint.as_deref().unwrap();
    for part in ["gadgets.tools.example.com", "service shop/convert", "NOT in this backup"] {
        assert!(hint.contains(part), "{hint}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stored_version_that_only_a_forbidden_definition_tells_of_is_a_warning() {
    let source = with_gadget(&webhook());
    let plan = source.start(Script::Sound).engine.plan_backup(&backup()).await.unwrap();
    assert_eq!(plan.further_versions, ["tools.example.com/v1 gadgets"]);
    let definition = "customresourcedefinitions.apiextensions.k8s.io/gadgets.tools.example.com";
    source.cluster.forbid(definition);
    let report = source.back_up(&backup()).await.unwrap();
    let told = |it: &&bowline::engine::report::Problem| it.message.contains("stored version");
    assert_eq!(report.errors.iter().filter(told).count(), 0, "{:?}", report.errors);
    let warning = report.warnings.iter().find(told).unwrap();
    assert_eq!(warning.resource.as_deref(), Some("gadgets.tools.example.com"));
    source.delete("nightly").await.unwrap();
    let mut request = backup();
    let name = "customresourcedefinitions.apiextensions.k8s.io";
    request.spec.excluded_resources = vec![name.to_owned()];
    let report = source.back_up(&request).await.unwrap();
    assert_eq!((report.errors, report.warnings), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_backup_of_some_objects_holds_all_versions_of_these() {
    let source = with_gadget(&json!(null));
    let size = json!({"spec": {"size": 3}});
    for (name, app) in [("one", "a"), ("other", "b")] {
        source.cluster.add(object("tools.example.com/v2", "Gadget", "shop", name, &size));
        source.cluster.edit(&format!("gadgets.tools.example.com/shop/{name}"), |it| {
            it["metadata"]["labels"] = json!({"app": app});
        });
    }
    let selectors = "app=a".parse().unwrap();
    let request = Request { selectors, ..in_versions(ApiVersions::All) };
    let report = source.back_up(&request).await.unwrap();
    assert_eq!(report.errors, []);
    let target = serving(&source, &["v1"]);
    target.restore(&restore("rescue")).await.unwrap();
    assert!(target.cluster.find("gadgets.tools.example.com/shop/one").is_some());
    assert!(target.cluster.find("gadgets.tools.example.com/shop/other").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_backup_of_all_versions_is_in_order_and_counts_each_object_once() {
    let source = with_gadget(&json!(null));
    let request = in_versions(ApiVersions::All);
    let plan = source.start(Script::Sound).engine.plan_backup(&request).await;
    assert_eq!(plan.unwrap().further_versions, ["tools.example.com/v1 gadgets"]);
    let one = source.back_up(&backup()).await.unwrap();
    source.delete("nightly").await.unwrap();
    let all = source.back_up(&in_versions(ApiVersions::All)).await.unwrap();
    assert_eq!(one.items, all.items);
    let report = verify(&source, Level::Parse).await;
    assert_eq!(told(&report.problems), [""; 0]);
    assert_eq!(told(&report.warnings), [""; 0]);
    assert!(report.verified, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_backups_definition_brings_is_refused_with_how_it_comes() {
    let source = source();
    source.cluster.add(definition(&["v2", "v1"], &json!(null)));
    let size = json!({"spec": {"size": 3}});
    source.cluster.add(object("tools.example.com/v2", "Gadget", "shop", "main", &size));
    assert_eq!(source.back_up(&backup()).await.unwrap().errors, []);
    let target = serving(&source, &["v1"]);
    let planned = planned(&target).await;
    assert_eq!(planned.verdict, Verdict::Refuse);
    let hint = planned.hint.unwrap();
    assert!(hint.starts_with("--existing-resource-policy=update brings"), "{hint}");

    let mut request = restore("rescue");
    request.spec.existing_resource_policy = Some(ExistingResourcePolicy::Update);
    let first = target.restore(&request).await.unwrap();
    let [error] = &first.errors[..] else { panic!("{:#?}", first.errors) };
    assert!(error.hint.as_ref().unwrap().contains("restore resume"), "{error:?}");
    let second = target.restore(&request).await.unwrap();
    assert_eq!(second.phase, Phase::Completed, "{:?}", second.errors);
    assert_eq!(second.kinds["customresourcedefinitions.apiextensions.k8s.io"].updated, 1);
    assert_eq!(target.cluster.get(GADGET)["spec"]["size"], 3);
}

#[tokio::test(start_paused = true)]
async fn an_update_of_the_definition_that_was_refused_is_not_advised() {
    let source = source();
    source.cluster.add(definition(&["v2", "v1"], &json!(null)));
    let size = json!({"spec": {"size": 3}});
    source.cluster.add(object("tools.example.com/v2", "Gadget", "shop", "main", &size));
    assert_eq!(source.back_up(&backup()).await.unwrap().errors, []);
    let target = serving(&source, &["v1", "v3"]);
    let mut request = restore("rescue");
    request.spec.existing_resource_policy = Some(ExistingResourcePolicy::Update);
    let plan = target.start(Script::Sound).engine.plan_restore(&request).await.unwrap();
    let gadget = plan.items.iter().find(|it| it.resource == "gadgets.tools.example.com").unwrap();
    let hint = gadget.hint.as_deref().unwrap();
    assert!(hint.starts_with("a backup made with"), "{hint}");
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_compared_with_the_cluster_in_the_version_that_it_holds() {
    let source = with_gadget(&json!(null));
    assert_eq!(source.back_up(&backup()).await.unwrap().errors, []);
    let target = serving(&source, &["v1", "v2"]);
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    target.cluster.add(shop);
    let size = json!({"spec": {"size": 4}});
    target.cluster.add(object("tools.example.com/v2", "Gadget", "shop", "main", &size));
    target.cluster.break_conversion("gadgets.tools.example.com v1");
    let filter = Filter { included_resources: vec!["gadgets".to_owned()], ..Filter::default() };
    let (told, footer) = cluster(&target, &filter).await;
    assert_eq!(footer.not_compared, []);
    assert_eq!(told.words(), ["changed gadgets.tools.example.com/shop/main /spec/size"]);
}

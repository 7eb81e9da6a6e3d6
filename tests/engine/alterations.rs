//! What a person wants changed on the way: shown before, done as shown, and refused if it means nothing.

use bowline::engine::model::restore::{ExistingResourcePolicy, ResourceModifier};
use bowline::engine::report::{Phase, chain};
use bowline::engine::restore::{PlanDocument, PlannedItem, Request};
use serde_json::{Value, json};

use crate::application::{backed_up, backup, object, restore, source, target};
use crate::fake_cluster::DRIVER;
use crate::fake_world::World;
use crate::faults::Script;

fn modified(name: &str, rules: &str) -> Request {
    let mut request = restore(name);
    request.spec.resource_modifier_rules =
        Some(format!("version: v1\nresourceModifierRules:\n{rules}"));
    request
}

const REPLICAS: &str = "- conditions: {groupResource: deployments.apps, namespaces: [shop]}
  patches: [{operation: replace, path: /spec/replicas, value: \"1\"}]
";

async fn plan_of(world: &World, request: &Request) -> PlanDocument {
    world.start(Script::Sound).engine.plan_restore(request).await.unwrap()
}

/// Why a restore is not made, and that nothing was done.
async fn fault_of(world: &World, request: &Request) -> String {
    let process = world.start(Script::Sound);
    let error = process.engine.create_restore(request).await.unwrap_err();
    assert_eq!(process.faults.calls(), [""; 0]);
    chain(&error)
}

fn changes<'a>(plan: &'a PlanDocument, resource: &str, name: &str) -> &'a [String] {
    let is_it = |it: &&PlannedItem| it.resource == resource && it.name == name;
    &plan.items.iter().find(is_it).unwrap().transformations
}

#[tokio::test(start_paused = true)]
async fn a_modifier_does_what_the_plan_shows_and_a_second_restore_finds_it_unchanged() {
    let world = target(&backed_up().await);
    let plan = plan_of(&world, &modified("r", REPLICAS)).await;
    assert_eq!(changes(&plan, "deployments.apps", "web"), ["modifier rule 1: /spec/replicas"]);
    assert_eq!(changes(&plan, "statefulsets.apps", "db"), [""; 0]);
    let report = world.restore(&modified("r", REPLICAS)).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(world.cluster.get("deployments.apps/shop/web")["spec"]["replicas"], 1);
    let report = world.restore(&modified("again", REPLICAS)).await.unwrap();
    assert_eq!((report.items.created, report.warnings.len()), (0, 0), "{:?}", report.warnings);
}

/// What else is done to an object that is made does not touch one that is there.
#[tokio::test(start_paused = true)]
async fn an_update_shows_the_alterations_that_it_brings_and_nothing_else() {
    const WEB: &str = "deployments.apps/shop/web";
    let world = backed_up().await;
    let pause = |object: &mut Value| object["spec"]["paused"] = json!(true);
    world.cluster.edit(WEB, pause);
    world.cluster.edit("services/shop/web", |it| it["spec"]["ports"][0]["targetPort"] = json!(1));
    let mut request = modified("r", REPLICAS);
    request.spec.existing_resource_policy = Some(ExistingResourcePolicy::Update);
    let images = ("registry.example.com".to_owned(), "mirror.example.com".to_owned());
    request.spec.image_mapping = [images].into();
    let plan = plan_of(&world, &request).await;
    assert_eq!(changes(&plan, "services", "web"), [""; 0]);
    let image = "image registry.example.com/app:1 -> mirror.example.com/app:1";
    let brought = [image, "modifier rule 1: /spec/replicas"];
    assert_eq!(changes(&plan, "deployments.apps", "web"), brought);
    let web = plan.items.iter().find(|it| it.resource == "deployments.apps").unwrap();
    let mut fields: Vec<_> = web.differences.iter().map(|it| it.path.as_str()).collect();
    fields.sort_unstable();
    let image = "/spec/template/spec/containers[name=web]/image";
    assert_eq!(fields, ["/spec/paused", "/spec/replicas", image]);

    assert_eq!(world.restore(&request).await.unwrap().errors, []);
    world.cluster.edit(WEB, pause);
    request.name = "again".to_owned();
    let plan = plan_of(&world, &request).await;
    assert_eq!(changes(&plan, "deployments.apps", "web"), [""; 0]);
}

/// Of very many differences the first are told, and all of them decide what an update changes.
#[tokio::test(start_paused = true)]
async fn an_alteration_behind_very_many_differences_is_shown() {
    let rule =
        "- conditions: {groupResource: configmaps, namespaces: [shop], resourceNameRegex: many}
  patches: [{operation: replace, path: /data/z, value: altered}]
";
    let mut data: serde_json::Map<String, Value> =
        (0..150).map(|n| (format!("k{n:03}"), json!("old"))).collect();
    data.insert("z".to_owned(), json!("z"));
    let world = source();
    world.cluster.add(object("v1", "ConfigMap", "shop", "many", &json!({"data": data})));
    assert_eq!(world.back_up(&backup()).await.unwrap().errors, []);
    world.cluster.edit("configmaps/shop/many", |it| {
        for value in it["data"].as_object_mut().unwrap().values_mut() {
            *value = json!("new");
        }
    });
    let mut request = modified("r", rule);
    request.spec.existing_resource_policy = Some(ExistingResourcePolicy::Update);
    let plan = plan_of(&world, &request).await;
    assert_eq!(changes(&plan, "configmaps", "many"), ["modifier rule 1: /data/z"]);
}

/// A container that was put between others is one field of the plan, and the update takes it out alone.
#[tokio::test(start_paused = true)]
async fn an_inserted_container_is_taken_out_and_the_others_stay() {
    const WEB: &str = "deployments.apps/shop/web";
    let world = backed_up().await;
    world.cluster.edit(WEB, |it| {
        let containers = &mut it["spec"]["template"]["spec"]["containers"];
        containers[0]["terminationMessagePath"] = json!("/dev/termination-log");
        let proxy = json!({"name": "proxy", "image": "proxy"});
        containers.as_array_mut().unwrap().insert(0, proxy);
    });
    let mut request = restore("r");
    request.spec.existing_resource_policy = Some(ExistingResourcePolicy::Update);
    let plan = plan_of(&world, &request).await;
    let web = plan.items.iter().find(|it| it.resource == "deployments.apps").unwrap();
    let fields: Vec<_> = web.differences.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(fields, ["/spec/template/spec/containers[name=proxy]"]);
    assert_eq!(world.restore(&request).await.unwrap().errors, []);
    let containers = &world.cluster.get(WEB)["spec"]["template"]["spec"]["containers"];
    let [web] = &containers.as_array().unwrap()[..] else { panic!("{containers}") };
    assert_eq!(web["terminationMessagePath"], "/dev/termination-log");
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_a_config_map_are_kept_with_the_restore_that_follows_them() {
    let world = target(&backed_up().await);
    let mut request = restore("r");
    let (namespace, name) = ("default".to_owned(), "rules".to_owned());
    request.spec.resource_modifier =
        Some(ResourceModifier { kind: "configmap".to_owned(), namespace, name });
    let fault = fault_of(&world, &request).await;
    assert!(fault.contains("\"rules\"") && fault.contains("does not exist"), "{fault}");

    let text = format!("version: v1\nresourceModifierRules:\n{REPLICAS}");
    let map = object("v1", "ConfigMap", "default", "rules", &json!({"data": {"r.yaml": text}}));
    world.cluster.add(map);
    world.restore(&request).await.unwrap();
    assert_eq!(world.cluster.get("deployments.apps/shop/web")["spec"]["replicas"], 1);
    let record = world.backups().restore("r").await.unwrap().unwrap().record;
    assert_eq!(record.spec.resource_modifier_rules, Some(text));
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_matches_nothing_or_does_not_fit_ends_the_restore_before_it_begins() {
    let world = target(&backed_up().await);
    for (rules, expected) in [
        (
            "- conditions: {groupResource: deployments.apps, resourceNameRegex: absent}
  patches: [{operation: remove, path: /spec/replicas}]
",
            "modifier rule 1 (deployments.apps) matches no object of this restore",
        ),
        (
            "- conditions: {groupResource: pods, namespaces: [shop]}
  patches: [{operation: add, path: /spec/priority, value: \"1\"}]
",
            "modifier rule 1 (pods) matches no object that is made: pods/shop/",
        ),
        (
            "- conditions: {groupResource: configmaps, resourceNameRegex: settings}
  patches: [{operation: remove, path: /data/absent}]
",
            "configmaps/shop/settings: modifier rule 1: patches[0]: remove /data/absent: there is no",
        ),
        (
            "- conditions: {groupResource: deployments.apps}
  resourcePatches: []
",
            "resourceModifierRules[0].resourcePatches: there is no such field",
        ),
    ] {
        let fault = fault_of(&world, &modified("r", rules)).await;
        assert!(fault.contains(expected), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_modifier_makes_an_object_another_one_or_leads_a_claim_to_another_volume() {
    let world = target(&backed_up().await);
    for (resource, path, value) in [
        ("configmaps", "/metadata/name", "other"),
        ("configmaps", "/metadata/namespace", "kube-system"),
        ("configmaps", "/kind", "Secret"),
        ("configmaps", "/metadata/ownerReferences", "[]"),
        ("configmaps", "/metadata/labels/bowline.io~1restore-uid", "x"),
        ("persistentvolumeclaims", "/spec/volumeName", "pv-of-production"),
        ("persistentvolumes", "/spec/csi/volumeHandle", "vol-of-production"),
        ("persistentvolumes", "/spec/claimRef/name", "other"),
    ] {
        let add = format!("{{operation: add, path: {path}, value: \"{value}\"}}");
        let parents = "{operation: add, path: /metadata/labels, value: \"{}\"}";
        let parents = if path.contains("labels") { format!("{parents}, ") } else { String::new() };
        let rules =
            format!("- conditions: {{groupResource: {resource}}}\n  patches: [{parents}{add}]\n");
        let fault = fault_of(&world, &modified("r", &rules)).await;
        assert!(fault.contains("is not for a modifier to change"), "{path}: {fault}");
    }
}

fn with_classes(name: &str, old: &str, new: &str) -> Request {
    let mut request = restore(name);
    request.spec.storage_class_mapping = [(old.to_owned(), new.to_owned())].into();
    request
}

#[tokio::test(start_paused = true)]
async fn a_storage_class_is_replaced_in_claims_volumes_and_templates() {
    let world = target(&backed_up().await);
    world.cluster.add(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "fast"}, "provisioner": DRIVER}));
    let plan = plan_of(&world, &with_classes("r", "standard", "fast")).await;
    let told = changes(&plan, "statefulsets.apps", "db");
    assert_eq!(told, ["storage class standard -> fast"]);
    let report = world.restore(&with_classes("r", "standard", "fast")).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    let set = world.cluster.get("statefulsets.apps/shop/db");
    let template = &set["spec"]["volumeClaimTemplates"][0]["spec"];
    assert_eq!(template["storageClassName"], "fast");
    for resource in ["persistentvolumeclaims", "persistentvolumes"] {
        for object in world.cluster.all(resource) {
            let class: &Value = &object["spec"]["storageClassName"];
            assert!(
                resource == "persistentvolumes" && class.is_null() || class == "fast",
                "{object}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_map_that_changes_nothing_or_leads_nowhere_ends_the_restore_before_it_begins() {
    let world = target(&backed_up().await);
    let fault = fault_of(&world, &with_classes("r", "unknown", "standard")).await;
    let expected =
        "--storage-class-mappings maps \"unknown\", which no object of this restore names";
    assert!(fault.contains(expected), "{fault}");
    let fault = fault_of(&world, &with_classes("r", "standard", "nowhere")).await;
    assert!(fault.contains("\"nowhere\"") && fault.contains("neither in the target"), "{fault}");
    let mut request = restore("r");
    request.spec.image_mapping = [("hub.example.com".to_owned(), "mirror.local".to_owned())].into();
    let fault = fault_of(&world, &request).await;
    assert!(
        fault.contains("--image-mappings maps \"hub.example.com\", which no object"),
        "{fault}"
    );
}

#[tokio::test(start_paused = true)]
async fn images_come_from_where_the_map_says() {
    let world = target(&backed_up().await);
    let mut request = restore("r");
    let (old, new) = ("registry.example.com".to_owned(), "mirror.local/hub".to_owned());
    request.spec.image_mapping = [(old, new)].into();
    world.restore(&request).await.unwrap();
    for workload in ["deployments.apps/shop/web", "statefulsets.apps/shop/db"] {
        let workload = world.cluster.get(workload);
        let image = &workload["spec"]["template"]["spec"]["containers"][0]["image"];
        assert_eq!(image, "mirror.local/hub/app:1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_condition_is_about_the_object_as_it_was_backed_up() {
    let rules = format!(
        "{REPLICAS}- conditions: {{groupResource: deployments.apps, matches: [{{path: /spec/replicas, value: \"2\"}}]}}
  patches: [{{operation: add, path: /spec/paused, value: \"true\"}}]
"
    );
    let world = target(&backed_up().await);
    let plan = plan_of(&world, &modified("r", &rules)).await;
    let both = ["modifier rule 1: /spec/replicas", "modifier rule 2: /spec/paused"];
    assert_eq!(changes(&plan, "deployments.apps", "web"), both);
}

#[tokio::test(start_paused = true)]
async fn a_resumed_restore_follows_the_rules_that_it_began_with() {
    let world = target(&backed_up().await);
    let mut request = restore("r");
    let (namespace, name) = ("default".to_owned(), "rules".to_owned());
    request.spec.resource_modifier =
        Some(ResourceModifier { kind: "configmap".to_owned(), namespace, name });
    let text = format!("version: v1\nresourceModifierRules:\n{REPLICAS}");
    let map = object("v1", "ConfigMap", "default", "rules", &json!({"data": {"r.yaml": text}}));
    world.cluster.add(map);
    world.cluster.refuse_creates("deployments.apps", true);
    world.restore(&request).await.unwrap();
    world.cluster.refuse_creates("deployments.apps", false);
    world.cluster.remove("configmaps/default/rules");
    let record = world.backups().restore("r").await.unwrap().unwrap().record;
    let report = world.restore(&Request::of_record(&record).unwrap()).await.unwrap();
    assert_eq!(report.phase, Phase::Completed, "{:?}", report.errors);
    assert_eq!(world.cluster.get("deployments.apps/shop/web")["spec"]["replicas"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_rule_need_not_fit_what_is_not_made() {
    let world = target(&backed_up().await);
    let rules = "- conditions: {groupResource: configmaps, resourceNameRegex: \"^(settings|kube-root-ca.crt)$\"}
  patches: [{operation: remove, path: /data/a}]
";
    let plan = plan_of(&world, &modified("r", rules)).await;
    assert_eq!(changes(&plan, "configmaps", "settings"), ["modifier rule 1: /data/a"]);
    let left = plan.items.iter().find(|it| it.name == "kube-root-ca.crt").unwrap();
    assert_eq!(left.verdict.word(), "skip");
}

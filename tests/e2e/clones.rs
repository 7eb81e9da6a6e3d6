//! Restores into the cluster that holds the original.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bowline_api::ItemId;
use bowline_testkit::lab::{self, NAMESPACE, Tree};
use bowline_testkit::{Bowline, ControlPlane};
use serde_json::{Value, json};

use crate::application::{all_pods_run, cluster_object, completed, pods};
use crate::inventory::{self, Inventory, is_steady, meant};
use crate::plan::{self, Plan};

const CLONE: &str = "shop-clone";
/// What is told of a clone that cannot have all that its original has.
const GAVE_WAY: [&str; 1] =
    ["node port 30080 of port 80 is taken by shop/web-node-port: a free one instead"];
const OF_LOAD_BALANCERS: [&str; 2] = ["allocateLoadBalancerNodePorts", "externalTrafficPolicy"];

#[tokio::test]
async fn a_backup_is_cloned_beside_its_original_and_restored_again_changes_nothing() {
    let lab = Lab::start().await;
    lab.back_up(&["shop", "--include-namespaces=shop"]).await;

    let clone = ["clone", "--from-backup=shop", "--namespace-mappings=shop:shop-clone"];
    let plan = plan::of(&lab.bowline, &[&["restore", "create"], &clone[..]].concat()).await;
    let report = lab.restore(&clone).await;
    assert_eq!(messages(&report["warnings"]), GAVE_WAY);
    only_what_a_skipped_object_owned_lost_its_owner(&plan);
    let with_clone = inventory::read(&lab.east).await;
    all_pods_run(&with_clone, CLONE);
    lab.original_is_untouched(&with_clone).await;
    lab.clone_has_its_own_volumes(CLONE).await;
    lab.clone_is_what_the_original_is(&plan, &with_clone);
    the_clone_has_a_binding_of_its_own(&with_clone);

    let again = ["again", "--from-backup=shop", "--namespace-mappings=shop:shop-clone"];
    let report = lab.restore(&again).await;
    nothing_was_done(&report);
    assert_eq!(report["warnings"], json!([]));
    let onto_itself = lab.restore(&["onto-itself", "--from-backup=shop"]).await;
    nothing_was_done(&onto_itself);
    assert_eq!(onto_itself["warnings"], json!([]));
    assert_eq!(volumes(&inventory::read(&lab.east).await), volumes(&with_clone));
}

#[tokio::test]
async fn a_backup_by_label_holds_what_is_selected_and_what_that_needs() {
    let lab = Lab::start().await;
    let report = lab.back_up(&["nginx", "--selector=app=nginx"]).await;
    let claims: Vec<_> =
        report["volumes"].as_array().unwrap().iter().map(|v| &v["claim"]).collect();
    assert_eq!(claims, lab::CLAIMS);

    let held = plan::of(&lab.bowline, &["restore", "create", "look", "--from-backup=nginx"]).await;
    let held: BTreeSet<ItemId> = held.into_keys().collect();
    assert_eq!(held, lab.selected_and_needed());

    let report =
        lab.restore(&["part", "--from-backup=nginx", "--namespace-mappings=shop:part"]).await;
    assert_eq!(messages(&report["warnings"]), [""; 0]);
    let with_part = inventory::read(&lab.east).await;
    let running =
        ["nginx-ss-0", "nginx-ss-1", "nginx-ss-2"].map(|pod| (pod.into(), "Running".into()));
    assert_eq!(pods(&with_part, "part"), BTreeMap::from(running));
    lab.original_is_untouched(&with_part).await;
    lab.clone_has_its_own_volumes("part").await;
}

/// The messages of warnings.
fn messages(warnings: &Value) -> Vec<&str> {
    warnings.as_array().into_iter().flatten().filter_map(|it| it["message"].as_str()).collect()
}

/// A cluster with the lab, and how it was before anything was restored.
struct Lab {
    east: ControlPlane,
    bowline: Bowline,
    before: Inventory,
    files: BTreeMap<String, Tree>,
    directories: BTreeMap<String, PathBuf>,
}

impl Lab {
    async fn start() -> Self {
        let east = ControlPlane::start("east").await.unwrap();
        lab::deploy(&east).await.unwrap();
        let files = lab::write_files(&east).await.unwrap();
        let directories = lab::volumes(&east.client().await.unwrap(), NAMESPACE).await.unwrap();
        let before = inventory::read(&east).await;
        let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap().on(&east);
        Self { east, bowline, before, files, directories }
    }

    async fn back_up(&self, arguments: &[&str]) -> Value {
        let command = [&["backup", "create", "--output=json"], arguments].concat();
        completed(&self.bowline.run(&command).await.unwrap())
    }

    async fn restore(&self, arguments: &[&str]) -> Value {
        let command = [&["restore", "create", "--output=json"], arguments].concat();
        completed(&self.bowline.run(&command).await.unwrap())
    }

    /// Nobody changed what was meant, nobody replaced an object, and the volumes are as they were.
    async fn original_is_untouched(&self, after: &Inventory) {
        let identity = |object: &Value| {
            let metadata = &object["metadata"];
            (metadata["uid"].clone(), metadata["generation"].clone())
        };
        for (id, before) in self.before.iter().filter(|(id, _)| is_steady(id)) {
            let after = after.get(id).unwrap_or_else(|| panic!("{id} is gone"));
            assert_eq!(identity(after), identity(before), "{id}");
            assert_eq!(meant(id, after), meant(id, before), "{id}");
        }
        assert_eq!(lab::read_files(&self.east, NAMESPACE).await.unwrap(), self.files);
    }

    async fn clone_has_its_own_volumes(&self, namespace: &str) {
        let client = self.east.client().await.unwrap();
        let directories = lab::volumes(&client, namespace).await.unwrap();
        let both = self.directories.values().chain(directories.values());
        assert_eq!(both.collect::<BTreeSet<_>>().len(), 2 * lab::CLAIMS.len());
        assert_eq!(lab::read_files(&self.east, namespace).await.unwrap(), self.files);
        let provisioned: BTreeSet<PathBuf> =
            self.east.provisioned().into_iter().map(|one| one.volume.into()).collect();
        assert_eq!(provisioned, self.directories.values().cloned().collect());
    }

    /// Whatever the plan makes of the original is what that is, but for what only one can have.
    fn clone_is_what_the_original_is(&self, plan: &Plan, with_clone: &Inventory) {
        let made = plan.iter().filter(|(_, planned)| planned.verdict == "create");
        for (id, _) in made.filter(|(id, _)| id.namespace.as_deref() == Some(CLONE)) {
            let original = ItemId { namespace: Some(NAMESPACE.to_owned()), ..id.clone() };
            let clone = with_clone.get(id).unwrap_or_else(|| panic!("{id} is missing"));
            let clone = comparable(meant(id, clone));
            assert_eq!(clone, comparable(meant(id, &self.before[&original])), "{id}");
        }
    }

    /// The objects with the label, and what they cannot do without.
    fn selected_and_needed(&self) -> BTreeSet<ItemId> {
        let is_selected = |object: &Value| object["metadata"]["labels"]["app"] == "nginx";
        let selected = self.before.iter().filter(|(_, object)| is_selected(object));
        let needed = [
            cluster_object("namespaces", NAMESPACE),
            cluster_object("priorityclasses.scheduling.k8s.io", "shop-critical"),
            cluster_object("storageclasses.storage.k8s.io", "standard"),
        ];
        let volumes = volumes(&self.before);
        selected.map(|(id, _)| id.clone()).chain(needed).chain(volumes).collect()
    }
}

fn volumes(inventory: &Inventory) -> BTreeSet<ItemId> {
    let volume = |id: &&ItemId| id.resource.to_string() == "persistentvolumes";
    inventory.keys().filter(volume).cloned().collect()
}

/// A widget acts outward, and is left out; what it owned comes without it.
fn only_what_a_skipped_object_owned_lost_its_owner(plan: &Plan) {
    let dropped = plan.iter().flat_map(|(id, planned)| {
        let owners = planned.changes.iter().filter(|change| change.starts_with("owner "));
        owners.map(|change| (id.name.as_str(), change.as_str()))
    });
    let expected = ("counter-state", "owner Widget counter dropped: it is skipped");
    assert_eq!(dropped.collect::<Vec<_>>(), [expected]);
}

/// The original needs the binding of its cluster role as it is.
fn the_clone_has_a_binding_of_its_own(with_clone: &Inventory) {
    let binding = "clusterrolebindings.rbac.authorization.k8s.io";
    let own = &with_clone[&cluster_object(binding, "shop-node-reader-shop-clone")];
    let subjects = own["subjects"].as_array().unwrap();
    assert!(!subjects.is_empty() && subjects.iter().all(|one| one["namespace"] == CLONE), "{own}");
}

/// The object as both can have it: without its node ports and without a load balancer, which only one
/// has, without the owner that acts outward, and with accounts at home.
fn comparable(mut object: Value) -> Value {
    for subject in
        object.pointer_mut("/subjects").and_then(Value::as_array_mut).into_iter().flatten()
    {
        subject["namespace"] = "home".into();
    }
    if let Some(port) = object.pointer_mut("/spec/ports/0").and_then(Value::as_object_mut) {
        port.remove("nodePort");
    }
    if let Some(owners) = object.pointer_mut("/metadata/ownerReferences") {
        owners.as_array_mut().unwrap().retain(|owner| owner["kind"] != "Widget");
        if *owners == json!([]) {
            object["metadata"].as_object_mut().unwrap().remove("ownerReferences");
        }
    }
    let spec = object.get_mut("spec").and_then(Value::as_object_mut);
    if let Some(spec) = spec.filter(|spec| spec.get("type") == Some(&json!("LoadBalancer"))) {
        spec.retain(|key, _| !OF_LOAD_BALANCERS.contains(&key.as_str()));
        spec.insert("type".to_owned(), "ClusterIP".into());
    }
    object
}

fn nothing_was_done(report: &Value) {
    let items = &report["items"];
    assert_eq!((&items["created"], &items["failed"]), (&json!(0), &json!(0)));
    for volume in report["volumes"].as_array().unwrap() {
        assert_eq!(volume["state"], "unchanged");
    }
}

//! What is left of a drill is found and taken down, and nothing else is.

use std::time::Duration;

use bowline::engine::backup;
use bowline::engine::clock::{Clock, pause};
use bowline::engine::drill::{self, CleanedUp, Fate, Request, Which};
use bowline::engine::model::drill::Verdict;
use serde_json::{Value, json};

use crate::application::{backed_up, backup, object, source, target};
use crate::drills::{clean_up, content, drilled, drills, remains, request, run};
use crate::fake_world::{World, now};
use crate::faults::Script;

const HOUR: Duration = Duration::from_hours(1);

/// Drills the backup, and leaves it; yields its namespace.
async fn kept(world: &World) -> String {
    let request = Request { keep: true, ..request() };
    let report = drill::run(&world.start(Script::Sound).context, &request, None).await.unwrap();
    report.evidence.namespaces["shop"].clone()
}

/// Takes down the only drill there is.
async fn cleaned_up(world: &World) -> CleanedUp {
    let mut items = clean_up(world, &Which::All).await.items;
    assert_eq!(items.len(), 1, "{items:?}");
    items.remove(0)
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_down_is_named_and_goes_with_the_next_clean_up() {
    let world = backed_up().await;
    let before = content(&world);
    let namespace = kept(&world).await;
    let mut held = object("v1", "ConfigMap", &namespace, "held", &json!({"data": {}}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    world.cluster.add(held);
    let left = clean_up(&world, &Which::All).await;
    assert!(left.is_incomplete());
    let [problem] = &left.items[0].left[..] else { panic!("{left:?}") };
    assert_eq!(problem.name.as_ref(), Some(&namespace));
    let volumes = world.cluster.all("persistentvolumes").len();
    assert_eq!((world.cloud.volumes().len(), volumes), (0, 2), "nothing needs them any more");
    let held = format!("configmaps/{namespace}/held");
    world.cluster.edit(&held, |it| it["metadata"]["finalizers"] = json!([]));
    world.cluster.remove(&format!("namespaces/{namespace}"));
    assert!(!clean_up(&world, &Which::All).await.is_incomplete());
    assert_eq!(remains(&world, &before).await, [""; 0]);
    assert_eq!(clean_up(&world, &Which::All).await.items, []);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_is_awaited_again_once_the_volumes_have_gone_without_it() {
    let world = backed_up().await;
    let namespace = kept(&world).await;
    let mut held = object("v1", "ConfigMap", &namespace, "held", &json!({"data": {}}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    world.cluster.add(held);
    let at_last = async {
        while !world.cloud.volumes().is_empty() {
            pause(Duration::from_secs(1)).await;
        }
        let held = format!("configmaps/{namespace}/held");
        world.cluster.edit(&held, |it| it["metadata"]["finalizers"] = json!([]));
        world.cluster.remove(&format!("namespaces/{namespace}"));
    };
    let (item, ()) = tokio::join!(cleaned_up(&world), at_last);
    assert_eq!(item.state, Fate::Done, "{item:?}");
}

#[tokio::test(start_paused = true)]
async fn a_volume_whose_claim_stays_is_left_alone_and_all_others_go() {
    let world = backed_up().await;
    let before = content(&world);
    let namespace = kept(&world).await;
    let claim = format!("persistentvolumeclaims/{namespace}/files");
    world.cluster.edit(&claim, |it| it["metadata"]["finalizers"] = json!(["example.com/hold"]));
    let item = cleaned_up(&world).await;
    let [stays, volume] = &item.left[..] else { panic!("{item:?}") };
    assert_eq!(stays.name.as_ref(), Some(&namespace));
    assert!(volume.message.contains(&format!("{namespace}/files")), "{volume:?}");
    let [disk] = &world.cloud.volumes()[..] else { panic!("one volume") };
    assert_eq!(disk.tags["bowline.io/claim"], format!("{namespace}/files"));
    world.cluster.edit(&claim, |it| it["metadata"]["finalizers"] = json!([]));
    world.cluster.remove(&format!("namespaces/{namespace}"));
    assert_eq!(cleaned_up(&world).await.state, Fate::Done);
    assert_eq!(remains(&world, &before).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_with_which_somebodys_volume_would_go_stays_and_no_other() {
    let world = source();
    let mut both = backup();
    both.spec.included_namespaces.push("other".to_owned());
    world.back_up(&both).await.unwrap();
    let keep = Request { keep: true, ..request() };
    let report = drill::run(&world.start(Script::Sound).context, &keep, None).await.unwrap();
    let [shop, other] = ["shop", "other"].map(|name| report.evidence.namespaces[name].clone());
    let mut taken = volume("imported", &other);
    taken["spec"]["persistentVolumeReclaimPolicy"] = json!("Delete");
    world.cluster.add(taken);
    world.cluster.refuse_changes("persistentvolumes/imported", true);
    let item = cleaned_up(&world).await;
    let [problem] = &item.left[..] else { panic!("{item:?}") };
    assert_eq!(problem.name.as_deref(), Some("imported"));
    assert!(problem.hint.as_ref().unwrap().contains(&other), "{problem:?}");
    let is_there = |name: &str| world.cluster.find(&format!("namespaces/{name}")).is_some();
    assert_eq!((is_there(&shop), is_there(&other)), (false, true));
    assert!(world.cloud.volumes().is_empty());
    world.cluster.refuse_changes("persistentvolumes/imported", false);
    assert_eq!(cleaned_up(&world).await.state, Fate::Done);
    assert!(!is_there(&other));
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_was_made_elsewhere_is_named_and_not_taken_for_removed() {
    let world = backed_up().await;
    let before = content(&world);
    world.cloud.reach("eu-central-1");
    kept(&world).await;
    world.cloud.reach("us-east-1");
    let item = cleaned_up(&world).await;
    assert_eq!((item.state, item.left.len()), (Fate::Incomplete, 2));
    assert!(item.left[0].message.contains("eu-central-1"), "{item:?}");
    world.cloud.reach("eu-central-1");
    assert_eq!(cleaned_up(&world).await.state, Fate::Done);
    assert_eq!(remains(&world, &before).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_next_drill_takes_down_what_one_of_another_backup_left_that_was_killed() {
    let world = backed_up().await;
    world.back_up(&backup::Request { name: "weekly".to_owned(), ..backup() }).await.unwrap();
    let before = content(&world);
    assert!(run(&world.start(Script::KilledBefore(25))).await.is_none());
    assert_ne!(remains(&world, &before).await, [""; 0]);
    let mut later = world.start(Script::Sound);
    later.context.clock = Clock::Fixed(now().now() + 4 * HOUR);
    let mut weekly = request();
    weekly.spec.backup_name = "weekly".to_owned();
    let report = drill::run(&later.context, &weekly, None).await.unwrap();
    assert_eq!(report.evidence.verdict, Verdict::Passed);
    assert_eq!(remains(&world, &before).await, [""; 0]);
    assert!(drills(&world).await.iter().all(|drill| drill.is_down));
}

#[tokio::test(start_paused = true)]
async fn what_a_drill_showed_goes_with_its_backup() {
    let world = backed_up().await;
    drilled(&world).await;
    world.delete("nightly").await.unwrap();
    let keys = world.bucket.keys().await;
    assert!(!keys.iter().any(|key| key.contains("drills")), "{keys:?}");
}

#[tokio::test(start_paused = true)]
async fn another_cluster_leaves_a_drill_alone_and_says_so() {
    let world = backed_up().await;
    kept(&world).await;
    let before = content(&world);
    let other = target(&world);
    assert_eq!(cleaned_up(&other).await.state, Fate::Elsewhere);
    assert_eq!((content(&world), world.cloud.volumes().len()), (before, 2));
    assert!(!drills(&world).await[0].is_down);
}

/// A persistent volume for a claim of this namespace.
fn volume(name: &str, namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {"persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": "cache", "uid": "u"}}})
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_a_class_provisioned_for_a_drill_goes_with_it_and_one_of_a_person_stays() {
    let world = backed_up().await;
    let namespace = kept(&world).await;
    world.cluster.add(volume("pvc-u", &namespace));
    world.cluster.add(volume("by-hand", &namespace));
    let mut taken = volume("imported", &namespace);
    taken["spec"]["persistentVolumeReclaimPolicy"] = json!("Delete");
    world.cluster.add(taken);
    let item = cleaned_up(&world).await;
    let named: Vec<_> = item.left.iter().filter_map(|problem| problem.name.as_deref()).collect();
    assert_eq!((item.state, &named[..]), (Fate::Incomplete, &["pvc-u"][..]));
    let policy = |name: &str| {
        let volume = world.cluster.get(&format!("persistentvolumes/{name}"));
        volume["spec"]["persistentVolumeReclaimPolicy"].clone()
    };
    assert_eq!(policy("imported"), json!("Retain"), "it was there before the drill");
    // Its provisioner would remove it now.
    assert_eq!((policy("pvc-u"), policy("by-hand")), (json!("Delete"), json!("Retain")));
    world.cluster.remove("persistentvolumes/pvc-u");
    assert_eq!(cleaned_up(&world).await.state, Fate::Done);
    assert_eq!(policy("by-hand"), json!("Retain"));
}

#[tokio::test(start_paused = true)]
async fn what_was_written_of_a_drill_whose_backup_is_gone_goes_with_it() {
    let world = backed_up().await;
    kept(&world).await;
    world.delete("nightly").await.unwrap();
    assert!(!drills(&world).await.is_empty());
    assert_eq!(cleaned_up(&world).await.state, Fate::Done);
    let keys = world.bucket.keys().await;
    assert!(!keys.iter().any(|key| key.contains("drills")), "{keys:?}");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_somebody_else_made_under_the_same_name_is_left_alone() {
    let world = backed_up().await;
    let namespace = kept(&world).await;
    let id = format!("namespaces/{namespace}");
    world.cluster.remove(&id);
    world
        .cluster
        .add(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    assert_eq!(cleaned_up(&world).await.state, Fate::Done);
    assert!(world.cluster.find(&id).is_some());
    assert!(world.cloud.volumes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_was_kept_stays_until_somebody_cleans_it_up() {
    let world = backed_up().await;
    let namespace = kept(&world).await;
    drilled(&world).await;
    assert!(world.cluster.find(&format!("namespaces/{namespace}")).is_some());
    assert_eq!(cleaned_up(&world).await.state, Fate::Done);
}

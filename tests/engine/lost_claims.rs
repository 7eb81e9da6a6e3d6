//! Claims that cannot have their volume: what is refused with them, and what may be empty.

use bowline::engine::report::{Phase, Problem, RestoreReport};
use bowline::engine::restore::{PlannedItem, Request, Verdict};
use bowline::engine::verify::Level;
use serde_json::{Value, json};

use crate::application::{backup, object, restore, source, target};
use crate::fake_world::World;
use crate::faults::Script;
use crate::velero_backup::{
    KEYS, as_velero_leaves_it, backed_up_by_velero, edit, edit_archive, edit_document, of_velero,
    replace, volume_of, write,
};
use crate::verify::{told, verify};

async fn plan(world: &World, request: &Request) -> Vec<PlannedItem> {
    world.start(Script::Sound).engine.plan_restore(request).await.unwrap().items
}

fn item<'a>(plan: &'a [PlannedItem], resource: &str, name: &str) -> &'a PlannedItem {
    let mut found = plan.iter().filter(|it| it.resource == resource && it.name == name);
    let item = found.next().unwrap_or_else(|| panic!("no {resource} {name} in {plan:#?}"));
    assert!(found.next().is_none(), "{resource} {name} is there twice");
    item
}

fn claim_of<'a>(plan: &'a [PlannedItem], name: &str) -> (Verdict, &'a str) {
    let item = item(plan, "persistentvolumeclaims", name);
    (item.verdict, item.reason.as_deref().unwrap_or_default())
}

fn set_of(plan: &[PlannedItem]) -> Verdict {
    item(plan, "statefulsets.apps", "db").verdict
}

fn allowing_empty() -> Request {
    let mut request = restore("rescue");
    request.spec.allow_empty_volumes = true;
    request
}

fn about<'a>(problems: &'a [Problem], name: &str) -> Vec<&'a str> {
    let of_it = problems.iter().filter(|it| it.name.as_deref() == Some(name));
    of_it.map(|it| it.message.as_str()).collect()
}

fn state<'a>(report: &'a RestoreReport, claim: &str) -> &'a str {
    &report.volumes.iter().find(|it| it.claim == claim).unwrap().state
}

/// Leaves entries of the archive out whose paths end so, in each version.
async fn drop_entries(world: &World, ends: &[&str]) {
    edit_archive(world, |entries| {
        entries.retain(|(path, _)| !ends.iter().any(|end| path.ends_with(end)));
    })
    .await;
}

/// Takes a name out of the list of all objects.
async fn unlist(world: &World, kind: &str, name: &str) {
    edit(world, &KEYS.resource_list(), |list| {
        list[kind].as_array_mut().unwrap().retain(|it| it != name);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_a_set_that_is_refused_do_not_come_back_without_it() {
    let world = source();
    world.cluster.edit("statefulsets.apps/shop/db", |set| set["spec"]["replicas"] = json!(3));
    // With the next change, its controller looks at it.
    world.cluster.add(object("v1", "ConfigMap", "shop", "next", &json!({})));
    assert_eq!(world.back_up(&backup()).await.unwrap().errors, []);
    let world = target(&as_velero_leaves_it(world).await);
    drop_entries(&world, &["shop/data-db-0.json", "shop/db-0.json"]).await;
    let items = plan(&world, &restore("rescue")).await;
    assert_eq!(set_of(&items), Verdict::Refuse);
    for pod in ["db-1", "db-2"] {
        let pod = item(&items, "pods", pod);
        let reason = "its owner statefulsets.apps/shop/db is refused";
        assert_eq!((pod.verdict, pod.reason.as_deref()), (Verdict::Skip, Some(reason)));
    }
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!(world.cluster.find("statefulsets.apps/shop/db"), None);
    let pods = world.cluster.all("pods").into_iter().map(|it| it["metadata"]["name"].clone());
    let of_set: Vec<Value> =
        pods.filter(|name| name.as_str().is_some_and(|it| it.starts_with("db-"))).collect();
    assert_eq!(of_set, [""; 0]);
    assert_eq!(world.cluster.provisioned(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_volume_the_archive_lacks_is_empty_where_that_is_allowed() {
    let world = of_velero().await;
    let volume = volume_of(&world, "data-db-0").await;
    drop_entries(&world, &[&format!("/{volume}.json")]).await;
    let refused = plan(&world, &restore("rescue")).await;
    assert_eq!(
        (claim_of(&refused, "data-db-0").0, set_of(&refused)),
        (Verdict::Refuse, Verdict::Refuse)
    );
    let allowed = plan(&world, &allowing_empty()).await;
    let (verdict, reason) = claim_of(&allowed, "data-db-0");
    assert_eq!((verdict, set_of(&allowed)), (Verdict::Create, Verdict::Create));
    let expected =
        format!("EMPTY: comes back without its data; the archive lacks persistentvolumes/{volume}");
    assert!(reason.starts_with(&expected), "{reason}");
    let report = world.restore(&allowing_empty()).await.unwrap();
    assert_eq!((report.phase, state(&report, "data-db-0")), (Phase::Completed, "empty"));
    assert_eq!(world.cluster.provisioned(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_snapshot_is_gone_is_empty_where_that_is_allowed() {
    let world = of_velero().await;
    world.cloud.lose(&world.cloud.snapshots()[0].id);
    let items = plan(&world, &allowing_empty()).await;
    let empty =
        items.iter().filter(|it| it.reason.as_deref().unwrap_or_default().starts_with("EMPTY"));
    let [claim] = empty.collect::<Vec<_>>()[..] else { panic!("{items:#?}") };
    assert!(claim.reason.as_deref().unwrap().ends_with("does not exist"), "{claim:?}");
    assert!(items.iter().all(|it| it.verdict != Verdict::Refuse), "{items:#?}");
    let report = world.restore(&allowing_empty()).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    assert_eq!(state(&report, &claim.name), "empty");
    assert_eq!((world.cloud.volumes().len(), world.cluster.provisioned()), (1, 1));
}

/// Whether it dies after each call or not, an empty claim is made once, and not refused as foreign.
#[tokio::test(start_paused = true)]
async fn a_restore_that_made_a_claim_empty_goes_on_with_it() {
    let untouched = of_velero().await;
    untouched.cloud.lose(&untouched.cloud.snapshots()[0].id);
    let mut killed = 0;
    for call in 0.. {
        let world = untouched.copy().await;
        if world.start(Script::KilledBefore(call)).restore(&allowing_empty()).await.is_some() {
            break;
        }
        killed += 1;
        let report = world.restore(&allowing_empty()).await.unwrap();
        assert_eq!(report.errors, [], "killed before call {call}");
        assert_eq!(world.cluster.provisioned(), 1, "killed before call {call}");
    }
    assert!(killed > 10, "{killed}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_very_disk_is_in_use_is_empty_where_that_is_allowed() {
    let world = source();
    world.cluster.edit("persistentvolumeclaims/shop/files", |claim| {
        claim["metadata"]["annotations"]["bowline.io/volume"] = json!("reattach");
    });
    assert_eq!(world.back_up(&backup()).await.unwrap().errors, []);
    let claim = world.cluster.get("persistentvolumeclaims/shop/files");
    let volume = claim["spec"]["volumeName"].as_str().unwrap();
    let live = world.cluster.get(&format!("persistentvolumes/{volume}"));
    let world = target(&world);
    world.cluster.add(live);
    assert_eq!(claim_of(&plan(&world, &restore("rescue")).await, "files").0, Verdict::Refuse);
    let items = plan(&world, &allowing_empty()).await;
    let (verdict, reason) = claim_of(&items, "files");
    assert_eq!(verdict, Verdict::Create);
    assert!(reason.starts_with("EMPTY: comes back without its data; its volume"), "{reason}");
    let report = world.restore(&allowing_empty()).await.unwrap();
    assert_eq!((state(&report, "files"), world.cluster.provisioned()), ("empty", 1));
}

/// Neither the claim nor its volume is in the archive, and a snapshot was taken.
async fn without_claim_and_volume(claim: &str) -> (World, String) {
    let world = of_velero().await;
    let volume = volume_of(&world, claim).await;
    let ends = [format!("shop/{claim}.json"), format!("/{volume}.json")];
    drop_entries(&world, &[&ends[0], &ends[1]]).await;
    (world, volume)
}

#[tokio::test(start_paused = true)]
async fn a_promise_that_is_not_kept_is_in_the_plan_once_and_only_if_it_is_meant() {
    let (world, volume) = without_claim_and_volume("files").await;
    let items = plan(&world, &restore("rescue")).await;
    let (verdict, reason) = claim_of(&items, "files");
    let expected =
        format!("it is not in the backup, nor is its volume {volume}, although snapshot snap-");
    assert!(verdict == Verdict::Refuse && reason.starts_with(&expected), "{reason}");
    assert!(items.iter().all(|it| it.name != volume), "{items:#?}");
    let mut request = restore("rescue");
    request.spec.restore_volumes = Some(false);
    assert_ne!(claim_of(&plan(&world, &request).await, "files").0, Verdict::Create);
    request = restore("rescue");
    request.spec.excluded_resources = vec!["persistentvolumeclaims".to_owned()];
    assert!(plan(&world, &request).await.iter().all(|it| it.name != "files"));
    let report = world.restore(&restore("again")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!(about(&report.errors, "files"), [reason]);
}

#[tokio::test(start_paused = true)]
async fn a_workload_whose_claim_is_missing_is_not_awaited() {
    let (world, _) = without_claim_and_volume("files").await;
    let report = world.restore(&restore("rescue")).await.unwrap();
    let told = about(&report.errors, "web");
    assert_eq!(told, ["2 of its pods wait for a claim that has no volume"]);
}

#[tokio::test(start_paused = true)]
async fn a_set_whose_claim_was_left_out_of_the_backup_is_refused_as_its_volume_was_kept() {
    let world = of_velero().await;
    drop_entries(&world, &["shop/data-db-0.json"]).await;
    unlist(&world, "v1/PersistentVolumeClaim", "shop/data-db-0").await;
    let items = plan(&world, &restore("rescue")).await;
    assert_eq!(set_of(&items), Verdict::Refuse);
    for request in [allowing_empty(), {
        let mut request = restore("rescue");
        request.spec.restore_volumes = Some(false);
        request
    }] {
        let items = plan(&world, &request).await;
        assert_eq!(set_of(&items), Verdict::Create);
        let expected = "EMPTY: statefulsets.apps/shop/db makes it without its data; it is not in \
             the backup";
        assert_eq!(claim_of(&items, "data-db-0"), (Verdict::Skip, expected));
    }
    let report = world.restore(&allowing_empty()).await.unwrap();
    assert_eq!((report.phase, state(&report, "data-db-0")), (Phase::Completed, "empty"));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_no_list_names_was_left_out_and_is_not_missed() {
    let (world, _) = without_claim_and_volume("files").await;
    let skipped = json!({"skipped": true, "skippedReason": "left out;"});
    replace(&world, "files", Some(skipped)).await;
    assert_eq!(claim_of(&plan(&world, &restore("rescue")).await, "files").0, Verdict::Refuse);
    let volume = volume_of(&world, "files").await;
    unlist(&world, "v1/PersistentVolumeClaim", "shop/files").await;
    unlist(&world, "v1/PersistentVolume", &volume).await;
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(about(&report.errors, "files"), [""; 0]);
    assert_eq!(about(&report.warnings, "files"), [""; 0]);
    write(&world, &KEYS.resource_list(), &json!(null)).await;
    let (verdict, reason) = {
        let items = plan(&world, &restore("again")).await;
        let (verdict, reason) = claim_of(&items, "files");
        (verdict, reason.to_owned())
    };
    assert!(verdict == Verdict::Skip && reason.ends_with("left out"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn files_that_only_tell_reasons_may_be_damaged() {
    let world = of_velero().await;
    let keys = [
        KEYS.results(),
        KEYS.pod_volume_backups(),
        KEYS.csi_snapshots(),
        KEYS.csi_contents(),
        KEYS.resource_list(),
    ];
    for key in &keys {
        world.bucket.write(key, "not packed".into()).await;
    }
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    for key in &keys {
        let expected = format!("the reasons in \"{key}\" are not known: ");
        let told = report.warnings.iter().filter(|it| it.message.starts_with(&expected));
        assert_eq!(told.count(), 1, "{key}: {:?}", report.warnings);
        let found = verify(&world, Level::Parse).await;
        assert!(found.problems.iter().any(|it| it.name == *key), "{key}: {:?}", found.problems);
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_on_the_very_volume_that_it_was_on_is_as_it_should_be() {
    let world = backed_up_by_velero().await;
    let copied = json!({"backupMethod": "PodVolumeBackup", "pvbInfo": {"uploaderType": "kopia"}});
    replace(&world, "files", Some(copied)).await;
    let items = plan(&world, &restore("rescue")).await;
    assert_eq!(claim_of(&items, "files").0, Verdict::Unchanged);
    let elsewhere = target(&world);
    elsewhere
        .cluster
        .add(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    let spec = json!({"spec": crate::application::claim()});
    elsewhere.cluster.add(object("v1", "PersistentVolumeClaim", "shop", "files", &spec));
    assert_eq!(claim_of(&plan(&elsewhere, &restore("rescue")).await, "files").0, Verdict::Refuse);
}

#[tokio::test(start_paused = true)]
async fn names_of_a_list_that_no_object_can_have_are_ignored_with_a_warning() {
    let world = of_velero().await;
    edit(&world, &KEYS.resource_list(), |list| {
        list["v1/PersistentVolumeClaim"] = json!(["shop/a/b", "../x", "shop/", "shop/.."]);
    })
    .await;
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    let expected = "the backup's list of objects holds 4 names that no object can have, such as \
         \"v1/PersistentVolumeClaim shop/a/b\"; they are ignored";
    assert!(report.warnings.iter().any(|it| it.message == expected), "{:?}", report.warnings);
    let found = verify(&world, Level::Parse).await;
    let is_it = |name: &str| name == "v1/PersistentVolumeClaim shop/a/b";
    assert!(found.warnings.iter().any(|it| is_it(&it.name)), "{:?}", found.warnings);
    assert!(!found.problems.iter().any(|it| is_it(&it.name)), "{:?}", found.problems);
}

#[tokio::test(start_paused = true)]
async fn of_many_objects_that_the_archive_lacks_some_are_named_and_the_rest_is_counted() {
    let world = of_velero().await;
    edit(&world, &KEYS.resource_list(), |list| {
        list["v1/Secret"] = (0..1000).map(|number| json!(format!("shop/s{number}"))).collect();
    })
    .await;
    let report = world.restore(&restore("rescue")).await.unwrap();
    let more = "800 more objects are in the backup's list and not in its archive";
    assert!(report.warnings.iter().any(|it| it.message == more), "{:?}", report.warnings);
    assert!(report.warnings.len() < 250, "{}", report.warnings.len());
}

/// What verify calls a problem, restore calls an error; and likewise a warning.
#[tokio::test(start_paused = true)]
async fn what_a_complete_backup_lacks_is_an_error_only_where_data_is_lost() {
    for (kind, name, end, is_error) in [
        ("v1/ConfigMap", "settings", "shop/settings.json", false),
        ("v1/PersistentVolumeClaim", "files", "shop/files.json", true),
    ] {
        let world = of_velero().await;
        drop_entries(&world, &[end]).await;
        let report = world.restore(&restore("rescue")).await.unwrap();
        let (errors, warnings) = (about(&report.errors, name), about(&report.warnings, name));
        assert_eq!(
            (errors.len(), warnings.len()),
            if is_error { (1, 0) } else { (0, 1) },
            "{name}"
        );
        let found = verify(&world, Level::Parse).await;
        let lacks = format!("{kind} shop/{name}");
        assert_eq!(found.problems.iter().any(|it| it.name == lacks), is_error, "{found:?}");
        assert_eq!(found.warnings.iter().any(|it| it.name == lacks), !is_error, "{found:?}");
        assert_eq!(found.verified, !is_error);
    }
}

#[tokio::test(start_paused = true)]
async fn before_there_was_a_record_of_volumes_that_of_snapshots_tells_of_each() {
    let world = of_velero().await;
    world.bucket.delete(&KEYS.volume_info()).await;
    let found = verify(&world, Level::Parse).await;
    assert_eq!(told(&found.warnings), [""; 0]);
    edit(&world, &KEYS.volume_snapshots(), |list| drop(list.as_array_mut().unwrap().pop())).await;
    edit_document(&world, |it| {
        it["status"]["volumeSnapshotsAttempted"] = json!(1);
        it["status"]["volumeSnapshotsCompleted"] = json!(1);
    })
    .await;
    let found = verify(&world, Level::Parse).await;
    let warnings = told(&found.warnings);
    assert!(warnings.len() == 1 && warnings[0].ends_with("became of its volume"), "{warnings:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_archive_lacks_is_counted_as_failed() {
    let world = of_velero().await;
    drop_entries(&world, &["/shop/files.json"]).await;
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    assert_eq!(report.kinds["persistentvolumeclaims"].failed, 1, "{:?}", report.kinds);
    let all: u64 = report.kinds.values().map(|counts| counts.failed).sum();
    assert_eq!(report.items.failed, all, "{:?}", report.items);
}

//! Backups as Velero writes them: what its records say of volumes, and what its archive lacks.

use bowline::engine::report::{Phase, Problem, RestoreReport};
use bowline::engine::restore::{PlannedItem, Verdict};
use serde_json::{Value, json};

use crate::application::{backed_up, claim, faults_of, object, restore};
use crate::fake_world::World;
use crate::faults::Script;
use crate::velero_backup::{
    KEYS, edit, edit_archive, edit_document, of_velero, replace, unpacked, volume_of, write,
};

fn error_of<'a>(report: &'a RestoreReport, name: &str) -> &'a Problem {
    let is_it = |it: &&Problem| it.name.as_deref() == Some(name);
    report.errors.iter().find(is_it).unwrap_or_else(|| panic!("{:?}", report.errors))
}

/// Restores; claim `files` must be refused. Returns why, and what would help.
async fn refusal(world: &World) -> (String, String) {
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let error = error_of(&report, "files");
    assert_eq!(error.resource.as_deref(), Some("persistentvolumeclaims"));
    assert_eq!(world.cluster.find("persistentvolumeclaims/shop/files"), None);
    assert_eq!((world.cluster.provisioned(), world.cloud.volumes().len()), (0, 1));
    let volume = volume_name(world).await;
    (error.message.replace(&volume, "PV"), error.hint.clone().unwrap_or_default())
}

/// The volume of claim `files`, as the archive has it.
async fn volume_name(world: &World) -> String {
    let archive = unpacked(world, &KEYS.archive()).await;
    for entry in tar::Archive::new(&archive[..]).entries().unwrap() {
        let entry = entry.unwrap();
        if entry.path().unwrap().ends_with("namespaces/shop/files.json") {
            let claim: Value = serde_json::from_reader(entry).unwrap();
            return claim["spec"]["volumeName"].as_str().unwrap().to_owned();
        }
    }
    panic!("the archive has no such claim");
}

async fn plan(world: &World, request: &bowline::engine::restore::Request) -> Vec<PlannedItem> {
    world.start(Script::Sound).engine.plan_restore(request).await.unwrap().items
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_velero_needs_its_tags_and_none_of_ours() {
    let world = of_velero().await;
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    for tag in ["velero.io/backup", "velero.io/pv"] {
        let world = of_velero().await;
        world.cloud.retag("snap-1", tag, "stranger");
        let report = world.restore(&restore("rescue")).await.unwrap();
        assert!(report.errors.iter().any(|it| it.message.contains(tag)), "{:?}", report.errors);
        assert_eq!(world.cloud.volumes().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_record_of_volumes_native_snapshots_are_used() {
    let source = backed_up().await;
    let world = of_velero().await;
    for key in [KEYS.volume_info(), KEYS.pod_volume_backups(), KEYS.results()] {
        world.bucket.delete(&key).await;
    }
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    assert_eq!(faults_of(&source, &world, "shop"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn lists_that_are_null_hold_nothing_and_the_claims_are_refused() {
    let world = of_velero().await;
    for key in [KEYS.volume_snapshots(), KEYS.volume_info(), KEYS.pod_volume_backups()] {
        write(&world, &key, &json!(null)).await;
    }
    let report = world.restore(&restore("rescue")).await.unwrap();
    for claim in ["files", "data-db-0"] {
        let message = &error_of(&report, claim).message;
        assert!(message.starts_with("the backup holds no snapshot of its volume"), "{message}");
    }
    let message = &error_of(&report, "db").message;
    assert_eq!(message, "it would make claim data-db-0 anew, and empty, which does not come back");
    assert_eq!(world.cluster.find("statefulsets.apps/shop/db"), None);
    assert_eq!((world.cluster.provisioned(), world.cloud.volumes().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_velero_kept_in_another_way_is_refused_with_what_it_did() {
    let csi = json!({"snapshotHandle": "snap-9", "driver": "disk.example.com", "ReadyToUse": true});
    let moved = json!({"dataMover": "velero", "uploaderType": "kopia", "snapshotHandle": "k1",
        "operationID": "du-1", "Phase": "Completed"});
    let copied = json!({"uploaderType": "kopia", "snapshotHandle": "k2", "volumeName": "files",
        "podNamespace": "shop", "podName": "web-1", "Phase": "Completed"});
    let failed = json!({"uploaderType": "restic", "volumeName": "files", "Phase": "Failed"});
    for (info, expected, with_velero) in [
        (
            json!({"backupMethod": "CSISnapshot", "result": "succeeded", "csiSnapshotInfo": csi}),
            "its volume PV was kept by Velero as CSI snapshot snap-9 of driver disk.example.com",
            true,
        ),
        (
            json!({"backupMethod": "CSISnapshot", "snapshotDataMoved": true,
                "csiSnapshotInfo": {"snapshotHandle": "unknown"}, "snapshotDataMovementInfo": moved}),
            "the data of its volume PV was moved out of a CSI snapshot by data mover velero with \
             kopia as snapshot k1, operation du-1",
            true,
        ),
        (
            json!({"backupMethod": "PodVolumeBackup", "pvbInfo": copied}),
            "the files of its volume PV were copied by Velero with kopia as snapshot k2, through \
             volume files of pod shop/web-1",
            true,
        ),
        (
            json!({"backupMethod": "PodVolumeBackup", "result": "failed", "pvbInfo": failed}),
            "the files of its volume PV were copied by Velero with restic, and that failed",
            false,
        ),
        (
            json!({"skipped": true, "skippedReason": "volumeSnapshot: no applicable \
                volumesnapshotter found;"}),
            "its volume PV was not backed up: volumeSnapshot: no applicable volumesnapshotter found",
            false,
        ),
        (
            json!({"backupMethod": "NativeSnapshot", "result": "succeeded",
                "nativeSnapshotInfo": {"snapshotHandle": "snap-8", "iops": 100, "phase": "Completed"}}),
            "its volume PV is said to be kept as snapshot snap-8, which the backup's list of \
             snapshots does not hold",
            false,
        ),
        (
            json!({"backupMethod": "Teleport"}),
            "its volume PV was kept by method Teleport, which is not known here",
            true,
        ),
    ] {
        let world = of_velero().await;
        replace(&world, "files", Some(info)).await;
        let (reason, hint) = refusal(&world).await;
        assert_eq!(reason, expected);
        assert_eq!(hint.contains("with Velero"), with_velero, "{hint}");
        assert!(hint.contains("--allow-empty-volumes"), "{hint}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_empty_only_if_that_is_asked_for_and_then_the_plan_says_why() {
    let world = of_velero().await;
    let info = json!({"backupMethod": "CSISnapshot", "csiSnapshotInfo":
        {"snapshotHandle": "snap-9", "driver": "disk.example.com"}});
    replace(&world, "files", Some(info)).await;
    let mut request = restore("rescue");
    request.spec.allow_empty_volumes = true;
    let plan = plan(&world, &request).await;
    let row = plan.iter().find(|it| it.name == "files").unwrap();
    let reason = row.reason.as_deref().unwrap();
    assert_eq!(row.verdict, Verdict::Create);
    assert!(reason.starts_with("EMPTY: comes back without its data; its volume"), "{reason}");
    assert!(reason.ends_with("CSI snapshot snap-9 of driver disk.example.com"), "{reason}");
    let report = world.restore(&request).await.unwrap();
    let state = report.volumes.iter().find(|it| it.claim == "files").unwrap();
    assert_eq!((state.state.as_str(), world.cluster.provisioned()), ("empty", 1));
}

#[tokio::test(start_paused = true)]
async fn before_there_was_a_record_of_volumes_the_older_ones_tell_what_velero_did() {
    let by_pod = |phase: &str| {
        json!([{"metadata": {"annotations": {"velero.io/pvc-name": "files"}},
            "spec": {"pod": {"namespace": "shop", "name": "web-1"}, "volume": "files"},
            "status": {"phase": phase, "snapshotID": "r1", "message": "pod is gone"}}])
    };
    let snapshots = json!([{"metadata": {"namespace": "shop", "name": "velero-files-1"},
        "spec": {"source": {"persistentVolumeClaimName": "files"}},
        "status": {"boundVolumeSnapshotContentName": "content-1"}}]);
    let contents = json!([{"metadata": {"name": "content-1"}, "spec": {"driver": "d.example.com"},
        "status": {"snapshotHandle": "snap-7"}}]);
    for (files, expected) in [
        (
            vec![(KEYS.pod_volume_backups(), by_pod("Completed"))],
            "the files of its volume PV were copied by Velero with restic as snapshot r1, through \
             volume files of pod shop/web-1",
        ),
        (
            vec![(KEYS.pod_volume_backups(), by_pod("Failed"))],
            "the files of its volume PV were copied by Velero with restic as snapshot r1, through \
             volume files of pod shop/web-1, and that is Failed: pod is gone",
        ),
        (
            vec![(KEYS.csi_snapshots(), snapshots.clone()), (KEYS.csi_contents(), contents)],
            "its volume PV was kept by Velero as CSI snapshot snap-7 of driver d.example.com",
        ),
        (
            vec![(KEYS.csi_snapshots(), snapshots), (KEYS.csi_contents(), json!(null))],
            "its volume PV was kept by Velero as CSI snapshot of unknown handle of driver of unknown \
             name",
        ),
    ] {
        let world = of_velero().await;
        replace(&world, "files", None).await;
        for (key, document) in files {
            write(&world, &key, &document).await;
        }
        assert_eq!(refusal(&world).await.0, expected);
    }
}

/// Annotates claim `files` in the archive.
async fn annotate(world: &World, key: &str, value: &str) {
    edit_archive(world, |entries| {
        let is_claim = |entry: &&mut (String, Vec<u8>)| entry.0.ends_with("shop/files.json");
        entries.iter_mut().filter(is_claim).for_each(|(_, content)| {
            let mut claim: Value = serde_json::from_slice(content).unwrap();
            claim["metadata"]["annotations"][key] = json!(value);
            *content = claim.to_string().into_bytes();
        });
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_claim_names_is_looked_up_in_the_archive() {
    let add = |path: &str, object: &Value| (path.to_owned(), object.to_string().into_bytes());
    let snapshot = add(
        "resources/volumesnapshots.snapshot.storage.k8s.io/namespaces/shop/velero-files-1.json",
        &json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
            "metadata": {"namespace": "shop", "name": "velero-files-1", "annotations": {
                "velero.io/csi-volumesnapshot-handle": "snap-6",
                "velero.io/csi-driver-name": "d.example.com"}}}),
    );
    let upload = add(
        "resources/datauploads.velero.io/namespaces/velero/du-1.json",
        &json!({"apiVersion": "velero.io/v2alpha1", "kind": "DataUpload",
            "metadata": {"namespace": "velero", "name": "du-1"},
            "spec": {"datamover": "mover"}, "status": {"snapshotID": "k3"}}),
    );
    for ((key, value), entry, expected) in [
        (
            ("velero.io/volume-snapshot-name", "velero-files-1"),
            snapshot,
            "its volume PV was kept by Velero as CSI snapshot snap-6 of driver d.example.com",
        ),
        (
            ("velero.io/data-upload-name", "velero/du-1"),
            upload,
            "the data of its volume PV was moved out of a CSI snapshot by data mover mover as \
             snapshot k3, operation velero/du-1",
        ),
    ] {
        let world = of_velero().await;
        replace(&world, "files", None).await;
        annotate(&world, key, value).await;
        edit_archive(&world, |entries| entries.push(entry)).await;
        assert_eq!(refusal(&world).await.0, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_failed_is_refused_with_the_recorded_reason() {
    let world = of_velero().await;
    let volume = volume_of(&world, "files").await;
    edit(&world, &KEYS.volume_snapshots(), |records| {
        let mut records = records.as_array_mut().unwrap().iter_mut();
        let record = records.find(|it| it["spec"]["persistentVolumeName"] == volume.as_str());
        record.unwrap()["status"] = json!({"phase": "Failed"});
    })
    .await;
    let message = format!(
        " name: /web-1 message: /Error backing up item error: /error taking snapshot of volume: \
         {volume} is busy"
    );
    let other = " name: /other message: /unrelated".to_owned();
    write(&world, &KEYS.results(), &json!({"errors": {"velero": [message, other]}})).await;
    let (reason, _) = refusal(&world).await;
    assert_eq!(
        reason,
        "the snapshot of its volume PV failed: Error backing up item: error taking snapshot of \
         volume: PV is busy"
    );
}

/// Takes a claim and what led to it out of the archive, as Velero does when its snapshot fails.
async fn lose_files(world: &World) {
    let volume = volume_of(world, "files").await;
    let lost = [
        "persistentvolumeclaims/namespaces/shop/files.json".to_owned(),
        format!("persistentvolumes/cluster/{volume}.json"),
    ];
    edit_archive(world, |entries| {
        entries.retain(|(path, _)| {
            let path = path.replace("v1-preferredversion/", "");
            !lost.iter().any(|it| path.ends_with(it))
        });
    })
    .await;
    let skipped = json!({"skipped": true, "skippedReason": "podvolume: opted out;"});
    replace(world, "files", Some(skipped)).await;
    let message = " name: /files message: /Error backing up item error: /no such volume";
    write(world, &KEYS.results(), &json!({"errors": {"velero": [message]}})).await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_the_archive_lacks_is_an_error_with_all_that_was_recorded() {
    let world = of_velero().await;
    lose_files(&world).await;
    let volume = volume_of(&world, "files").await;
    edit_document(&world, |it| it["status"]["phase"] = json!("PartiallyFailed")).await;
    let expected = format!(
        "it is not in the backup: Error backing up item: no such volume; its volume {volume} was \
         not backed up: podvolume: opted out"
    );
    let items = plan(&world, &restore("rescue")).await;
    let row = items.iter().find(|it| it.name == "files").unwrap();
    assert_eq!((row.verdict, row.reason.as_deref()), (Verdict::Refuse, Some(expected.as_str())));
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!(report.phase, Phase::PartiallyFailed);
    let of_claim = |it: &&Problem| it.name.as_deref() == Some("files");
    assert_eq!(report.errors.iter().filter(of_claim).count(), 1, "{:?}", report.errors);
    assert_eq!(error_of(&report, "files").message, expected);
    assert_eq!(report.items.planned, items.len() as u64);
    assert_eq!(report.items.failed, 1);
    let state = report.volumes.iter().find(|it| it.claim == "files").unwrap();
    assert_eq!(state.state, "refused");
    assert_eq!(world.cluster.provisioned(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_archive_lacks_is_told_only_of_what_is_meant() {
    let world = of_velero().await;
    lose_files(&world).await;
    edit_document(&world, |it| it["status"]["phase"] = json!("PartiallyFailed")).await;
    let mut request = restore("rescue");
    request.spec.excluded_resources = vec!["persistentvolumeclaims".to_owned()];
    assert!(plan(&world, &request).await.iter().all(|it| it.name != "files"));
}

#[tokio::test(start_paused = true)]
async fn what_a_complete_backup_lacks_is_a_warning_as_a_plugin_may_leave_things_out() {
    let world = of_velero().await;
    let settings = "namespaces/shop/settings.json";
    edit_archive(&world, |entries| entries.retain(|(path, _)| !path.ends_with(settings))).await;
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    let warning = report.warnings.iter().find(|it| it.name.as_deref() == Some("settings")).unwrap();
    assert_eq!(warning.message, "it is not in the backup, although its list of objects names it");
}

#[tokio::test(start_paused = true)]
async fn an_object_in_several_versions_comes_back_in_one_that_the_target_serves() {
    let world = of_velero().await;
    edit_archive(&world, |entries| {
        let path = "resources/deployments.apps/namespaces/shop/web.json";
        let copy = "resources/deployments.apps/v1-preferredversion/namespaces/shop/web.json";
        let object = entries.iter().find(|(it, _)| it == path).unwrap().1.clone();
        let mut newer: Value = serde_json::from_slice(&object).unwrap();
        newer["apiVersion"] = json!("apps/v2");
        let newer = newer.to_string().into_bytes();
        let is_it = |entry: &&mut (String, Vec<u8>)| entry.0 == path || entry.0 == copy;
        entries.iter_mut().filter(is_it).for_each(|(it, content)| {
            *it = it.replace("v1-", "v2-");
            content.clone_from(&newer);
        });
        let other = "resources/deployments.apps/v1/namespaces/shop/web.json";
        entries.push((other.to_owned(), object));
    })
    .await;
    let report = world.restore(&restore("rescue")).await.unwrap();
    assert_eq!((report.phase, report.errors.as_slice()), (Phase::Completed, &[][..]));
    assert_eq!(world.cluster.get("deployments.apps/shop/web")["apiVersion"], "apps/v1");
}

#[tokio::test(start_paused = true)]
async fn a_set_whose_claim_does_not_come_back_is_refused_unless_that_may_be_empty_or_is_there() {
    let world = of_velero().await;
    let copied = json!({"backupMethod": "PodVolumeBackup", "pvbInfo": {"uploaderType": "kopia"}});
    replace(&world, "data-db-0", Some(copied)).await;
    let verdict = async |world: &World, request| {
        let items = plan(world, &request).await;
        items.into_iter().find(|it| it.resource == "statefulsets.apps").unwrap().verdict
    };
    assert_eq!(verdict(&world, restore("rescue")).await, Verdict::Refuse);
    let mut empty = restore("rescue");
    empty.spec.allow_empty_volumes = true;
    assert_eq!(verdict(&world, empty).await, Verdict::Create);
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    world.cluster.add(shop);
    let claim = json!({"spec": claim()});
    world.cluster.add(object("v1", "PersistentVolumeClaim", "shop", "data-db-0", &claim));
    assert_eq!(verdict(&world, restore("rescue")).await, Verdict::Create);
}

//! What runs leave behind, whatever ended them: in a location, on the disk of the volumes, in a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use bowline_testkit::{Bowline, ControlPlane, lab};
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::written::layout;

/// The names in a directory, sorted; none where there is no directory.
pub(crate) fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(Result::unwrap);
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Checks that a location holds whole backups and restores, their snapshots, and nothing else.
#[track_caller]
pub(crate) fn only_whole_things_are_in(location: &Path) {
    only_whole_backups_are_in(location);
    assert_eq!(names(&location.join("metadata/bowline/logs/restores")), BTreeSet::new());
    for restore in names(&location.join("restores")) {
        let directory = location.join("restores").join(&restore);
        assert_eq!(of_one_run(&directory), named(&layout::RESTORE, &restore));
    }
}

/// The names of the files of a restore without those that carry the number of a later run.
pub(crate) fn of_one_run(directory: &Path) -> BTreeSet<String> {
    let is_later = |name: &String| {
        let stem = name.trim_end_matches(".gz").trim_end_matches(".json");
        let is_number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
        stem.rsplit_once('-').is_some_and(|(_, number)| is_number(number))
    };
    names(directory).into_iter().filter(|name| !is_later(name)).collect()
}

/// The same where restores may have been interrupted, which leaves the logs that they had written.
#[track_caller]
pub(crate) fn only_whole_backups_are_in(location: &Path) {
    let mut snapshots = BTreeSet::new();
    for backup in names(&location.join("backups")) {
        let directory = location.join("backups").join(&backup);
        assert_eq!(names(&directory), named(&layout::BACKUP, &backup));
        snapshots.extend(snapshot_ids(&directory, &backup));
    }
    let ours = location.join("metadata/bowline");
    assert_eq!(names(&ours.join("volumes")), snapshots);
    assert_eq!(names(&ours.join(".uploads")), BTreeSet::new());
    assert_eq!(names(&ours.join("logs/backups")), BTreeSet::new());
    let known = BTreeSet::from([".uploads", "logs", "volumes"].map(str::to_owned));
    assert!(names(&ours).is_subset(&known), "{:?}", names(&ours));
}

fn named(files: &[&str], name: &str) -> BTreeSet<String> {
    files.iter().map(|file| file.replace("NAME", name)).collect()
}

fn snapshot_ids(directory: &Path, backup: &str) -> Vec<String> {
    let list = fs::File::open(directory.join(format!("{backup}-volumesnapshots.json.gz"))).unwrap();
    let list: Value = serde_json::from_reader(GzDecoder::new(list)).unwrap();
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|it| Some(it["status"]["providerSnapshotID"].as_str()?.to_owned())).collect()
}

/// Checks that beside the volumes of `source` there are those that the restores into `target` made,
/// each the only one for its claim and Bound to it, and nothing else.
pub(crate) async fn each_claim_has_one_volume(
    source: &ControlPlane,
    target: &ControlPlane,
    namespaces: &[String],
) {
    let client = target.client().await.unwrap();
    let mut made = BTreeSet::new();
    for namespace in namespaces {
        let volumes = lab::volumes(&client, namespace).await.unwrap();
        assert_eq!(volumes.keys().collect::<Vec<_>>(), lab::CLAIMS.iter().collect::<Vec<_>>());
        for directory in volumes.values() {
            let name = directory.file_name().unwrap().to_str().unwrap();
            made.insert(name.to_owned());
            made.insert(format!(".{name}.bowline.json"));
        }
    }
    assert_eq!(made.len(), namespaces.len() * lab::CLAIMS.len() * 2);
    let provisioned = source.provisioned().into_iter().map(|volume| volume.persistent_volume);
    let directories = made.iter().cloned().chain(provisioned).collect();
    assert_eq!(names(&source.volumes()), directories);
    assert_eq!(target.provisioned(), [], "something empty was made");

    let volumes = ["get", "persistentvolumes", "-o", "json"];
    let volumes = target.kubectl(&volumes).await.unwrap().json();
    let volumes = volumes["items"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let phases =
        volumes.iter().map(|it| (text(&it["metadata"]["name"]), text(&it["status"]["phase"])));
    let phases: BTreeMap<String, String> = phases.collect();
    let expected = made.into_iter().filter(|name| !name.starts_with('.'));
    assert_eq!(phases, expected.map(|name| (name, "Bound".to_owned())).collect());
}

/// The phase under which a backup is listed; none if it is not.
pub(crate) async fn listed(bowline: &Bowline, noun: &str, name: &str) -> Option<String> {
    let list = bowline.run(&[noun, "get", "-o", "json"]).await.unwrap();
    assert_eq!(list.code, Some(0), "{}", list.stderr);
    let list = list.json();
    let items = list["items"].as_array().unwrap();
    if noun == "restore" {
        let restore = items.iter().find(|it| it["record"]["name"] == name)?;
        let phase = restore["result"]["phase"].as_str();
        return Some(phase.unwrap_or("Incomplete").to_owned());
    }
    let backup = items.iter().find(|it| it["metadata"]["name"] == name)?;
    Some(backup["status"]["phase"].as_str().unwrap().to_owned())
}

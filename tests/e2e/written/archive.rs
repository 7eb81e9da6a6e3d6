//! The archive: its entries, the objects in them, and the index of these.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;
use tar::EntryType;

use super::fixture::{BRIEF, Entry, FULL, Item, PARTLY, hex, unpack, written};

async fn entries() -> Vec<Entry> {
    written().await.backup(FULL).entries()
}

/// Velero's extractor makes directories with the mode of the files in them, and ignores whatever is
/// neither a file nor a directory.
#[tokio::test]
async fn entries_are_regular_files_that_anybody_may_traverse() {
    let started = written().await.backup(FULL).json("velero-backup.json");
    let started: jiff::Timestamp =
        started["status"]["startTimestamp"].as_str().unwrap().parse().unwrap();
    for entry in entries().await {
        let name = &entry.name;
        assert_eq!(entry.kind, EntryType::Regular, "{name}");
        assert_eq!(entry.kind.as_byte(), b'0', "{name}");
        assert_eq!(entry.mode, 0o755, "{name}");
        assert_eq!(entry.owner, (0, 0), "{name}");
        assert_eq!(entry.owner_names, (String::new(), String::new()), "{name}");
        assert_eq!(entry.magic, b"ustar\x0000", "{name}");
        assert_eq!(entry.modified.cast_signed(), started.as_second(), "{name}");
    }
}

#[tokio::test]
async fn the_first_entry_is_the_version_of_the_format() {
    for backup in [FULL, BRIEF, PARTLY] {
        let entries = written().await.backup(backup).entries();
        assert_eq!(entries[0].name, "metadata/version");
        assert_eq!(entries[0].content, b"1.1.0\n");
        assert!(entries[1..].iter().all(|entry| entry.name.starts_with("resources/")));
    }
}

/// With `EnableAPIGroupVersions` Velero reads the second one, without it the first.
#[tokio::test]
async fn every_item_is_there_twice_at_once_and_the_same() {
    for pair in entries().await[1..].chunks(2) {
        let [item, copy] = pair else { panic!("{} has no copy", pair[0].name) };
        let object: Value = serde_json::from_slice(&item.content).unwrap();
        let version = object["apiVersion"].as_str().unwrap();
        let version = version.rsplit('/').next().unwrap();
        let [root, resource, place @ ..] = &item.name.split('/').collect::<Vec<_>>()[..] else {
            panic!("{}", item.name)
        };
        let place = place.join("/");
        assert!(place.starts_with("cluster/") || place.starts_with("namespaces/"), "{place}");
        assert_eq!(copy.name, format!("{root}/{resource}/{version}-preferredversion/{place}"));
        assert_eq!(copy.content, item.content, "{}", copy.name);
    }
}

#[tokio::test]
async fn an_item_has_the_name_and_the_place_of_its_object() {
    let items = written().await.backup(FULL).items();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for item in &items {
        let metadata = &item.object["metadata"];
        assert_eq!(text(&metadata["name"]).as_ref(), Some(&item.name), "{item:?}");
        assert_eq!(text(&metadata["namespace"]), item.namespace, "{item:?}");
    }
    let places: BTreeSet<_> = items.iter().map(|it| (&it.resource, it.full_name())).collect();
    assert_eq!(places.len(), items.len(), "an item is there twice");
    let roles = "clusterroles.rbac.authorization.k8s.io".to_owned();
    assert!(places.contains(&(&roles, "system:node".to_owned())), "a name with a colon");
    let maps = "configmaps".to_owned();
    let longest = places.iter().filter(|(resource, _)| **resource == maps);
    assert!(
        longest.map(|(_, name)| name.len()).max().unwrap() > 200,
        "a name that ustar cannot hold"
    );
}

/// Items of a list carry neither: whoever decodes them on their own needs both.
#[tokio::test]
async fn every_item_tells_its_kind_which_is_the_one_of_its_directory() {
    let written = written().await;
    for item in written.backup(FULL).items() {
        let (version, kind) = &written.kinds[&item.resource];
        assert_eq!(item.kind(), format!("{version}/{kind}"), "{item:?}");
    }
}

#[tokio::test]
async fn items_are_the_live_objects_with_all_their_fields() {
    let written = written().await;
    let items = written.backup(FULL).items();
    for live in &written.live {
        let same = |item: &&Item| item.object["metadata"]["uid"] == live["metadata"]["uid"];
        let item = items.iter().find(same).unwrap();
        assert_eq!(item.object, *live);
        for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
            assert!(!item.object["metadata"][field].is_null(), "{field} of {item:?}");
        }
    }
    let claim = items.iter().find(|item| item.full_name() == "shop/data-nginx-ss-0").unwrap();
    assert_eq!(claim.object["status"]["phase"], "Bound");
    assert_eq!(claim.object["metadata"]["finalizers"][0], "kubernetes.io/pvc-protection");
    let pod = items.iter().find(|item| item.full_name() == "shop/nginx-ss-0").unwrap();
    assert_eq!(pod.object["metadata"]["ownerReferences"][0]["kind"], "StatefulSet");
}

/// Members follow one another as any gzip reader expects; this is one that we did not write.
#[tokio::test]
async fn another_tar_reads_the_archive_as_we_do() {
    const SCRIPT: &str = r"
import hashlib, sys, tarfile
with tarfile.open(sys.argv[1], 'r:gz') as archive:
    for entry in archive:
        assert entry.isreg() and entry.mode == 0o755, entry.name
        digest = hashlib.sha256(archive.extractfile(entry).read()).hexdigest()
        print(digest, entry.name)
";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive.tar.gz");
    fs::write(&path, written().await.backup(FULL).bytes("NAME.tar.gz")).unwrap();
    let python = Command::new("python3").args(["-c", SCRIPT]).arg(&path).output().unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let entries = entries().await;
    let expected = entries.iter().map(|it| format!("{} {}\n", hex(&it.content), it.name));
    assert_eq!(String::from_utf8(python.stdout).unwrap(), expected.collect::<String>());

    let tar = Command::new("tar").arg("-tzf").arg(&path).output().unwrap();
    assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(String::from_utf8(tar.stdout).unwrap().lines().collect::<Vec<_>>(), names);
}

#[tokio::test]
async fn the_resource_list_names_what_the_archive_holds() {
    for backup in [FULL, BRIEF, PARTLY] {
        let directory = written().await.backup(backup);
        let mut held = BTreeMap::<String, BTreeSet<String>>::new();
        for item in directory.items() {
            held.entry(item.kind()).or_default().insert(item.full_name());
        }
        let listed: BTreeMap<String, Vec<String>> =
            serde_json::from_str(&directory.packed("NAME-resource-list.json.gz")).unwrap();
        assert!(listed.values().all(|names| names.is_sorted()), "{listed:?}");
        let held: BTreeMap<_, _> =
            held.into_iter().map(|(kind, names)| (kind, names.into_iter().collect())).collect();
        assert_eq!(listed, held);
        let status = directory.json("velero-backup.json")["status"].clone();
        let count = listed.values().map(Vec::len).sum::<usize>();
        assert_eq!(status["progress"]["itemsBackedUp"], count);
        assert_eq!(status["progress"]["totalItems"], count);
        assert_eq!(written().await.reports[backup]["items"], count);
    }
}

/// By the index an object is found in one member of the archive, without the rest.
#[tokio::test]
async fn the_index_leads_to_every_item() {
    let directory = written().await.backup(FULL);
    let archive = directory.bytes("NAME.tar.gz");
    let index = directory.packed("bowline-index.json.gz");
    let lines: Vec<Value> = index.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let size = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let (mut group, mut member, mut end) = (&Value::Null, Vec::new(), 0);
    let (mut found, mut members) = (Vec::new(), 0);
    assert_eq!(lines[0]["version"], 1);
    for line in &lines[1..] {
        if let Some([name, offset, length]) = line.as_array().map(Vec::as_slice) {
            let json = &member[size(offset)..][..size(length)];
            found.push((
                group["resource"].clone(),
                group["namespace"].clone(),
                name.clone(),
                json.to_vec(),
            ));
        } else if line.get("member").is_some() {
            assert_eq!((size(&line["member"]), size(&line["offset"])), (members, end));
            (members, end) = (members + 1, end + size(&line["length"]));
            member = unpack(&archive[size(&line["offset"])..end]);
            assert_eq!(member.len(), size(&line["unpacked"]));
        } else if line.get("resource").is_some() {
            group = line;
        } else {
            assert_eq!((size(&line["items"]), size(&line["size"])), (found.len(), archive.len()));
            assert_eq!(line["sha256"], hex(archive));
        }
    }
    assert_eq!(end, archive.len());
    assert!(members > 1, "one member only proves nothing");
    let entries = directory.entries();
    let items = entries.iter().filter_map(|entry| Some((Item::read(entry)?, &entry.content)));
    let items = items.map(|(it, content)| {
        (it.resource.into(), it.namespace.into(), it.name.into(), content.clone())
    });
    assert_eq!(found, items.collect::<Vec<(Value, Value, Value, _)>>());
}

//! Real backups of the lab, made once and looked at by every test of this module.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use bowline_testkit::{Bowline, ControlPlane, Output, lab};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};
use tokio::sync::OnceCell;

/// Everything; without a time to live.
pub(super) const FULL: &str = "full";
/// One namespace; with labels and a time to live, without snapshots.
pub(super) const BRIEF: &str = "brief";
/// One namespace whose last volume was gone.
pub(super) const PARTLY: &str = "partly";
/// The restore of [`FULL`].
pub(super) const RESTORE: &str = "back";

/// A claim whose volume carries a label.
pub(super) const LABELLED: &str = lab::CLAIMS[0];
/// A claim whose volume was gone in [`PARTLY`].
pub(super) const GONE: &str = lab::CLAIMS[2];
/// A volume that no claim has.
pub(super) const SPARE: &str = "spare";

/// Objects that nobody changes while the lab runs.
const STILL: [&str; 8] = [
    "/api/v1/namespaces/shop/configmaps/web",
    "/api/v1/namespaces/shop/secrets/web",
    "/api/v1/namespaces/shop/serviceaccounts/web",
    "/api/v1/namespaces/shop/services/web-node-port",
    "/api/v1/namespaces/shop/persistentvolumeclaims/data-nginx-ss-0",
    "/apis/example.com/v1/namespaces/shop/widgets/counter",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/shop-node-reader",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com",
];

/// A location that was written to, and what the cluster said meanwhile.
pub(super) struct Written {
    /// All files by key, but for what snapshots hold.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// The directories below `metadata/bowline/volumes/`.
    pub(super) snapshots: Vec<String>,
    /// The directories at the root.
    pub(super) top: Vec<String>,
    /// What `create NAME -o json` printed.
    pub(super) reports: BTreeMap<&'static str, Value>,
    /// The second `backup create` of [`FULL`], and the files before it.
    pub(super) again: (Output, BTreeMap<String, Vec<u8>>),
    /// What the API server said of [`STILL`] objects.
    pub(super) live: Vec<Value>,
    /// API version and kind by resource: `deployments.apps`.
    pub(super) kinds: BTreeMap<String, (String, String)>,
    /// The persistent volume of each claim.
    pub(super) volumes: BTreeMap<String, String>,
}

/// What was written, by a cluster that is gone by now.
pub(super) async fn written() -> &'static Written {
    static WRITTEN: OnceCell<Written> = OnceCell::const_new();
    WRITTEN.get_or_init(Written::make).await
}

impl Written {
    async fn make() -> Self {
        let east = ControlPlane::start("east").await.unwrap();
        lab::deploy(&east).await.unwrap();
        lab::write_files(&east).await.unwrap();
        let volumes = persistent_volumes(&east).await;
        add_odd_objects(&east, &volumes[LABELLED]).await;
        let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap().on(&east);

        let mut reports = BTreeMap::new();
        let full = ["backup", "create", FULL, "-o", "json"];
        reports.insert(FULL, run(&bowline, &full, 0).await);
        let live = live(&east).await;
        let before = files(&bowline.location());
        let again = bowline.run(&["backup", "create", FULL]).await.unwrap();
        let again = (again, before);
        let brief = ["--include-namespaces=shop", "--ttl=36h30m", "--labels=team=web"];
        let brief =
            [&["backup", "create", BRIEF, "-o", "json", "--snapshot-volumes=false"], &brief[..]];
        reports.insert(BRIEF, run(&bowline, &brief.concat(), 0).await);
        let partly = ["backup", "create", PARTLY, "-o", "json", "--include-namespaces=shop"];
        let partly = without_volume(&east, async || run(&bowline, &partly, 3).await).await;
        reports.insert(PARTLY, partly);
        let back = ["restore", "create", RESTORE, "--from-backup", FULL, "--ready-timeout=0"];
        let filter = ["--include-namespaces=shop", "--namespace-mappings=shop:copy", "-o", "json"];
        reports.insert(RESTORE, run(&bowline, &[&back[..], &filter].concat(), 0).await);

        let location = bowline.location();
        Self {
            files: files(&location),
            snapshots: directories(&location.join("metadata/bowline/volumes")),
            top: directories(&location),
            reports,
            again,
            live,
            kinds: kinds(&east).await,
            volumes,
        }
    }

    /// The files of a backup.
    pub(super) fn backup(&self, name: &'static str) -> Directory<'_> {
        Directory::new(&self.files, name)
    }

    /// The files of [`RESTORE`].
    pub(super) fn restore(&self) -> Directory<'_> {
        let name = RESTORE;
        Directory { files: &self.files, path: format!("restores/{name}/"), name }
    }
}

/// A directory of the location.
pub(super) struct Directory<'a> {
    files: &'a BTreeMap<String, Vec<u8>>,
    path: String,
    name: &'static str,
}

impl<'a> Directory<'a> {
    /// The files of a backup among others.
    pub(super) fn new(files: &'a BTreeMap<String, Vec<u8>>, name: &'static str) -> Self {
        Self { files, path: format!("backups/{name}/"), name }
    }

    /// The names of the files, with the directory's own name as `NAME`.
    pub(super) fn names(&self) -> Vec<String> {
        let below = self.files.keys().filter_map(|key| key.strip_prefix(&self.path));
        let mut names: Vec<_> = below.map(|name| name.replace(self.name, "NAME")).collect();
        names.sort();
        names
    }

    /// A file; its name may hold `NAME` for the directory's own name.
    pub(super) fn bytes(&self, file: &str) -> &'a [u8] {
        &self.files[&format!("{}{}", self.path, file.replace("NAME", self.name))]
    }

    /// A file that is not packed.
    pub(super) fn json(&self, file: &str) -> Value {
        serde_json::from_slice(self.bytes(file)).unwrap()
    }

    /// A file that is.
    pub(super) fn packed(&self, file: &str) -> String {
        String::from_utf8(unpack(self.bytes(file))).unwrap()
    }

    /// A document that is packed.
    pub(super) fn packed_json(&self, file: &str) -> Value {
        serde_json::from_str(&self.packed(file)).unwrap()
    }

    /// The entries of the archive, in order.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut archive = Archive::new(MultiGzDecoder::new(self.bytes("NAME.tar.gz")));
        archive.entries().unwrap().map(|entry| Entry::read(entry.unwrap())).collect()
    }

    /// The items of the archive, each once.
    pub(super) fn items(&self) -> Vec<Item> {
        self.entries().iter().filter_map(Item::read).collect()
    }
}

/// An entry of an archive.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: EntryType,
    pub(super) mode: u32,
    pub(super) owner: (u64, u64),
    pub(super) owner_names: (String, String),
    pub(super) magic: Vec<u8>,
    pub(super) modified: u64,
    pub(super) content: Vec<u8>,
}

impl Entry {
    fn read(mut entry: tar::Entry<'_, impl std::io::Read>) -> Self {
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let header = entry.header();
        let text =
            |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().into()).unwrap();
        Self {
            name: String::from_utf8(entry.path_bytes().into()).unwrap(),
            kind: header.entry_type(),
            mode: header.mode().unwrap(),
            owner: (header.uid().unwrap(), header.gid().unwrap()),
            owner_names: (text(header.username_bytes()), text(header.groupname_bytes())),
            magic: header.as_bytes()[257..265].to_vec(),
            modified: header.mtime().unwrap(),
            content,
        }
    }
}

/// An object in an archive, by the name of its entry.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) resource: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) object: Value,
}

impl Item {
    /// The object of an entry; none for the second copy of it.
    pub(super) fn read(entry: &Entry) -> Option<Self> {
        let path: Vec<&str> = entry.name.split('/').collect();
        let (resource, namespace, file) = match path[..] {
            ["resources", resource, "cluster", file] => (resource, None, file),
            ["resources", resource, "namespaces", namespace, file] => {
                (resource, Some(namespace.to_owned()), file)
            }
            _ => return None,
        };
        Some(Self {
            resource: resource.to_owned(),
            namespace,
            name: file.strip_suffix(".json")?.to_owned(),
            object: serde_json::from_slice(&entry.content).ok()?,
        })
    }

    /// The key of the resource list.
    pub(super) fn kind(&self) -> String {
        let text = |key: &str| self.object[key].as_str().unwrap().to_owned();
        format!("{}/{}", text("apiVersion"), text("kind"))
    }

    /// The name in the resource list.
    pub(super) fn full_name(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

pub(super) fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    bytes
}

pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

async fn run(bowline: &Bowline, arguments: &[&str], code: i32) -> Value {
    let output = bowline.run(arguments).await.unwrap();
    assert_eq!(output.code, Some(code), "{arguments:?}: {}{}", output.stdout, output.stderr);
    output.json()
}

/// Adds what the lab lacks: objects so large that the archive has several members, a long name, a
/// label on a volume, and a volume without a claim.
async fn add_odd_objects(cluster: &ControlPlane, labelled: &str) {
    let spare = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": SPARE},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "",
            "hostPath": {"path": cluster.volumes().join(SPARE)}},
    });
    let file = cluster.directory().join("spare.json");
    fs::write(&file, spare.to_string()).unwrap();
    let big = cluster.directory().join("big");
    fs::write(&big, "all work and no play <&> ".repeat(30_000)).unwrap();
    let from = format!("--from-file=big={}", big.display());
    let long = format!("a{}", ".long-name".repeat(20));
    for arguments in [
        &["create", "-f", file.to_str().unwrap()][..],
        &["create", "configmap", "big", "-n", "shop", &from],
        &["create", "configmap", "big-too", "-n", "shop", &from],
        &["create", "configmap", &long, "-n", "shop"],
        &["label", "persistentvolume", labelled, "tier=db"],
    ] {
        cluster.kubectl(arguments).await.unwrap().success();
    }
}

async fn persistent_volumes(cluster: &ControlPlane) -> BTreeMap<String, String> {
    let claims = ["get", "persistentvolumeclaims", "-n", "shop", "-o", "json"];
    let claims = cluster.kubectl(&claims).await.unwrap().json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = claims["items"].as_array().unwrap();
    items
        .iter()
        .map(|it| (text(&it["metadata"]["name"]), text(&it["spec"]["volumeName"])))
        .collect()
}

async fn live(cluster: &ControlPlane) -> Vec<Value> {
    let mut objects = Vec::new();
    for path in STILL {
        objects.push(cluster.kubectl(&["get", "--raw", path]).await.unwrap().json());
    }
    objects
}

/// Does something while the directory of the last volume is away.
async fn without_volume<T>(cluster: &ControlPlane, work: impl AsyncFnOnce() -> T) -> T {
    let volumes = lab::volumes(&cluster.client().await.unwrap(), lab::NAMESPACE).await.unwrap();
    let (volume, away) = (&volumes[GONE], volumes[GONE].with_extension("away"));
    fs::rename(volume, &away).unwrap();
    let result = work().await;
    fs::rename(&away, volume).unwrap();
    result
}

/// What the cluster serves: `kubectl api-resources`.
async fn kinds(cluster: &ControlPlane) -> BTreeMap<String, (String, String)> {
    let table = cluster.kubectl(&["api-resources", "--no-headers"]).await.unwrap().success();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.map(|row| {
        let [.., version, _namespaced, kind] = row[..] else { panic!("{row:?}") };
        let resource = match version.split_once('/') {
            Some((group, _)) => format!("{}.{group}", row[0]),
            None => row[0].to_owned(),
        };
        (resource, (version.to_owned(), kind.to_owned()))
    })
    .collect()
}

fn directories(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
    let directories = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<_> =
        directories.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every file of a location by its key; the snapshots' own files aside.
fn files(location: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![location.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                directories.extend((!path.ends_with("metadata/bowline/volumes")).then_some(path));
            } else {
                let key = path.strip_prefix(location).unwrap().to_str().unwrap().to_owned();
                files.insert(key, fs::read(path).unwrap());
            }
        }
    }
    files
}

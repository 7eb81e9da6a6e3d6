//! Runs that are killed (SIGKILL) at many points, and run again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_testkit::{Bowline, ControlPlane, Output, Running, lab};

use crate::application::completed;
use crate::remains::{each_claim_has_one_volume, listed, names, only_whole_things_are_in};

/// A point of a run, known by what can be seen of it from outside.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// It has written this to stderr.
    Says(&'static str),
    /// A name with this part lies in this directory of the location; `NAME` is the run's name.
    Stores(&'static str, &'static str),
    /// A name with this part lies beside the volumes.
    Builds(&'static str),
    /// The API server serves this; `NAMESPACE` is the restore's target.
    Creates(&'static str),
}
use Point::{Builds, Creates, Says, Stores};

/// A restore that does not come up tells what is missing before the test's own limit.
const TIMEOUT: &str = "--ready-timeout=2m";
const VOLUMES: &str = "metadata/bowline/volumes";

/// From the first look at the location to the last key but one.
const BACKUP: [Point; 11] = [
    Says("checking"),
    Stores("backups/NAME", "bowline-attempt.json"),
    Stores("metadata/bowline/.uploads/backups/NAME/NAME.tar.gz", "."),
    Stores("backups/NAME", "bowline-provider-local.json"),
    Says("snapshot started"),
    Stores(VOLUMES, ".partial-"),
    Says("snapshot completed"),
    Stores("backups/NAME", "NAME.tar.gz"),
    Says("committing"),
    Stores("backups/NAME", "NAME-volumesnapshots.json.gz"),
    Stores("backups/NAME", "bowline-digests.json"),
];

/// From the first look at the backup to the last key but one; before that the one point that only the
/// first run into a cluster has.
const RESTORE: [Point; 12] = [
    Creates("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com"),
    Says("reading the backup"),
    Says("planning"),
    Stores("restores/NAME", "bowline-restore.json"),
    Says("restoring objects"),
    Creates("/api/v1/namespaces/NAMESPACE"),
    Builds(".partial"),
    Says("volume available"),
    Creates("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/nginx-ss"),
    Says(": bound"),
    Says("awaiting readiness"),
    Stores("restores/NAME", "restore-NAME-logs.gz"),
];

/// What a run can be seen by.
struct View<'a> {
    location: PathBuf,
    volumes: PathBuf,
    name: &'a str,
    namespace: &'a str,
    client: kube::Client,
}

impl View<'_> {
    async fn shows(&self, point: Point, running: &Running) -> bool {
        let own = |text: &str| text.replace("NAMESPACE", self.namespace).replace("NAME", self.name);
        let holds = |directory: &Path, part: &str| {
            names(directory).iter().any(|name| name.contains(&own(part)))
        };
        match point {
            Says(text) => running.stderr().unwrap().contains(text),
            Stores(directory, part) => holds(&self.location.join(own(directory)), part),
            Builds(part) => holds(&self.volumes, part),
            Creates(path) => {
                let request = http::Request::get(own(path)).body(Vec::new()).unwrap();
                self.client.request_text(request).await.is_ok()
            }
        }
    }

    /// Lets it run to the point and kills it there; `false` if it ended just then.
    async fn kill_at(&self, point: Point, running: Running) -> bool {
        let mut running = self.run_to(point, running).await;
        if running.has_ended() {
            return false;
        }
        assert_eq!(running.kill().await.unwrap().code, None);
        true
    }

    async fn run_to(&self, point: Point, mut running: Running) -> Running {
        while !self.shows(point, &running).await {
            if running.has_ended() {
                let Output { code, stdout, stderr } = running.wait().await.unwrap();
                panic!("it ended before {point:?} was seen: {code:?}\n{stdout}{stderr}");
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        running
    }
}

/// A lab whose volumes take a while to be copied.
async fn deploy(east: &ControlPlane) -> BTreeMap<String, lab::Tree> {
    lab::deploy(east).await.unwrap();
    lab::write_files(east).await.unwrap();
    let volumes = lab::volumes(&east.client().await.unwrap(), lab::NAMESPACE).await.unwrap();
    for directory in volumes.values() {
        fs::write(directory.join("bulk"), [1, 2, 3, 5, 8, 13, 21, 34].repeat(512 << 10)).unwrap();
    }
    lab::read_files(east, lab::NAMESPACE).await.unwrap()
}

#[tokio::test]
async fn a_backup_that_is_killed_anywhere_is_no_backup_and_can_be_made_anew() {
    let east = ControlPlane::start("east").await.unwrap();
    deploy(&east).await;
    let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap().on(&east);
    let mut killed = 0;
    for (number, point) in BACKUP.into_iter().enumerate() {
        let name = &format!("backup-{number}");
        let view = View {
            location: bowline.location(),
            volumes: east.volumes(),
            name,
            namespace: lab::NAMESPACE,
            client: east.client().await.unwrap(),
        };
        let create = ["backup", "create", name, "--include-namespaces=shop", "-o=json"];
        killed += u32::from(view.kill_at(point, bowline.spawn(&create).unwrap()).await);
        make_anew(&bowline, name, &create, point).await;
    }
    assert!(killed >= 8, "only {killed} of them were killed in the middle");
    killed_while_it_replaces_a_killed_one(&bowline, &east).await;
    interrupted(&bowline, &east).await;
    only_whole_things_are_in(&bowline.location());
}

/// Runs a backup again that was killed at some point.
async fn make_anew(bowline: &Bowline, name: &str, create: &[&str], point: Point) {
    let replace = [create, &["--replace-incomplete"]].concat();
    let committed = bowline.location().join(format!("backups/{name}/velero-backup.json")).exists();
    match listed(bowline, "backup", name).await.as_deref() {
        None => {
            completed(&bowline.run(create).await.unwrap());
        }
        Some("Incomplete") => {
            assert!(!committed, "{point:?}");
            is_of_no_use(bowline, name, create).await;
            completed(&bowline.run(&replace).await.unwrap());
        }
        Some(phase) => {
            assert!(committed && phase == "Completed", "{point:?}: {phase}");
            assert_eq!(bowline.run(&replace).await.unwrap().code, Some(1));
        }
    }
    assert_eq!(listed(bowline, "backup", name).await.as_deref(), Some("Completed"), "{point:?}");
}

/// What was not finished is neither overwritten nor restored, and both say why.
async fn is_of_no_use(bowline: &Bowline, name: &str, create: &[&str]) {
    let Output { code, stdout, .. } = bowline.run(create).await.unwrap();
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("never finished"), "{stdout}");
    assert!(stdout.contains("--replace-incomplete"), "{stdout}");
    let Output { code, stderr, .. } =
        bowline.run(&["restore", "create", "--from-backup", name]).await.unwrap();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("was never finished and cannot be restored"), "{stderr}");
    assert!(!bowline.location().join("restores").exists());
}

/// Clearing is killed, too: while it removes a snapshot, and while it removes keys.
async fn killed_while_it_replaces_a_killed_one(bowline: &Bowline, east: &ControlPlane) {
    let name = "backup-replaced";
    let create = ["backup", "create", name, "--include-namespaces=shop", "-o=json"];
    let replace = [&create[..], &["--replace-incomplete"]].concat();
    let view = View {
        location: bowline.location(),
        volumes: east.volumes(),
        name,
        namespace: lab::NAMESPACE,
        client: east.client().await.unwrap(),
    };
    view.kill_at(Says("committing"), bowline.spawn(&create).unwrap()).await;
    view.kill_at(Stores(VOLUMES, ".deleting-"), bowline.spawn(&replace).unwrap()).await;
    make_anew(bowline, name, &create, Stores(VOLUMES, ".deleting-")).await;
}

/// Ctrl-C leaves no more behind than a kill, and says what to do.
async fn interrupted(bowline: &Bowline, east: &ControlPlane) {
    let name = "backup-interrupted";
    let create = ["backup", "create", name, "--include-namespaces=shop", "-o=json"];
    let view = View {
        location: bowline.location(),
        volumes: east.volumes(),
        name,
        namespace: lab::NAMESPACE,
        client: east.client().await.unwrap(),
    };
    let point = Says("snapshot started");
    let running = view.run_to(point, bowline.spawn(&create).unwrap()).await;
    running.interrupt().unwrap();
    let output = running.wait().await.unwrap();
    assert_eq!(output.code, Some(130), "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("--replace-incomplete"), "{}", output.stdout);
    make_anew(bowline, name, &create, point).await;
}

#[tokio::test]
async fn a_restore_that_is_killed_anywhere_goes_on_when_it_is_resumed() {
    let (east, west) = ControlPlane::start_pair().await.unwrap();
    let files = deploy(&east).await;
    let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap();
    let backup = ["backup", "create", "b", "--include-namespaces=shop", "-o=json"];
    completed(&bowline.on(&east).run(&backup).await.unwrap());
    let bowline = bowline.on(&west);
    let mut killed = 0;
    let mut namespaces = Vec::new();
    for (number, point) in RESTORE.into_iter().enumerate() {
        let (name, namespace) = (&format!("restore-{number}"), format!("shop-{number}"));
        let view = View {
            location: bowline.location(),
            volumes: east.volumes(),
            name,
            namespace: &namespace,
            client: west.client().await.unwrap(),
        };
        let mapping = format!("--namespace-mappings=shop:{namespace}");
        let create = ["restore", "create", name, "--from-backup=b", &mapping, "-o=json", TIMEOUT];
        killed += u32::from(view.kill_at(point, bowline.spawn(&create).unwrap()).await);
        go_on(&bowline, name, &create, point).await;
        assert_eq!(lab::read_files(&west, &namespace).await.unwrap(), files, "{point:?}");
        namespaces.push(namespace);
    }
    assert!(killed >= 8, "only {killed} of them were killed in the middle");
    each_claim_has_one_volume(&east, &west, &namespaces).await;
    only_whole_things_are_in(&bowline.location());
}

/// Goes on with a restore by its name that was killed at some point.
async fn go_on(bowline: &Bowline, name: &str, create: &[&str], point: Point) {
    let record = bowline.location().join(format!("restores/{name}/bowline-restore.json"));
    let record = fs::read(record).ok();
    let phase = listed(bowline, "restore", name).await;
    assert_eq!(phase.is_some(), record.is_some(), "{point:?}");
    if phase.as_deref() != Some("Completed") {
        assert!(matches!(phase.as_deref(), None | Some("Incomplete")), "{phase:?}");
        completes(bowline, name, create, point, record.as_deref()).await;
    }
    assert_eq!(listed(bowline, "restore", name).await.as_deref(), Some("Completed"), "{point:?}");
    let Output { code, stdout, stderr } = bowline.run(create).await.unwrap();
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stderr.contains("nothing is left to do"), "{stderr}");
}

/// Resumes a restore under the identity that was recorded; without a record it is begun anew.
async fn completes(
    bowline: &Bowline,
    name: &str,
    create: &[&str],
    point: Point,
    record: Option<&[u8]>,
) {
    let Some(record) = record else {
        completed(&bowline.run(create).await.unwrap());
        return;
    };
    let record: serde_json::Value = serde_json::from_slice(record).unwrap();
    let resume = ["restore", "resume", name, "-o=json"];
    let report = completed(&bowline.run(&resume).await.unwrap());
    assert_eq!(report["uid"], record["uid"], "{point:?}: it did not go on, but began anew");
    assert_eq!(report["run"], 2, "{point:?}");
}

//! Runs whose API server fails them in the middle, or from the start.

use std::fs;
use std::time::Duration;

use bowline_testkit::{Bowline, ControlPlane, Output, Running, lab};
use serde_json::Value;
use tokio::time::sleep;

use crate::application::completed;
use crate::remains::{
    each_claim_has_one_volume, listed, names, only_whole_backups_are_in, only_whole_things_are_in,
};

/// What happens to an API server.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It ends: connections break, and new ones are refused.
    Killed,
    /// It hangs: connections stay, and nothing comes back.
    Stopped,
}

impl Fault {
    fn befall(self, cluster: &ControlPlane) {
        match self {
            Self::Killed => cluster.api_server().kill(),
            Self::Stopped => cluster.api_server().pause().unwrap(),
        }
    }

    async fn mend(self, cluster: &ControlPlane) {
        match self {
            Self::Killed => cluster.api_server().restart().unwrap(),
            Self::Stopped => cluster.api_server().resume().unwrap(),
        }
        cluster.wait_until_answering().await.unwrap();
        // By themselves they try to connect again only every half minute.
        for client in [cluster.controller_manager(), cluster.scheduler(), cluster.kwok()] {
            client.restart().unwrap();
        }
    }
}

/// The cluster that is backed up, the one that is restored into, and a machine for each.
struct Clusters {
    east: ControlPlane,
    west: ControlPlane,
    from: Bowline,
    into: Bowline,
}

#[tokio::test]
async fn runs_that_lose_their_api_server_leave_nothing_half_done_and_can_be_run_again() {
    let (east, west) = ControlPlane::start_pair().await.unwrap();
    lab::deploy(&east).await.unwrap();
    let files = lab::write_files(&east).await.unwrap();
    let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap();
    let clusters = Clusters { from: bowline.on(&east), into: bowline.on(&west), east, west };
    completed(&clusters.from.run(&backup("good")).await.unwrap());

    clusters.restart("restarted").await;
    clusters.fail(Fault::Killed, "killed", "restoring objects").await;
    clusters.fail(Fault::Stopped, "stopped", "volume available").await;

    let Clusters { east, west, .. } = &clusters;
    let namespaces = ["restarted", "killed", "stopped"].map(str::to_owned);
    for namespace in &namespaces {
        assert_eq!(lab::read_files(west, namespace).await.unwrap(), files, "{namespace}");
    }
    each_claim_has_one_volume(east, west, &namespaces).await;
    only_whole_things_are_in(&bowline.location());
}

impl Clusters {
    /// Both servers fail in the middle of a backup and of a restore, and are mended later.
    async fn fail(&self, fault: Fault, name: &str, restoring: &str) {
        let (backup, mapping) = (backup(name), mapping(name));
        let restore = restore(name, &mapping);
        let (one, other) = (impatient(&backup), impatient(&restore));
        let (backing_up, restoring) = tokio::join!(
            stopped_at(&self.from, &one, "collecting objects"),
            stopped_at(&self.into, &other, restoring),
        );
        fault.befall(&self.east);
        fault.befall(&self.west);
        let (backed_up, restored) = tokio::join!(goes_on(backing_up), goes_on(restoring));
        self.backup_broke_off(name, &error(&backed_up, 1)).await;
        let uid = self.restore_broke_off(name, &error(&restored, 1)).await;
        self.nothing_is_begun(fault).await;

        fault.mend(&self.east).await;
        fault.mend(&self.west).await;
        completed(&self.from.run(&backup).await.unwrap());
        let report = completed(&self.into.run(&restore).await.unwrap());
        assert_eq!(report["uid"], uid, "it did not go on, but began anew");
    }

    async fn backup_broke_off(&self, name: &str, error: &str) {
        assert!(error.contains("the backup broke off; nothing of it is left"), "{error}");
        assert!(error.contains("run the same command again"), "{error}");
        assert_eq!(listed(&self.from, "backup", name).await, None);
        only_whole_backups_are_in(&self.from.location());
    }

    async fn restore_broke_off(&self, name: &str, error: &str) -> Value {
        assert!(error.contains(&format!("restore \\\"{name}\\\" broke off")), "{error}");
        assert!(error.contains(&format!("bowline restore resume {name}")), "{error}");
        assert_eq!(listed(&self.into, "restore", name).await.as_deref(), Some("Incomplete"));
        let directory = self.into.location().join("restores").join(name);
        assert_eq!(names(&directory).into_iter().collect::<Vec<_>>(), ["bowline-restore.json"]);
        let record = fs::read(directory.join("bowline-restore.json")).unwrap();
        serde_json::from_slice::<Value>(&record).unwrap()["uid"].clone()
    }

    /// A server that fails from the start is another exit code, as nothing was written.
    async fn nothing_is_begun(&self, fault: Fault) {
        let mapping = mapping("never");
        let restore = impatient(&restore("never", &mapping));
        let backup = impatient(&backup("never"));
        let (backed_up, restored) = tokio::join!(self.from.run(&backup), self.into.run(&restore));
        for (noun, output) in [("backup", backed_up), ("restore", restored)] {
            let error = error(&output.unwrap(), 5);
            assert!(error.contains("is the cluster up"), "{fault:?}: {error}");
            assert_eq!(listed(&self.from, noun, "never").await, None);
            assert!(!self.from.location().join(format!("{noun}s/never")).exists());
        }
    }

    /// An outage that is shorter than the patience for requests harms nobody.
    async fn restart(&self, name: &str) {
        let (backup, mapping) = (backup(name), mapping(name));
        let restore = restore(name, &mapping);
        let (backing_up, restoring) = tokio::join!(
            stopped_at(&self.from, &backup, "collecting objects"),
            stopped_at(&self.into, &restore, "restoring objects"),
        );
        Fault::Killed.befall(&self.east);
        Fault::Killed.befall(&self.west);
        let (backed_up, restored, (), ()) = tokio::join!(
            goes_on(backing_up),
            goes_on(restoring),
            Fault::Killed.mend(&self.east),
            Fault::Killed.mend(&self.west),
        );
        completed(&backed_up);
        completed(&restored);
    }
}

fn backup(name: &str) -> [&str; 5] {
    ["backup", "create", name, "--include-namespaces=shop", "-o=json"]
}

/// The same, but failed requests are given up after a few seconds.
fn impatient<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--request-timeout=2s"]].concat()
}

fn mapping(namespace: &str) -> String {
    format!("--namespace-mappings=shop:{namespace}")
}

fn restore<'a>(name: &'a str, mapping: &'a str) -> [&'a str; 7] {
    ["restore", "create", name, "--from-backup=good", mapping, "-o=json", "--ready-timeout=2m"]
}

/// A run that is stopped in its tracks just after it has said something.
async fn stopped_at(bowline: &Bowline, arguments: &[&str], text: &str) -> Running {
    let mut running = bowline.spawn(arguments).unwrap();
    while !running.stderr().unwrap().contains(text) {
        assert!(!running.has_ended(), "{}", running.stderr().unwrap());
        sleep(Duration::from_micros(200)).await;
    }
    running.pause().unwrap();
    running
}

/// Lets a stopped run go on, to its end.
async fn goes_on(running: Running) -> Output {
    running.resume().unwrap();
    running.wait().await.unwrap()
}

/// The document of a failed run: message, causes and hint.
#[track_caller]
fn error(output: &Output, code: i32) -> String {
    assert_eq!(output.code, Some(code), "{}{}", output.stdout, output.stderr);
    let document = output.json();
    assert_eq!(document["error"]["exitCode"], code);
    document.to_string()
}

//! Backups whose snapshots take their time, and runs that end, or meet, before they do.

use std::collections::BTreeSet;
use std::time::Duration;

use bowline_testkit::cloud::Snapshot;
use bowline_testkit::control_plane::Options;
use bowline_testkit::faults::{Fate, Fault, Rule};
use bowline_testkit::{Bowline, Cloud, ControlPlane, Running, lab, wait};
use serde_json::Value;

use super::bucket;
use crate::application::completed;
use crate::remains::listed;

const ENOUGH: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_backup_is_finished_from_any_machine_and_two_of_one_name_do_not_mix() {
    let cloud = Cloud::start().await.unwrap();
    let options = Options { storage: cloud.storage(), ..Options::new("east") };
    let east = ControlPlane::start_with(options).await.unwrap();
    lab::deploy(&east).await.unwrap();
    let bowline = machine(&cloud).on(&east);
    killed(&bowline, &cloud).await;
    interrupted(&bowline, &cloud).await;
    overtaken(&bowline, &cloud).await;
    two_at_once([&bowline, &machine(&cloud).on(&east)], &cloud).await;
}

/// A machine with an account in the cloud, and without any cluster.
fn machine(cloud: &Cloud) -> Bowline {
    let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap().with_cloud(cloud);
    bowline.without_env("KUBECONFIG")
}

fn create(name: &str) -> [&str; 5] {
    ["backup", "create", name, "--include-namespaces=shop", "-o=json"]
}

/// Starts a backup and gets it to where only its snapshots are missing.
pub(super) async fn waiting(bowline: &Bowline, cloud: &Cloud, name: &str) -> Running {
    cloud.ec2_faults().let_snapshots_be(Fate::Held);
    let running = bowline.spawn(&create(name)).unwrap();
    let record = format!("backups/{name}/bowline-pending.json");
    wait::until("all but the snapshots is done", ENOUGH, async || {
        Ok(bucket::keys(cloud, &record).await.contains(&String::new()).then_some(()))
    })
    .await
    .unwrap();
    running.wait_for_stderr("snapshot 50 %").await.unwrap();
    running
}

/// The snapshots of a backup's volumes, as EC2 has them.
async fn snapshots(cloud: &Cloud, backup: &str) -> Vec<Snapshot> {
    let mut all = cloud.ec2().snapshots().await.unwrap();
    all.retain(|snapshot| snapshot.tags.get("velero.io/backup").is_some_and(|name| name == backup));
    all
}

/// Checks that a backup is good, and that these are its snapshots.
#[track_caller]
fn holds(report: &Value, snapshots: &[Snapshot]) {
    let reported = report["volumes"].as_array().unwrap().iter();
    let reported: BTreeSet<&str> =
        reported.map(|volume| volume["snapshotId"].as_str().unwrap()).collect();
    assert_eq!(reported.len(), lab::CLAIMS.len());
    assert_eq!(snapshots.iter().map(|one| one.id.as_str()).collect::<BTreeSet<_>>(), reported);
    for snapshot in snapshots {
        assert_eq!(report["uid"], snapshot.tags["bowline.io/backup-uid"]);
    }
}

/// The machine that made it is gone: another one, which knows no cluster, finishes it.
async fn killed(bowline: &Bowline, cloud: &Cloud) {
    let running = waiting(bowline, cloud, "killed").await;
    let before = snapshots(cloud, "killed").await;
    assert_eq!(before.len(), lab::CLAIMS.len());
    running.kill().await.unwrap();
    assert_eq!(listed(bowline, "backup", "killed").await.as_deref(), Some("Incomplete"));
    is_of_no_use(bowline, cloud).await;

    let report = is_finished_elsewhere(bowline, cloud).await;
    holds(&report, &before);
    assert_eq!(snapshots(cloud, "killed").await, before);
    is_restored(bowline, cloud, &before).await;
}

async fn is_finished_elsewhere(bowline: &Bowline, cloud: &Cloud) -> Value {
    let elsewhere = machine(cloud);
    let finish = ["backup", "finish", "killed", "-o=json"];
    let finishing = elsewhere.spawn(&finish).unwrap();
    finishing.wait_for_stderr("snapshot 50 %").await.unwrap();
    assert_eq!(listed(bowline, "backup", "killed").await.as_deref(), Some("Incomplete"));
    cloud.ec2_faults().finish_all();
    let report = completed(&finishing.wait().await.unwrap());
    assert_eq!(listed(bowline, "backup", "killed").await.as_deref(), Some("Completed"));

    let again = elsewhere.run(&finish).await.unwrap();
    assert!(again.stderr.contains("was finished already"), "{}", again.stderr);
    assert_eq!(completed(&again), report);
    report
}

/// What waits for its snapshots is neither restored nor overwritten, and both say why.
async fn is_of_no_use(bowline: &Bowline, cloud: &Cloud) {
    let restore = ["restore", "create", "early", "--from-backup=killed"];
    let refused = bowline.run(&restore).await.unwrap();
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("was never finished and cannot be restored"),
        "{}",
        refused.stderr
    );
    let again = bowline.run(&create("killed")).await.unwrap();
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    assert!(again.stdout.contains("bowline backup finish killed"), "{}", again.stdout);
    assert_eq!(bucket::keys(cloud, "restores/").await, Vec::<String>::new());
    assert_eq!(snapshots(cloud, "killed").await.len(), lab::CLAIMS.len());
}

async fn is_restored(bowline: &Bowline, cloud: &Cloud, snapshots: &[Snapshot]) {
    let restore = ["restore", "create", "late", "--from-backup=killed", "-o=json"];
    let restore = [&restore[..], &["--namespace-mappings=shop:late"]].concat();
    let report = completed(&bowline.run(&restore).await.unwrap());
    let made = report["volumes"].as_array().unwrap().iter();
    let mut sources = BTreeSet::new();
    for volume in made {
        let id = volume["volumeId"].as_str().unwrap();
        sources.extend(cloud.ec2().volume(id).await.unwrap().snapshot);
    }
    assert_eq!(sources, snapshots.iter().map(|one| one.id.clone()).collect());
}

/// Ctrl-C: its snapshots go on, and the user is told what to do.
async fn interrupted(bowline: &Bowline, cloud: &Cloud) {
    let running = waiting(bowline, cloud, "interrupted").await;
    let before = snapshots(cloud, "interrupted").await;
    running.interrupt().unwrap();
    let output = running.wait().await.unwrap();
    assert_eq!(output.code, Some(130), "{}{}", output.stdout, output.stderr);
    let told = &output.json()["error"];
    let hint = told["hint"].as_str().unwrap();
    assert!(hint.contains("run bowline backup finish interrupted"), "{told}");
    assert_eq!(listed(bowline, "backup", "interrupted").await.as_deref(), Some("Incomplete"));
    cloud.ec2_faults().finish_all();
    let finish = ["backup", "finish", "interrupted", "-o=json"];
    let report = completed(&machine(cloud).run(&finish).await.unwrap());
    holds(&report, &before);
    assert_eq!(snapshots(cloud, "interrupted").await, before);
}

/// It was only slow: both runs end well, with one report.
async fn overtaken(bowline: &Bowline, cloud: &Cloud) {
    let running = waiting(bowline, cloud, "overtaken").await;
    let before = snapshots(cloud, "overtaken").await;
    running.pause().unwrap();
    cloud.ec2_faults().finish_all();
    let finish = ["backup", "finish", "overtaken", "-o=json"];
    let report = completed(&machine(cloud).run(&finish).await.unwrap());
    running.resume().unwrap();
    assert_eq!(completed(&running.wait().await.unwrap()), report);
    holds(&report, &before);
    assert_eq!(snapshots(cloud, "overtaken").await, before);
}

/// Both have seen that the name is free before either takes it.
async fn two_at_once(machines: [&Bowline; 2], cloud: &Cloud) {
    let hold = Rule::new("PutObject", Fault::Hold).with_key("twice/bowline-attempt.json");
    let hold = cloud.s3_faults().inject(hold);
    let runs = machines.map(|machine| machine.spawn(&create("twice")).unwrap());
    wait::until("both want the name", ENOUGH, async || Ok((hold.hits() == 2).then_some(())))
        .await
        .unwrap();
    hold.release();
    let [one, two] = runs;
    let (one, two) = tokio::try_join!(one.wait(), two.wait()).unwrap();
    let (winner, loser) = if one.code == Some(0) { (one, two) } else { (two, one) };

    let report = completed(&winner);
    assert_eq!(loser.code, Some(1), "{}{}", loser.stdout, loser.stderr);
    let error = &loser.json()["error"];
    assert!(error["message"].as_str().unwrap().contains("\"twice\" exists already"), "{error}");
    holds(&report, &snapshots(cloud, "twice").await);
    for (file, uid) in [("bowline-attempt", "/uid"), ("velero-backup", "/metadata/uid")] {
        let document = bucket::json(cloud, &format!("backups/twice/{file}.json")).await;
        assert_eq!(document.pointer(uid), Some(&report["uid"]), "{file}");
    }
    assert_eq!(listed(machines[0], "backup", "twice").await.as_deref(), Some("Completed"));
}

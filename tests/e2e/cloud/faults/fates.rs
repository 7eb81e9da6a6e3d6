//! What was accepted and comes to nothing later.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use bowline_testkit::faults::Fate;
use flate2::read::GzDecoder;
use serde_json::Value;

use super::backups::is_whole;
use super::case::Case;
use super::deletions;
use super::machine::Machine;
use super::message::errors_with_hints;
use super::restores::{is_done, is_partly_failed, mended_as_the_hint_says};
use super::site::{CLAIMS, NAMESPACE, Site, all_claims, claims_of};
use crate::application::completed;

/// Snapshots that are pending for a while, and others that fail.
pub(super) async fn snapshots_fail(site: &Site) {
    let machine = Machine::new(site);
    machine.ec2.let_snapshots_be(Fate::ReadyAfter(Duration::from_millis(1500)));
    completed(&machine.back_up("slow").await);
    assert_eq!(claims_of("slow", &site.snapshots("slow").await), all_claims(NAMESPACE));

    let name = "failing";
    machine.ec2.let_snapshots_be(Fate::Failed);
    let output = machine.back_up(name).await;
    assert_eq!(output.code, Some(3), "{}{}", output.stdout, output.stderr);
    let report = output.json();
    assert_eq!(report["phase"], "PartiallyFailed");
    errors_with_hints(name, &report);
    assert_eq!(report["errors"].as_array().unwrap().len(), CLAIMS);
    is_whole(site, name, &report);
    for record in records(site, name) {
        assert_eq!(record["status"]["phase"], "Failed", "{record}");
        assert_eq!(record["status"]["providerSnapshotID"], Value::Null, "{record}");
    }
    // What failed is there, too, and goes with its backup.
    assert_eq!(claims_of(name, &site.snapshots(name).await), all_claims(NAMESPACE));
    machine.heal();
    deletions::is_completed(&machine.delete(name).await);
    deletions::is_gone(site, name).await;
}

/// What a backup records of its snapshots.
fn records(site: &Site, name: &str) -> Vec<Value> {
    let path = site.path(&format!("backups/{name}/{name}-volumesnapshots.json.gz"));
    let list = GzDecoder::new(fs::File::open(path).unwrap());
    let list: Vec<Value> = serde_json::from_reader(list).unwrap();
    assert_eq!(list.len(), CLAIMS);
    list
}

/// Volumes that turn to `error`, and are removed whatever befalls that.
pub(super) async fn volumes_fail(site: &Site) {
    let backup = "fated";
    let machine = Machine::new(site);
    machine.backed_up(backup).await;
    machine.ec2.let_volumes_be(Fate::Failed);
    let report = failed(&machine, "error", backup).await;
    is_partly_failed("error", &report, &BTreeMap::new());
    assert_eq!(site.volumes("error").await, BTreeMap::new());
    let created = machine.ec2.calls_of("CreateVolume").into_iter();
    assert_eq!(created.filter(|call| !call.is_dry_run()).count(), CLAIMS, "nothing is made twice");
    machine.heal();
    let report = mended_as_the_hint_says(&machine, "error", backup, &report).await;
    is_done(site, "error", &report).await;

    let deletions = Case::all(&machine).into_iter();
    let deletions: Vec<_> = deletions.filter(|it| it.name().starts_with("deletevolume")).collect();
    assert!(!deletions.is_empty(), "no volume was removed");
    for case in deletions {
        removal_meets(site, &case, backup).await;
    }
}

/// The removal of a failed volume goes wrong: what is left over is told.
async fn removal_meets(site: &Site, case: &Case, backup: &str) {
    let (machine, namespace) = (Machine::new(site), format!("fated-{}", case.name()));
    machine.ec2.let_volumes_be(Fate::Failed);
    let struck = case.befall(&machine);
    let report = failed(&machine, &namespace, backup).await;
    assert!(struck.hits() > 0, "no call met {case}");
    let left = site.volumes(&namespace).await;
    assert_eq!(left.is_empty(), case.exit(true, &[]) == 0, "{case}: {left:?}");
    let told = |id: &&String| report["errors"].to_string().contains(&format!("{id} is left over"));
    assert_eq!(left.keys().find(|id| !told(id)), None, "{case}: {report}");
}

/// The report of a restore whose volumes all fail.
async fn failed(machine: &Machine<'_>, namespace: &str, backup: &str) -> Value {
    let output = machine.restore(namespace, backup, namespace).await;
    assert_eq!(output.code, Some(3), "{namespace}: {}{}", output.stdout, output.stderr);
    let report = output.json();
    errors_with_hints(namespace, &report);
    report
}

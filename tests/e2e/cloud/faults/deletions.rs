//! Faults while a backup is deleted.

use std::collections::BTreeMap;

use bowline_testkit::Output;
use futures::{StreamExt as _, stream};

use super::backups::is_whole;
use super::case::Case;
use super::machine::Machine;
use super::message::{errors_with_hints, one_error};
use super::site::{NAMESPACE, Site, all_claims, claims_of};

/// How many backups are deleted at once.
const AT_ONCE: usize = 3;
/// The region of a bucket that does not tell is the account's.
const OPTIONAL: [&str; 1] = ["HeadBucket"];

pub(super) async fn meet_faults(site: &Site) {
    let machine = Machine::new(site);
    machine.backed_up("deleted").await;
    is_completed(&machine.delete("deleted").await);
    is_gone(site, "deleted").await;
    let runs = Case::all(&machine).into_iter().map(|case| meet(site, case));
    stream::iter(runs).buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// Deletes a backup; first something goes wrong, then nothing does.
async fn meet(site: &Site, case: Case) {
    let machine = Machine::new(site);
    let name = format!("deleted-{}", case.name());
    let backup = machine.backed_up(&name).await;
    let struck = case.befall(&machine);
    let output = machine.delete(&name).await;
    assert!(struck.hits() > 0, "no call met {case}");
    machine.heal();
    let code = case.exit(machine.has_written(), &OPTIONAL);
    assert_eq!(output.code, Some(code), "{case}: {}{}", output.stdout, output.stderr);
    match code {
        0 => is_completed(&output),
        3 => errors_with_hints(&name, &output.json()["items"][0]),
        _ => one_error(&name, &output, code),
    }
    if code == 5 {
        is_whole(site, &name, &backup);
        assert_eq!(claims_of(&name, &site.snapshots(&name).await), all_claims(NAMESPACE));
    } else if code != 0 {
        assert!(site.path(&tombstone(&name)).exists(), "{case} left no mark");
    }
    if code != 0 {
        is_completed(&machine.delete(&name).await);
    }
    is_gone(site, &name).await;
}

#[track_caller]
pub(super) fn is_completed(output: &Output) {
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    assert_eq!(output.json()["items"][0]["phase"], "Completed", "{}", output.stdout);
}

/// Checks that nothing of a backup is left.
pub(super) async fn is_gone(site: &Site, name: &str) {
    assert_eq!(site.snapshots(name).await, BTreeMap::new(), "{name}");
    assert!(site.files(&format!("backups/{name}")).is_empty(), "{name}");
    assert!(!site.path(&tombstone(name)).exists(), "{name}");
}

fn tombstone(name: &str) -> String {
    format!("metadata/bowline/deleting/{name}.json")
}

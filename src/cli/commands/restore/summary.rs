//! What came of a restore, for people.

use std::collections::BTreeMap;
use std::fmt;

use crate::cli::problems;
use crate::cli::table::{Table, cell};
use crate::cli::units::counted;
use crate::engine::report::{Awaited, ItemCounts, Phase, RestoreReport, VolumeReport};

/// What came of a restore: its errors and warnings, its volumes, and what is still awaited.
pub(super) struct Summary<'a>(pub &'a RestoreReport);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        write!(f, "{}", problems::sections(&report.errors, &report.warnings))?;
        if !report.awaited.is_empty() {
            writeln!(f, "{}", awaited(&report.awaited))?;
        }
        write!(f, "{}", Outcome(report))?;
        match report.phase {
            Phase::Completed => Ok(()),
            _ => writeln!(f, "to go on: bowline restore resume {}", report.name),
        }
    }
}

/// The same without what `describe` has sections for.
pub(super) struct Outcome<'a>(pub &'a RestoreReport);

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (report, items) = (self.0, &self.0.items);
        write!(f, "restore {} of backup {} is {}", report.name, report.backup, report.phase)?;
        writeln!(
            f,
            ": {} created, {} updated, {} unchanged, {} skipped, {} failed, {}, {}",
            items.created,
            items.updated,
            items.unchanged,
            items.skipped,
            items.failed,
            counted(report.errors.len(), "error"),
            counted(report.warnings.len(), "warning"),
        )?;
        if !report.hooks.is_empty() {
            writeln!(f, "hooks: {}", report.hooks)?;
        }
        if !report.volumes.is_empty() {
            write!(f, "{}", volumes(&report.volumes))?;
        }
        let same = |volume: &&VolumeReport| volume.state == "reattached";
        report.volumes.iter().filter(same).try_for_each(|volume| {
            let claim = format!("{}/{}", volume.namespace, volume.claim);
            writeln!(f, "not copied: {claim} has the very volume that it had, with policy Retain")
        })
    }
}

fn volumes(volumes: &[VolumeReport]) -> Table<5> {
    let mut table = Table::new(["NAMESPACE", "CLAIM", "VOLUME", "SNAPSHOT", "STATE"]);
    for volume in volumes {
        table.push([
            volume.namespace.clone(),
            volume.claim.clone(),
            cell(volume.volume_id.as_ref()),
            cell(volume.snapshot_id.as_ref()),
            volume.state.clone(),
        ]);
    }
    table
}

/// The outcomes by kind.
pub(super) fn kinds(kinds: &BTreeMap<String, ItemCounts>) -> Table<6> {
    let mut table =
        Table::new(["RESOURCE", "CREATED", "UPDATED", "UNCHANGED", "SKIPPED", "FAILED"]);
    for (resource, counts) in kinds {
        let ItemCounts { created, updated, unchanged, skipped, failed, .. } = *counts;
        let [created, updated, unchanged, skipped, failed] =
            [created, updated, unchanged, skipped, failed].map(|count| count.to_string());
        table.push([resource.clone(), created, updated, unchanged, skipped, failed]);
    }
    table
}

/// What was made and has not come up.
pub(super) fn awaited(awaited: &[Awaited]) -> Table<4> {
    let mut table = Table::new(["AWAITED", "NAMESPACE", "NAME", "REASON"]);
    for Awaited { resource, namespace, name, reason } in awaited {
        table.push([resource.clone(), cell(namespace.as_ref()), name.clone(), reason.clone()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::Problem;

    fn report() -> RestoreReport {
        RestoreReport {
            name: "r".to_owned(),
            uid: String::new(),
            run: 1,
            backup: "b".to_owned(),
            phase: Phase::Completed,
            items: ItemCounts::default(),
            kinds: BTreeMap::new(),
            volumes: Vec::new(),
            awaited: Vec::new(),
            hooks: <_>::default(),
            follow_ups: 0,
            warnings: Vec::new(),
            errors: Vec::new(),
            start_timestamp: "2026-03-01T02:00:00Z".parse().unwrap(),
            completion_timestamp: None,
        }
    }

    #[test]
    fn a_report_counts_its_objects_and_names_what_was_not_copied() {
        let volume = |claim: &str, id: &str, state: &str| VolumeReport {
            namespace: "shop".to_owned(),
            claim: claim.to_owned(),
            persistent_volume: None,
            snapshot_id: None,
            volume_id: Some(id.to_owned()),
            state: state.to_owned(),
        };
        let volumes = vec![volume("data", "vol-1", "bound"), volume("media", "fs-1", "reattached")];
        let items =
            ItemCounts { planned: 20, created: 2, updated: 3, unchanged: 4, skipped: 5, failed: 6 };
        let report = RestoreReport { items, volumes, ..report() };
        let expected = "\
restore r of backup b is Completed: 2 created, 3 updated, 4 unchanged, 5 skipped, 6 failed, 0 errors, 0 warnings
NAMESPACE   CLAIM   VOLUME   SNAPSHOT   STATE
shop        data    vol-1    <none>     bound
shop        media   fs-1     <none>     reattached
not copied: shop/media has the very volume that it had, with policy Retain
";
        assert_eq!(Summary(&report).to_string(), expected);
    }

    #[test]
    fn failures_come_first_and_what_is_awaited_with_them() {
        let id = "deployments.apps/shop/web".parse().unwrap();
        let errors = vec![Problem::of_item(&id, "await", "0 of 1 pods are ready")];
        let awaited = Awaited::of_errors(&errors);
        let report = RestoreReport { errors, awaited, phase: Phase::PartiallyFailed, ..report() };
        let expected = "\
Errors:
  Namespace shop:
    deployments.apps web: await: 0 of 1 pods are ready

AWAITED            NAMESPACE   NAME   REASON
deployments.apps   shop        web    0 of 1 pods are ready

restore r of backup b is PartiallyFailed: 0 created, 0 updated, 0 unchanged, 0 skipped, 0 failed, 1 error, 0 warnings
to go on: bowline restore resume r
";
        assert_eq!(Summary(&report).to_string(), expected);
    }

    #[test]
    fn outcomes_are_counted_by_kind() {
        let counts = ItemCounts { created: 2, failed: 1, ..ItemCounts::default() };
        let table = kinds(&BTreeMap::from([("pods".to_owned(), counts)])).to_string();
        let expected = "\
RESOURCE   CREATED   UPDATED   UNCHANGED   SKIPPED   FAILED
pods       2         0         0           0         1
";
        assert_eq!(table, expected);
    }
}

//! Jobs that an earlier run of this restore made, and that are gone since: they ran, and are not to run
//! again.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::identity::{Identity, places};
use super::jobs;
use super::plan::{Plan, Verdict};
use crate::engine::context::Context;
use crate::engine::model::restore::RestoreRecord;
use crate::engine::store::{self, RestoreKeys};

/// Why such a job is left out.
pub(super) const RAN: &str = "an earlier run of this restore made it, and it is gone";

/// Leaves out the jobs that are gone since an earlier run made them.
///
/// A run that was killed leaves no list of what it made; none of its jobs was released for long.
pub(super) async fn leave(
    context: &Context,
    identity: &Identity,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    let is_meant = |row: &super::plan::Row<'_>| {
        jobs::is_job(row.entry.resource()) && row.verdict == Verdict::Create && !row.ours
    };
    if identity.runs == 0 || !plan.rows.iter().any(is_meant) {
        return Ok(());
    }
    let made = made(context, &identity.record).await.map_err(Error::Location)?;
    let Plan { rows, preparation, .. } = plan;
    for row in rows.iter_mut().filter(|row| is_meant(row)) {
        let id = preparation.target(&row.entry.id());
        if made.contains(&format!("{}/{}", id.namespace.unwrap_or_default(), id.name)) {
            row.decide(Verdict::Skip, RAN);
            row.dying = false;
        }
    }
    Ok(())
}

/// The jobs, by namespace and name, that earlier runs say they made.
async fn made(context: &Context, record: &RestoreRecord) -> Result<BTreeSet<String>, store::Error> {
    let mut made = BTreeSet::new();
    for store in places(context) {
        for key in
            store.of_all_runs(&record.name, &RestoreKeys(&record.name).resource_list()).await?
        {
            let list: BTreeMap<String, Vec<String>> = store.json_gz(&key).await?;
            let jobs = list.into_iter().filter(|(kind, _)| is_job(kind));
            made.extend(jobs.flat_map(|(_, items)| items).filter_map(|item| made_job(&item)));
        }
    }
    Ok(made)
}

/// Whether a kind of the list, `batch/v1/Job`, is that of jobs, in any version.
fn is_job(kind: &str) -> bool {
    kind.starts_with("batch/") && kind.ends_with("/Job")
}

/// The job of an entry that says that it was made: `shop/migrate(created)`.
fn made_job(item: &str) -> Option<String> {
    let made = ["(created)", "(updated)"].iter().find_map(|word| item.strip_suffix(word));
    made.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_has_run() {
        assert_eq!(made_job("shop/migrate(created)").as_deref(), Some("shop/migrate"));
        assert_eq!(made_job("shop/migrate(updated)").as_deref(), Some("shop/migrate"));
        assert_eq!(made_job("shop/migrate(failed)"), None);
        assert!(
            is_job("batch/v1/Job") && !is_job("batch/v1/CronJob") && !is_job("example.com/v1/Job")
        );
    }
}

//! Jobs that an earlier run of this restore made, and that are gone since: they ran, and are not to run
//! again.

use std::collections::BTreeSet;

use super::error::Error;
use super::identity::Identity;
use super::jobs;
use super::plan::{Plan, Verdict};
use super::resource_list::Earlier;
use crate::engine::context::Context;

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
    let is_meant = |row: &super::row::Row<'_>| {
        jobs::is_job(row.entry.resource()) && row.verdict == Verdict::Create && !row.ours
    };
    if identity.runs == 0 || !plan.rows.iter().any(is_meant) {
        return Ok(());
    }
    let earlier = Earlier::read(context, &identity.record).await.map_err(Error::Location)?;
    let made: BTreeSet<&str> = earlier.names(is_job).collect();
    let Plan { rows, preparation, .. } = plan;
    for row in rows.iter_mut().filter(|row| is_meant(row)) {
        let id = preparation.target(&row.entry.id());
        let name = format!("{}/{}", id.namespace.unwrap_or_default(), id.name);
        if made.contains(name.as_str()) {
            row.decide(Verdict::Skip, RAN);
            row.dying = false;
        }
    }
    Ok(())
}

/// Whether a kind of the list, `batch/v1/Job`, is that of jobs, in any version.
fn is_job(kind: &str) -> bool {
    kind.starts_with("batch/") && kind.ends_with("/Job")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_those_of_the_batch_group() {
        assert!(
            is_job("batch/v1/Job") && !is_job("batch/v1/CronJob") && !is_job("example.com/v1/Job")
        );
    }
}

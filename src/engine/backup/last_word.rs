//! What the log of a backup says last when somebody ends it.

use super::error::Cause;
use crate::engine::context::Holds;
use crate::engine::journal::Journal;
use crate::engine::report::chain;
use crate::engine::store::RunningLog;

/// Works until it is done or somebody ends it; then the log says so, and what came before.
///
/// Nobody writes the log whole then: its last piece holds how the frozen applications were released.
pub(super) async fn unless_ended<T>(
    holds: &Holds,
    journal: &Journal,
    log: &RunningLog<'_>,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Cause> {
    let _witness = holds.witness();
    let done = tokio::select! {
        biased;
        done = log.during(work) => done,
        () = holds.over() => Err(Cause::Interrupted),
    };
    if let Err(cause) = &done
        && holds.is_closed()
    {
        journal.last_word(&chain(cause));
        log.write_rest().await;
    }
    done
}

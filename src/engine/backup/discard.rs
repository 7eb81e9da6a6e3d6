//! Removing what an attempt left behind whose name nobody will use again.

use super::error::{Cause, Error};
use super::finish::Tools;
use super::replace::Remains;
use crate::engine::report::Problem;
use crate::engine::store::BackupState;

/// Removes what an attempt left that was not committed, its snapshots first; tells what it could not.
///
/// If the run that began it still goes on, that finds its record gone, and commits nothing. A backup
/// stays as it is, also one that is committed meanwhile.
pub async fn discard(tools: &Tools, name: &str) -> Result<Vec<Problem>, Error> {
    let found = tools.store.backup(name).await.map_err(Error::Location)?;
    let Some(BackupState::Incomplete(attempt)) = found else { return Ok(Vec::new()) };
    let (store, snapshotters) = (&tools.store, &tools.snapshotters);
    let uid = attempt.as_ref().map(|attempt| attempt.uid.as_str());
    let remains = Remains { store, snapshotters, name, uid };
    match remains.clear().await {
        Ok(problems) => Ok(problems),
        Err(Cause::Replaced | Cause::Committed) => Ok(Vec::new()),
        Err(source) => Err(Error::Broken { cleared: false, source: Box::new(source) }),
    }
}

//! The records of the backup's volumes, as far as they can be believed.

use serde::de::DeserializeOwned;

use super::error::Error;
use super::files::{CHOOSE_ANOTHER, message};
use super::inspect::Work;
use super::report::{About, Finding, RECORDS, SIDE_FILES};
use crate::engine::model::records;
use crate::engine::model::volume::{NativeSnapshot, SnapshotPhase, VolumeInfo};

/// The records of the backup's volumes; none where they cannot be believed.
#[derive(Clone, Debug, Default)]
pub(super) struct Volumes {
    pub snapshots: Option<Vec<NativeSnapshot>>,
    pub volumes: Option<Vec<VolumeInfo>>,
}

/// Reads the records, and checks names and ids in them.
pub(super) async fn read(work: &mut Work<'_>) -> Result<Volumes, Error> {
    let keys = work.keys();
    let (of_snapshots, of_volumes) = (keys.volume_snapshots(), keys.volume_info());
    let snapshots: Option<Vec<NativeSnapshot>> = list(work, &of_snapshots).await?;
    let volumes: Option<Vec<VolumeInfo>> = list(work, &of_volumes).await?;
    let fault = |key: &str, fault: Option<String>| {
        fault.map(|fault| Finding::of_file(RECORDS.0, key, fault).with_hint(CHOOSE_ANOTHER))
    };
    let backup = &work.backup;
    let snapshots_fault = snapshots.as_deref().and_then(|it| records::snapshots_fault(backup, it));
    let volumes_fault = volumes.as_deref().and_then(|it| records::volumes_fault(backup, it));
    let believed = Volumes {
        snapshots: snapshots.filter(|_| snapshots_fault.is_none()),
        volumes: volumes.filter(|_| volumes_fault.is_none()),
    };
    let faults = [fault(&of_snapshots, snapshots_fault), fault(&of_volumes, volumes_fault)];
    work.report.problems.extend(faults.into_iter().flatten());
    if let Some(snapshots) = &believed.snapshots {
        count(work, snapshots);
    }
    Ok(believed)
}

async fn list<T: DeserializeOwned>(
    work: &mut Work<'_>,
    key: &str,
) -> Result<Option<Vec<T>>, Error> {
    if work.report.is_known(key) {
        return Ok(None);
    }
    match work.store.side_file(work.digests.as_ref(), key).await {
        Ok(records) => Ok(Some(records)),
        Err(error) if error.is_damage() || error.is_not_found() => {
            let finding = Finding::of_file(SIDE_FILES.0, key, message(&error));
            work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Compares the number of snapshots with what the document says, whoever wrote it.
fn count(work: &mut Work<'_>, snapshots: &[NativeSnapshot]) {
    let completed = |it: &&NativeSnapshot| it.status.phase == Some(SnapshotPhase::Completed);
    let completed = snapshots.iter().filter(completed).count() as u64;
    let status = &work.backup.status;
    let told = (status.volume_snapshots_completed, status.volume_snapshots_attempted);
    if told != (completed, snapshots.len() as u64) {
        let message = format!(
            "its document tells of {} of {} snapshots completed, its records of {completed} of {}",
            told.0,
            told.1,
            snapshots.len()
        );
        let name = work.name().to_owned();
        let finding = Finding::of(RECORDS.0, About::Backup, name, message);
        work.report.problem(finding.with_hint(CHOOSE_ANOTHER));
    }
}

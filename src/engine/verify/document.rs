//! Whether there is a backup at all, and one that came to its end.

use super::error::Error;
use super::report::{About, DOCUMENT, Finding, VerifyReport};
use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::filter::closest;
use crate::engine::report::Phase;
use crate::engine::store::{BackupKeys, BackupState, BackupStore};

/// Reads the backup's document; none if there is nothing to look at further.
pub(super) async fn check(
    store: &BackupStore,
    name: &str,
    report: &mut VerifyReport,
) -> Result<Option<Backup>, Error> {
    let (phase, fault, hint) = match find(store, name).await? {
        BackupState::Committed(backup) => {
            report.phase = backup.phase();
            let Some((fault, hint)) = unfinished(backup.phase()) else {
                report.conclude(DOCUMENT, told(&backup));
                return Ok(Some(*backup));
            };
            (backup.phase(), fault, hint)
        }
        BackupState::Incomplete(_) => {
            let fault = "it was never finished: it runs still, or was interrupted".to_owned();
            (Phase::Incomplete, fault, how_to_finish(store, name).await?)
        }
        BackupState::Deleting => {
            let hint = format!("bowline backup delete {name} finishes that");
            (Phase::Deleting, "it is being deleted".to_owned(), hint)
        }
        BackupState::Invalid(fault) => {
            let hint = "its document was damaged, or another program wrote it: choose another \
                        backup";
            (Phase::Failed, fault, hint.to_owned())
        }
    };
    report.phase = phase;
    let is_document = matches!(phase, Phase::Failed);
    let (about, about_name) = if is_document {
        (About::File, BackupKeys(name).metadata())
    } else {
        (About::Backup, name.to_owned())
    };
    report.problem(Finding::of(DOCUMENT.0, about, about_name, fault).with_hint(hint));
    report.conclude(DOCUMENT, "it cannot be restored");
    Ok(None)
}

async fn find(store: &BackupStore, name: &str) -> Result<BackupState, Error> {
    let names = store.backup_names().await?;
    if names.iter().any(|known| known == name)
        && let Some(state) = store.backup(name).await?
    {
        return Ok(state);
    }
    let similar = closest(name, &names).map(ToOwned::to_owned);
    let location = store.url().to_owned();
    Err(Error::NotFound { name: name.to_owned(), location, similar })
}

/// Why a backup of this phase cannot be restored, and what to do; none if it can.
fn unfinished(phase: Phase) -> Option<(String, String)> {
    let hint = match phase {
        Phase::Completed | Phase::PartiallyFailed => return None,
        Phase::Failed | Phase::FailedValidation => "choose another backup",
        Phase::Deleting => "whoever made it is deleting it: choose another backup",
        _ => "wait until whoever makes it has finished it, or choose another backup",
    };
    Some((format!("its phase is {phase}: only what came to its end is restored"), hint.to_owned()))
}

async fn how_to_finish(store: &BackupStore, name: &str) -> Result<String, Error> {
    Ok(if store.is_finishable(name).await? {
        format!("if it runs no longer, bowline backup finish {name} completes it")
    } else {
        format!(
            "if it runs no longer, bowline backup create {name} --replace-incomplete clears it \
             and starts anew"
        )
    })
}

/// What was found, in a few words. What a backup says of itself that it lacks is said here, too.
fn told(backup: &Backup) -> String {
    let writer = match backup.annotation(annotations::VERSION) {
        Some(version) => format!("written by bowline {version}"),
        None => "written by Velero".to_owned(),
    };
    match backup.phase() {
        Phase::PartiallyFailed => {
            let errors = backup.status.errors;
            format!("{writer}; it lacks what its errors name ({errors})")
        }
        _ => writer,
    }
}

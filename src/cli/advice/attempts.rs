//! What the errors of a schedule's runs call for.

use super::schedules::of_template;
use super::{Advice, of_backup, of_cluster, of_store};
use crate::cli::exit::Exit;
use crate::engine::schedule::attempt::Error;

pub(super) fn of_attempt(error: &Error) -> Advice {
    match error {
        Error::Foreign { schedule, .. } => (
            Exit::Failed,
            format!(
                "is it the cluster you meant (--kubecontext)? If it is to run the schedule from now \
                 on: bowline schedule adopt {schedule}"
            )
            .into(),
        ),
        Error::TakenOver { schedule, .. } => (
            Exit::Failed,
            format!("bowline schedule describe {schedule} shows the other run").into(),
        ),
        Error::TooLate { schedule, .. } => (
            Exit::Failed,
            format!("bowline schedule trigger {schedule} makes one now").into(),
        ),
        Error::Template(error) => of_template(error),
        Error::Cluster(error) => of_cluster(error),
        Error::Location(error) => of_store(error),
        Error::Backup(error) => of_backup(error),
    }
}

//! What an error of a deployment calls for.

use super::{Advice, of_backup, of_cluster, schedules};
use crate::cli::exit::Exit;
use crate::engine::schedule::deploy;

pub(super) fn of_deployment(error: &deploy::Error) -> Advice {
    use deploy::Error as E;
    match error {
        E::Elsewhere { schedule, .. } => (
            Exit::Failed,
            format!("if it is this cluster's from now on: bowline schedule adopt {schedule}")
                .into(),
        ),
        E::Relative { .. } => (
            Exit::Usage,
            "give it hours, such as \"0 */6 * * *\", or run it with bowline schedule run".into(),
        ),
        E::Cron(error) => (Exit::Failed, error.hint().into()),
        E::Template(error) => schedules::of_template(error),
        E::Backup(error) => of_backup(error),
        E::Cluster(error) => of_cluster(error),
    }
}

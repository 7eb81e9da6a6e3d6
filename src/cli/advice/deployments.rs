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
        E::Occupied { schedule, location, .. } => (
            Exit::Failed,
            match location {
                Some(_) => format!(
                    "in one cluster give each schedule a name of its own; to have that one run here \
                     no longer: {}",
                    deploy::removal(schedule)
                ),
                None => "name another namespace (--namespace), or remove it first".to_owned(),
            }
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

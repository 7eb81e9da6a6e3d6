//! What an error of a deployment calls for.

use super::{Advice, of_backup, of_cluster};
use crate::cli::exit::Exit;
use crate::engine::schedule::{cron, deploy, template};

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
        E::Cron(error) => of_cron(error),
        E::Template(error) => of_template(error),
        E::Backup(error) => of_backup(error),
        E::Cluster(error) => of_cluster(error),
    }
}

pub(super) fn of_cron(error: &cron::Error) -> Advice {
    (Exit::Usage, error.hint().into())
}

fn of_template(error: &template::Error) -> Advice {
    let hint = match &error.source {
        template::Fault::Selector(_) => "write the selector as Velero has it".to_owned(),
        template::Fault::Duration(error) => error.hint(),
        template::Fault::Policies(error) => error.hint(),
    };
    (Exit::Usage, hint.into())
}

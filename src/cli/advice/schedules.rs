//! What the errors of schedules call for.

use super::{Advice, nearest, of_store};
use crate::cli::exit::Exit;
use crate::engine::schedule::{change, newest, template};

const LIST: &str = "bowline schedule get lists what there is";

pub(super) fn of_change(error: &change::Error) -> Advice {
    use change::Error as E;
    match error {
        E::NotFound { similar, .. } => (Exit::NotFound, nearest(similar.as_deref(), LIST)),
        E::InUse { name, .. } => (
            Exit::Failed,
            format!(
                "choose another name, or make it anew: bowline schedule delete {name} leaves its \
                 backups"
            )
            .into(),
        ),
        E::Taken { name, .. } => (
            Exit::Failed,
            format!("if it is this cluster's all the same: bowline schedule adopt {name}").into(),
        ),
        E::Contended { .. } => (Exit::Failed, "run the same command again".into()),
        E::Location(error) => of_store(error),
    }
}

pub(super) fn of_template(error: &template::Error) -> Advice {
    let hint = "another program wrote it; make the schedule anew with bowline schedule create";
    match &error.source {
        template::Fault::Policies(policies) => (Exit::Failed, policies.hint().into()),
        template::Fault::Unheeded => (
            Exit::Failed,
            "run it with the version of bowline that wrote it, or make it anew with bowline schedule \
             create"
                .into(),
        ),
        template::Fault::Selector(_) | template::Fault::Duration(_) => (Exit::Failed, hint.into()),
    }
}

pub(super) fn of_newest(error: &newest::Error) -> Advice {
    use newest::Error as E;
    match error {
        E::NoBackup { schedule, elsewhere: 1.., .. } => (
            Exit::NotFound,
            format!(
                "bowline backup get -l velero.io/schedule-name={schedule} lists those of other \
                 clusters; --from-backup restores any"
            )
            .into(),
        ),
        E::NoBackup { similar, .. } => (Exit::NotFound, nearest(similar.as_deref(), LIST)),
        E::NoneGood { schedule, partially_failed: 0, .. } => (
            Exit::Failed,
            format!(
                "bowline backup get -l velero.io/schedule-name={schedule} lists them; \
                 --from-backup restores any"
            )
            .into(),
        ),
        E::NoneGood { .. } => {
            (Exit::Failed, "--allow-partially-failed takes those in which something failed".into())
        }
        E::SeveralClusters { schedule, .. } => (
            Exit::Failed,
            format!(
                "choose one of bowline backup get -l velero.io/schedule-name={schedule}: \
                 --from-backup"
            )
            .into(),
        ),
        E::Location(error) => of_store(error),
    }
}

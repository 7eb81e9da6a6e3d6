//! What an error of a drill calls for.

use super::restores::of_restore;
use super::{Advice, of_cluster, of_store};
use crate::cli::exit::Exit;
use crate::engine::drill::{Cause, Error};

pub(super) fn of_drill(error: &Error) -> Advice {
    match error {
        Error::Restore(error) => of_restore(error),
        Error::NoNamespaces { .. } => (
            Exit::Usage,
            "a drill restores namespaces; those of the system only if they are named".into(),
        ),
        Error::NotFound { .. } => {
            (Exit::NotFound, "name a backup, or the UID of a drill of it".into())
        }
        Error::NotAllowed { .. } => (
            Exit::Unreachable,
            "nothing was made; grant that: a drill makes namespaces, and takes them down".into(),
        ),
        Error::Provider(_) => {
            (Exit::Unreachable, "nothing was made; see that the provider can be reached".into())
        }
        Error::Location(error) => of_store(error),
        Error::Cluster(error) => of_cluster(error),
        Error::Stopped => (Exit::Interrupted, "nothing was made; run it again".into()),
        Error::Broken { source, .. } => of_cause(source),
    }
}

fn of_cause(cause: &Cause) -> Advice {
    match cause {
        Cause::Interrupted => (Exit::Interrupted, "run it again to know".into()),
        Cause::Restore(_)
        | Cause::Cluster(_)
        | Cause::NamespaceTaken(_)
        | Cause::NoQuota(_)
        | Cause::TooLong
        | Cause::Evidence { .. } => (Exit::Failed, "mend the cause and run it again".into()),
    }
}

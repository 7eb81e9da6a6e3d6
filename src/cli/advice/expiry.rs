//! What errors call for that come of expiring backups and of holding them.

use super::{Advice, nearest, of_store};
use crate::cli::exit::Exit;
use crate::engine::schedule::{expire, hold};

pub(super) fn of_expire(error: &expire::Error) -> Advice {
    use expire::Error as E;
    match error {
        E::NotFound { similar, .. } => {
            let list = "bowline schedule get lists what there is";
            (Exit::NotFound, nearest(similar.as_deref(), list))
        }
        E::Location(error) => of_store(error),
    }
}

pub(super) fn of_hold(error: &hold::Error) -> Advice {
    use hold::Error as E;
    match error {
        E::NotFound { similar, .. } => {
            (Exit::NotFound, nearest(similar.as_deref(), "bowline backup get lists what there is"))
        }
        E::NotWhole { name } => {
            (Exit::Failed, format!("bowline backup describe {name} shows what it is").into())
        }
        E::Deleting { .. } => {
            (Exit::Failed, "a deletion that has begun cannot be taken back".into())
        }
        E::Location(error) => of_store(error),
    }
}

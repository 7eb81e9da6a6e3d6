//! What deleting several things by name has in common.

use serde::Serialize;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::settings::Settings;
use crate::cli::units::counted;

/// What became of one of them.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Deleted<T> {
    /// It was deleted, perhaps not all of it.
    Report(T),
    /// It was not.
    Failure {
        /// Its name.
        name: String,
        /// Why.
        error: CliError,
    },
}

/// The question before it.
pub(super) fn question(noun: &str, names: &[String], consequence: &str) -> String {
    let what = if names.len() == 1 { noun } else { &counted(names.len(), noun) };
    format!("Delete {what} {}? {consequence}", names.join(", "))
}

impl<T> Deleted<T> {
    /// What was deleted.
    pub(super) fn report(&self) -> Option<&T> {
        match self {
            Self::Report(report) => Some(report),
            Self::Failure { .. } => None,
        }
    }

    /// What became of the one of this name.
    ///
    /// The error of one among several is told at once, and the rest goes on.
    pub(super) fn of(
        settings: &Settings,
        name: &str,
        is_alone: bool,
        result: Result<T, CliError>,
    ) -> Result<Self, CliError> {
        match result {
            Ok(report) => Ok(Self::Report(report)),
            Err(error) if is_alone => Err(error),
            Err(error) => {
                settings.complain(&error);
                Ok(Self::Failure { name: name.to_owned(), error })
            }
        }
    }
}

/// How the whole ends: as all of them did, else partly failed.
pub(super) fn exit<T>(all: &[Deleted<T>], of_report: impl Fn(&T) -> Exit) -> Exit {
    let exits = all.iter().map(|deleted| match deleted {
        Deleted::Report(report) => of_report(report),
        Deleted::Failure { error, .. } => error.exit,
    });
    exits
        .reduce(|one, other| if one == other { one } else { Exit::PartlyFailed })
        .unwrap_or(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_ends_as_all_of_them_did() {
        let ends = |exits: &[Exit]| {
            let all: Vec<Deleted<Exit>> = exits.iter().map(|exit| Deleted::Report(*exit)).collect();
            exit(&all, |exit| *exit)
        };
        assert_eq!(ends(&[Exit::Done, Exit::Done]), Exit::Done);
        assert_eq!(ends(&[Exit::Failed, Exit::Failed]), Exit::Failed);
        assert_eq!(ends(&[Exit::Done, Exit::Failed, Exit::Done]), Exit::PartlyFailed);
    }

    #[test]
    fn the_question_names_all_that_goes() {
        let names = ["b", "a"].map(ToOwned::to_owned);
        assert_eq!(question("backup", &names, "Gone."), "Delete 2 backups b, a? Gone.");
        assert_eq!(question("backup", &names[..1], "Gone."), "Delete backup b? Gone.");
    }
}

//! What is wrong with the configuration file, or with what is asked of it.

use std::io;
use std::path::PathBuf;

use crate::cli::advice::{Advice, did_you_mean};
use crate::cli::exit::Exit;
use crate::engine::model::{location, names};

/// What is wrong with the configuration file, or with what is asked of it.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// Nobody knows where it would be.
    #[error("there is no home directory for the configuration file")]
    NoHome,
    /// It cannot be read or written.
    #[error("failed to {operation} \"{}\"", path.display())]
    File { operation: &'static str, path: PathBuf, source: io::Error },
    /// It is not what it should be.
    #[error("{}:{line}: {reason}", path.display())]
    Invalid { path: PathBuf, line: usize, reason: String, hint: String },
    /// A location in it is none.
    #[error("{}:{line}: location \"{name}\" is not valid", path.display())]
    InvalidLocation { path: PathBuf, line: usize, name: String, source: Box<location::Error> },
    /// A name that no location can have.
    #[error("the location's name is not valid")]
    InvalidName(#[from] names::Invalid),
    /// There is no location of this name.
    #[error("location \"{name}\" does not exist in {}", path.display())]
    UnknownLocation { name: String, path: PathBuf, similar: Option<String> },
    /// There is one of this name already.
    #[error("location \"{name}\" exists already in {}", path.display())]
    NameInUse { name: String, path: PathBuf },
}

impl Error {
    /// How the program ends, and what would help.
    pub(in crate::cli) fn advice(&self) -> Advice {
        match self {
            Self::NoHome => (Exit::Usage, "set $HOME or $XDG_CONFIG_HOME".into()),
            Self::File { .. } => (Exit::Failed, "check who may read and write it".into()),
            Self::Invalid { hint, .. } => (Exit::Usage, hint.clone().into()),
            Self::InvalidLocation { source, .. } => (Exit::Usage, source.hint().into()),
            Self::InvalidName(error) => (Exit::Usage, error.hint().into()),
            Self::UnknownLocation { similar: Some(similar), .. } => {
                (Exit::NotFound, did_you_mean(similar).into())
            }
            Self::UnknownLocation { .. } => (
                Exit::NotFound,
                "bowline location get lists what there is; a URL looks like file:///var/backups"
                    .into(),
            ),
            Self::NameInUse { .. } => {
                (Exit::Failed, "choose another name, or delete that one first".into())
            }
        }
    }
}

//! The configuration file: locations by name.
//!
//! `$XDG_CONFIG_HOME/bowline/config.toml`:
//!
//! ```toml
//! default = "lab"
//!
//! [locations.lab]
//! url = "s3://bucket/prefix"
//! region = "eu-west-1"
//! ```

mod edit;
mod error;
mod read;

use std::path::PathBuf;

use toml_edit::DocumentMut;

pub(super) use error::Error;

use crate::engine::model::filter::closest;
use crate::engine::model::location::Location;

/// The configuration file, read and found valid.
#[derive(Clone, Debug)]
pub(super) struct Config {
    path: PathBuf,
    document: DocumentMut,
    /// The locations, in the order of the file.
    pub locations: Vec<Named>,
    /// The name of the location that is used where none is asked for.
    pub default: Option<String>,
}

/// A location that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub name: String,
    pub location: Location,
}

impl Config {
    /// The location of this name.
    pub(super) fn location(&self, name: &str) -> Result<&Location, Error> {
        let found = self.locations.iter().find(|named| named.name == name);
        found.map(|named| &named.location).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> Error {
        let names = self.locations.iter().map(|named| named.name.as_str());
        Error::UnknownLocation {
            name: name.to_owned(),
            path: self.path.clone(),
            similar: closest(name, names).map(ToOwned::to_owned),
        }
    }
}

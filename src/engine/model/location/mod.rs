//! Where backups lie: one URL.

mod directory;
mod error;
mod options;
mod place;
mod s3;

pub use error::Error;
pub use options::KEYS;
pub use place::Location;
pub use s3::{Encryption, S3Location};

//! The example application of `docs/examples/lab.yaml`, with real files on its volumes.

mod deploy;
mod files;
mod volumes;

pub use deploy::{CLAIMS, MANIFEST, NAMESPACE, deploy, wait_until_up};
pub use files::{Entry, Kind, Tree, read_tree, write_tree};
pub use volumes::{handles, read_files, volumes, write_files};

//! What differs between a backup and another one, or the cluster, by the eyes of a restore.
//!
//! Both sides are prepared as a restore would, so that what servers and controllers fill in does not
//! count; what no restore brings back is left out, and so is what controllers make again. A part of
//! restores, as it is their plan without an order to carry it out.

mod backups;
mod cluster;
mod document;
mod restored;
mod scope;

pub use backups::backups;
pub use cluster::cluster;
pub use document::{
    Change, ChangeKind, ChangedField, DiffFooter, DiffHeader, DiffReader, NotCompared,
};
pub use scope::Filter;

//! What is written to a location is what Velero reads and writes, fact by fact.

mod archive;
mod documents;
mod fixture;
pub(crate) mod layout;
mod restores;
#[path = "../../format/shape.rs"]
mod shape;
mod velero;

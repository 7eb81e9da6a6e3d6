//! The `tar.gz` of a backup, both ways. Knows no cluster and no bucket.
//!
//! [`Writer`] makes an archive as Velero writes it, as a row of gzip members, and an index that
//! tells where each item lies. [`read`] goes once through an archive of any origin, trusts nothing
//! in it and never unpacks it into a directory; [`read_parts`] reads no more of our own archives than
//! the members that somebody needs, by their [`Index`].

mod block;
mod contents;
mod digest;
mod entry;
mod error;
mod gzip;
mod index;
mod item;
mod limits;
mod path;
mod reader;
mod table;
mod tar_reader;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod unpack;
mod writer;

pub use contents::{Contents, Ignored, IgnoredEntry};
pub use entry::Entry;
pub use error::Error;
pub use gzip::check_gzip;
pub use index::{Index, Parts, Unfit, read_parts};
pub use limits::Limits;
pub use reader::read;
pub use writer::{Writer, Written};

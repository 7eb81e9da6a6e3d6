//! S3: a bucket, or the part of it below a prefix, as an object store.
//!
//! Every call goes through [`retry`], which alone decides what is tried again; the SDK's own retries
//! are off, since they can't tell a write whose reply was lost from one that was refused. Where an
//! attempt may have had its effect and a later one is told that the key is taken, the object is read
//! back: our own bytes are success.
//!
//! Stores that speak S3 without conditional writes or SHA-256 checksums are used as well as they
//! can be, see [`terms`]; each such lack becomes a notice.

mod abort;
mod checksum;
mod client;
mod error;
mod list;
mod options;
mod parts;
mod presign;
mod protection;
mod read;
mod region;
mod retry;
mod session;
mod store;
mod terms;
#[cfg(test)]
mod tests;
mod upload;
mod write;

pub use options::{Encryption, S3Options};
pub use store::S3Store;

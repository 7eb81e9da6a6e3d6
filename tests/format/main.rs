//! The format on storage, without a cluster: files that Velero itself wrote.

#![expect(clippy::unwrap_used, reason = "test code")]

mod documents;
mod shape;

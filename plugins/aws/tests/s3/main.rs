//! S3 stores, from outside, on a real server: the conformance suite, and what is theirs alone.
#![expect(clippy::unwrap_used, reason = "test code")]

mod conformance;
mod refused;
mod server;
mod upload;
mod whole;

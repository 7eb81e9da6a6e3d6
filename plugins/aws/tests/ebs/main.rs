//! The EBS snapshotter on an EC2 server.
#![expect(clippy::unwrap_used, reason = "test code")]

mod conformance;
mod connection;
mod figures;
mod fixture;

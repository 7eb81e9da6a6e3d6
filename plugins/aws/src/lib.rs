//! S3 as an object store, and EBS as a snapshotter of volumes.

#[cfg(feature = "sdk")]
mod connection;
#[cfg(feature = "ec2")]
mod ebs;
#[cfg(feature = "s3")]
mod s3;

#[cfg(feature = "sdk")]
pub use connection::Connection;
#[cfg(feature = "ec2")]
pub use ebs::{EbsOptions, EbsSnapshotter};
#[cfg(feature = "s3")]
pub use s3::{Encryption, S3Options, S3Store};

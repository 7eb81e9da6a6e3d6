//! A stand-in for a dynamic provisioner: it makes the volumes of the class `standard`.
//!
//! It runs in every cluster, so that a test can tell a volume that was restored from an empty one
//! that somebody had made. Volumes are directories of this host, or lie in EC2, where it does what
//! the EBS CSI driver does.

mod ebs;
mod host_path;
mod objects;
mod worker;

pub use ebs::DRIVER;
pub use host_path::NAME;
pub use worker::{CLASS, Provisioned, Storage};

pub(crate) use ebs::ZONE_LABEL;
pub(crate) use host_path::host_path;
pub(crate) use worker::Provisioner;

//! Real components for tests, the demo and the workbench.
//!
//! A [`ControlPlane`] is etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok,
//! built from their Go modules ([`tools`]) and run on this machine ([`process`]). The [`cloud`] is
//! an S3 and an EC2 server. The [`lab`] is the example application with real files on its volumes.
//! [`Bowline`] runs the built binary in a sandbox; this crate never links it.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "test code: reads the environment and tells what it builds"
)]

pub mod backend;
mod background;
mod bowline;
pub mod cache;
mod certificates;
pub mod checkout;
pub mod cloud;
pub mod control_plane;
pub mod faults;
mod hex;
mod http_client;
pub mod lab;
mod output;
pub mod ports;
pub mod process;
pub mod provisioner;
mod startup;
pub mod tools;
mod velero;
pub mod wait;

pub use backend::Backend;
pub use bowline::{Bowline, Running};
pub use cloud::{Cloud, Ec2, Ec2Server, S3, S3Server};
pub use control_plane::ControlPlane;
pub use faults::FaultProxy;
pub use output::Output;
pub use velero::VeleroBackup;

//! Real components for tests, the demo and the workbench.
//!
//! A [`ControlPlane`] is etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok,
//! built from their Go modules ([`tools`]) and run on this machine ([`process`]). The [`lab`] is
//! the example application with real files on its volumes. [`Bowline`] runs the built binary in
//! a sandbox; this crate never links it.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "test code: reads the environment and tells what it builds"
)]

mod bowline;
pub mod cache;
mod certificates;
pub mod checkout;
pub mod control_plane;
mod hex;
pub mod lab;
mod output;
pub mod ports;
pub mod process;
pub mod provisioner;
pub mod tools;
pub mod wait;

pub use bowline::{Bowline, Running};
pub use control_plane::ControlPlane;
pub use output::Output;

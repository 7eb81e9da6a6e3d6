//! A whole Kubernetes control plane with one fake node, on this machine.

mod components;
mod objects;
mod plane;

pub use plane::{ControlPlane, Options, write_kubeconfig};

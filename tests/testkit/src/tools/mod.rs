//! The programs that the testkit runs: found in the cache, or built into it.
//!
//! Each part is found apart, so that a test of S3 does not build Kubernetes.

mod build;
mod go;
mod programs;
mod python;

pub use programs::{Kubernetes, kubernetes, moto, promrules, versitygw};

//! bowline: backup and restore for Kubernetes applications and their volumes.

pub mod cli;
pub mod engine;

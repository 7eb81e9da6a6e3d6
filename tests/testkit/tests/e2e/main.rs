//! The testkit on real components.

mod control_plane;
mod demo;
mod ebs;
mod harness;
mod lab;
mod servers;
mod testenv;
mod velero;

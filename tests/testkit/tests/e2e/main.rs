//! The testkit on real components.

mod control_plane;
mod demo;
mod harness;
mod lab;
mod testenv;

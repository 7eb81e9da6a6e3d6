//! EBS: snapshots of volumes, and volumes from snapshots.
//!
//! `CreateSnapshot` knows no client token, and replies get lost. So everything that is made carries
//! the token of its request as a tag, and is looked for by that tag before it is made and before it
//! is made again. Questions that come at the same time share one call, calls keep to the rates that
//! EC2 publishes, and what EC2 says in reply is taken by its meaning: see `fault`.

mod batch;
mod client;
mod complete;
mod consistency;
mod describe;
#[cfg(test)]
mod fake;
mod fault;
mod ids;
mod make;
mod options;
mod order;
mod pace;
mod persistent_volume;
mod recorded;
mod retry;
mod rights;
mod snapshots;
mod snapshotter;
mod tags;
#[cfg(test)]
mod tests;
mod volumes;

pub use options::EbsOptions;
pub use snapshotter::EbsSnapshotter;

//! The only place that talks to a Kubernetes API server.
//!
//! [`Cluster`] holds one connection pool, a bound on requests in flight, a deadline for every
//! request (the reading of its reply included) and the rules by which a request is tried again.
//! Objects go in and out as JSON, never through typed structs, which would drop unknown fields.

mod access;
mod apply;
mod catalog;
mod client;
mod discovery;
mod error;
mod exec;
#[cfg(test)]
pub(crate) mod fake;
mod flow;
mod identity;
mod kubeconfig;
mod list;
mod objects;
mod page;
mod path;

mod refusal;
mod retry;
mod share;
#[cfg(test)]
mod tests;
mod wait;
mod wire;

pub use access::Review;
pub use client::{Cluster, Options};
pub use error::Error;
pub use exec::{Captured, End, Exec, Executed};
pub use identity::{Nodes, Version};
pub use kubeconfig::contexts;
pub use list::{ListScope, Page};
pub use objects::{Created, Creation, Deletion, FIELD_MANAGER, Object, Propagation};
pub use page::Listed;

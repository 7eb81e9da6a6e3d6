//! Which objects are meant: by namespace, by kind, by label.
//!
//! The rules are those of Velero's include and exclude lists, with one correction: without any
//! filter *all* cluster-scoped kinds are taken.

mod error;
mod filters;
mod namespaces;
mod pattern;
mod resources;
mod suggestion;

pub use error::Error;
pub use filters::Filters;
pub use namespaces::NamespaceFilter;
pub use resources::ResourceFilter;
pub use suggestion::closest;

//! Which objects are meant: by namespace, by kind, by label.
//!
//! The rules are those of Velero's include and exclude lists, with one correction: without any
//! filter *all* cluster-scoped kinds are taken. There are two sets of lists of kinds, which are never
//! mixed: [`KindFilter`].

mod error;
mod filters;
mod kinds;
mod namespaces;
mod order;
mod pattern;
mod resources;
mod status;
mod suggestion;

pub use error::Error;
pub use filters::Filters;
pub use kinds::{KindFilter, KindLists};
pub use namespaces::NamespaceFilter;
pub use order::Order;
pub use resources::{ResourceFilter, Scope};
pub use status::StatusFilter;
pub use suggestion::closest;

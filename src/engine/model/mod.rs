//! Plain data: what is asked, what is recorded, and the tables of kinds. No I/O, no async.

pub mod backup;
pub mod digest;
pub mod duration;
pub mod fields;
pub mod filter;
mod kind;
pub mod kinds;
pub mod location;
mod meta;
pub mod names;
pub mod relations;
pub mod restore;
pub mod results;
pub mod selector;
pub mod started;
pub mod tombstone;
pub mod volume;
pub mod zones;

pub use fields::Object;
pub use kind::{Catalog, Kind};
pub use meta::{Meta, OwnerReference};

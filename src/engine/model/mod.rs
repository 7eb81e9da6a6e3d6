//! Plain data: what is asked, what is recorded, and the tables of kinds. No I/O, no async.

pub mod backup;
pub mod conversion;
pub mod difference;
pub mod digest;
pub mod duration;
pub mod fields;
pub mod filter;
pub mod hooks;
pub mod json;
mod kind;
pub mod kinds;
pub mod location;
pub mod log_line;
mod meta;
pub mod modifier;
pub mod names;
pub mod policy;
pub mod records;
pub mod relations;
pub mod restore;
pub mod results;
pub mod selector;
pub mod shared;
pub mod snapshot;
pub mod started;
pub mod tombstone;
pub mod topology;
pub mod volume;
pub mod zones;

pub use fields::Object;
pub use kind::{Catalog, Kind};
pub use meta::{Meta, OwnerReference};

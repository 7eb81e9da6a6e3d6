//! Volume policies: Velero's resource policies, read strictly.
//!
//! ```yaml
//! version: v1
//! volumePolicies:
//! - conditions:
//!     storageClass: [scratch]
//!     capacity: "0,10Gi"
//!   action:
//!     type: skip
//! ```
//!
//! All conditions of a policy must hold, and the first policy whose conditions do decides. What
//! Velero ignores or never matches (a type of volume that is misspelt, a condition left empty) is
//! refused here, since nobody wants a policy without effect.

mod condition;
mod config_map;
mod error;
mod facts;
mod node;
mod policies;
mod quantity;
mod read;
#[cfg(test)]
mod tests;
mod volume_type;

pub use condition::{CapacityRange, Condition};
pub use config_map::only_text;
pub use error::{Error, Fault, Origin};
pub(in crate::engine::model) use node::{Node, document};
pub(in crate::engine::model) use read::check_version;

pub use facts::{Backing, VolumeFacts};
pub use policies::{Action, Policies, Policy, Verdict};
pub use quantity::Quantity;
pub use volume_type::VolumeType;

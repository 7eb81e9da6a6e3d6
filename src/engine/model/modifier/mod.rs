//! Resource modifiers: Velero's, read strictly.
//!
//! ```yaml
//! version: v1
//! resourceModifierRules:
//! - conditions:
//!     groupResource: deployments.apps
//!     resourceNameRegex: "^web-.*$"
//!     namespaces: [shop]
//!   patches:
//!   - operation: replace
//!     path: "/spec/replicas"
//!     value: "1"
//! ```
//!
//! A rule holds where all of its conditions do, of the object as it would be restored without any rule;
//! it has JSON patches, JSON merge patches or strategic merge patches. Names and namespaces are those in
//! the backup. What Velero would ignore or stumble over later (two sorts of patches in a rule, a value
//! that is no JSON) is refused here.

mod changes;
mod conditions;
mod patch;
mod read;
mod rules;
mod strategic;
#[cfg(test)]
mod tests;
mod value;

pub use changes::changed_paths;
pub use conditions::Conditions;
pub use patch::{Patch, Unfit};
pub use rules::{Modifiers, Rule};

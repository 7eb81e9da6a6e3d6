//! The tables of kinds: when each is restored, which never come back, which their owners make again.

mod generated;
mod never;
mod order;
mod remade;
mod step;

pub use generated::{is_finished, is_generated_token, never_restored_object};
pub use never::{never_restored, only_when_named};
pub use remade::remakes;
pub use step::{Step, awaits_readiness, is_outward, step};

use bowline_api::GroupResource;

/// Whether a name in a table, `deployments.apps` or `*.velero.io`, stands for this resource.
fn names(entry: &str, resource: &GroupResource) -> bool {
    let (plural, group) = entry.split_once('.').unwrap_or((entry, ""));
    group == resource.group && (plural == "*" || plural == resource.resource)
}

/// Whether a row of a table stands for this resource.
fn lists(entries: &[&str], resource: &GroupResource) -> bool {
    entries.iter().any(|entry| names(entry, resource))
}

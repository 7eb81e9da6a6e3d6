//! The tables of kinds: when each is restored, which never come back, which their owners make again,
//! and what those of the API server itself are called.

mod built_in;
mod generated;
mod never;
mod order;
mod outward;
mod pod_spec;
mod remade;
mod status;
mod step;

pub use built_in::{BuiltIn, built_in, is_built_in_group};
pub use generated::{FINISHED_JOB, is_finished, is_generated_token, never_restored_object};
pub use never::{never_restored, only_when_named};
pub use outward::acts_outward;
pub use pod_spec::pod_spec;
pub use remade::{is_remade, remakes};
pub use status::{status_never_restored, works_status_out};
pub use step::{Step, awaits_readiness, step};

use bowline_api::GroupResource;

/// The kinds that the tables name, `deployments.apps`: those that most clusters have.
pub fn usual() -> impl Iterator<Item = &'static str> {
    let resources = order::ROWS.iter().flat_map(|row| row.resources);
    resources.copied().filter(|resource| !resource.starts_with('*'))
}

/// Whether a name in a table, `deployments.apps` or `*.velero.io`, stands for this resource.
fn names(entry: &str, resource: &GroupResource) -> bool {
    let (plural, group) = entry.split_once('.').unwrap_or((entry, ""));
    group == resource.group && (plural == "*" || plural == resource.resource)
}

/// Whether a row of a table stands for this resource.
fn lists(entries: &[&str], resource: &GroupResource) -> bool {
    entries.iter().any(|entry| names(entry, resource))
}

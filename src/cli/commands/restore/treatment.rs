//! What a restore does to objects on their way, and to what is in their way.

use clap::ValueEnum;

use super::alteration::AlterationArgs;
use crate::cli::error::CliError;
use crate::cli::values;
use crate::engine::model::restore::{ExistingResourcePolicy, RestoreSpec};

/// Flags that say how objects come back.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Objects")]
pub struct TreatmentArgs {
    /// What becomes of an object that exists and differs: left as it is, changed to what the backup
    /// holds, or deleted and made anew where that is safe for its kind
    #[arg(long, value_name = "POLICY", value_enum, default_value_t)]
    pub existing_resource_policy: Policy,
    /// Keep the node ports of services, those that the old cluster chose, too (default: only those
    /// that somebody chose)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub preserve_nodeports: Option<bool>,
    /// In what objects differ from the recorded ones.
    #[command(flatten)]
    pub alteration: AlterationArgs,
    /// Bring what acts outward, too, where the original lives beside its clone: Ingress and routes,
    /// jobs and cron jobs, custom resources, names for DNS, load balancers
    #[arg(long)]
    pub include_outward: bool,
    /// Replace claims that something made first, with a volume that nothing mounts
    #[arg(long)]
    pub take_over_claims: bool,
    /// Bring jobs back that had finished, as finished
    #[arg(long)]
    pub restore_finished_jobs: bool,
    /// Workloads of the target that are scaled down while the restore works, and up again
    #[arg(long, value_name = "NAMESPACE/NAME", value_delimiter = ',',
          value_parser = values::workload)]
    pub quiesce: Vec<String>,
}

/// What becomes of an object that exists and differs.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Policy {
    /// It is left as it is.
    #[default]
    None,
    /// It is changed to what the backup holds.
    Update,
    /// It is deleted and made anew, where that is safe for its kind.
    Recreate,
}

impl TreatmentArgs {
    /// Adds what these flags say to what a restore is asked for.
    pub(super) fn into_spec(self, spec: RestoreSpec) -> Result<RestoreSpec, CliError> {
        self.alteration.into_spec(RestoreSpec {
            existing_resource_policy: match self.existing_resource_policy {
                Policy::None => None,
                Policy::Update => Some(ExistingResourcePolicy::Update),
                Policy::Recreate => Some(ExistingResourcePolicy::Recreate),
            },
            preserve_node_ports: self.preserve_nodeports,
            include_outward: self.include_outward,
            take_over_claims: self.take_over_claims,
            restore_finished_jobs: self.restore_finished_jobs,
            quiesce: self.quiesce,
            ..spec
        })
    }
}

//! How volumes are snapshotted and made.

use crate::Connection;

/// How volumes are snapshotted and made.
#[derive(Clone, Debug, Default)]
pub struct EbsOptions {
    /// How EC2 is reached.
    pub connection: Connection,
    /// The KMS key of new volumes, in place of the recorded one.
    pub kms_key_id: Option<String>,
    /// The name of the cluster that new volumes are for, as the CSI driver's tags have it.
    pub cluster_name: Option<String>,
    /// Accounts whose snapshots may be used besides the caller's own.
    pub trusted_accounts: Vec<String>,
}

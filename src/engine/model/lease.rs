//! A lease: who runs a schedule now.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// `metadata/bowline/leases/<schedule>.json`: the last who took it, and whether it is over.
///
/// It stands for `duration_seconds` from when it was written, by the store's clock, and is written
/// anew for as long as its run goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LeaseRecord {
    /// Who has it: the machine and the process.
    pub holder: String,
    /// The identity of the run that it is for.
    pub uid: String,
    /// The backup that the run makes.
    pub backup: String,
    /// When the run was due; none if somebody asked for it.
    pub due: Option<Timestamp>,
    /// How long it stands unless it is renewed.
    pub duration_seconds: u32,
    /// How often it was renewed; so that no two of its versions are alike.
    pub renewals: u64,
    /// Whether it was given back.
    pub released: bool,
}

impl LeaseRecord {
    /// How long a lease stands unless it is renewed, in seconds: so long a run that is killed keeps
    /// another from beginning.
    pub const DURATION: u32 = 120;

    /// What stands in for a lease that is damaged: whose it is nobody knows, and it runs out as any.
    pub fn unreadable() -> Self {
        Self {
            holder: "an unknown process (its lease cannot be read)".to_owned(),
            uid: String::new(),
            backup: "an unknown run".to_owned(),
            due: None,
            duration_seconds: Self::DURATION,
            renewals: 0,
            released: false,
        }
    }

    /// Whether it says whose it is.
    pub fn is_readable(&self) -> bool {
        !self.uid.is_empty()
    }

    /// How long it stands unless it is renewed.
    pub fn duration(&self) -> SignedDuration {
        SignedDuration::from_secs(self.duration_seconds.into())
    }
}

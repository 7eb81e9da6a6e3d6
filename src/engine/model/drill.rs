//! A drill: a backup that was restored only to see whether it can be, and what that showed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::backup::ProviderRecord;
use super::digest;
use crate::engine::report::RestoreReport;

/// The label of the namespaces of a drill: its identity.
pub const DRILL_LABEL: &str = "bowline.io/drill-uid";

/// The longest name of a namespace.
const LONGEST: usize = 63;

/// `begun.json`: what a drill is about to make, so that whoever comes after it can take that down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillRecord {
    /// The backup.
    pub backup: String,
    /// The identity of the backup.
    #[serde(rename = "backupUID")]
    pub backup_uid: String,
    /// The identity of the drill.
    pub uid: String,
    /// The identity of the cluster that it is in.
    #[serde(rename = "clusterUID")]
    pub cluster_uid: String,
    /// The restore that brings the backup back.
    pub restore: String,
    /// The namespaces of the backup, and those made for them.
    pub namespaces: BTreeMap<String, String>,
    /// The volumes that may be made.
    pub volumes: Vec<DrillVolume>,
    /// Whether it is left as it is at its end.
    pub keep: bool,
    /// The version of bowline.
    pub version: String,
    /// When it began.
    pub start_timestamp: Timestamp,
    /// When it has come to its end at the latest, if nothing killed it.
    pub until: Timestamp,
}

/// A volume that a drill may make, by what was backed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillVolume {
    /// Who makes it, and where: from elsewhere it cannot be told whether it is there.
    #[serde(flatten)]
    pub provider: ProviderRecord,
    /// The volume that was backed up.
    #[serde(rename = "volumeID")]
    pub volume_id: String,
    /// Its persistent volume.
    pub persistent_volume: String,
}

/// `evidence.json`: what a drill showed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DrillEvidence {
    /// The backup.
    pub backup: String,
    /// The identity of the backup.
    #[serde(rename = "backupUID")]
    pub backup_uid: String,
    /// The SHA-256 of its archive, as the backup names it; null where it names none.
    #[serde(rename = "archiveSHA256")]
    pub archive_sha256: Option<String>,
    /// The identity of the drill.
    pub uid: String,
    /// The identity of the cluster that it was in.
    #[serde(rename = "clusterUID")]
    pub cluster_uid: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Why it is not `Passed`.
    pub reason: Option<String>,
    /// The namespaces of the backup, and those made for them.
    pub namespaces: BTreeMap<String, String>,
    /// What came of the restore; null if it broke off.
    pub restore: Option<RestoreReport>,
    /// What the check said; null if none was asked for, or it did not come to that.
    pub check: Option<Checked>,
    /// When it began.
    pub start_timestamp: Timestamp,
    /// When that was known.
    pub completion_timestamp: Timestamp,
}

/// What a drill comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Verdict {
    /// All of it came up, and the check says so, too.
    Passed,
    /// Something did not come back, did not come up, or the check failed.
    Failed,
    /// It did not come to its end: nothing is shown.
    Interrupted,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::Failed => "Failed",
            Self::Interrupted => "Interrupted",
        }
    }
}

/// What a check said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The command.
    pub command: String,
    /// Its exit code; null if it had none.
    pub exit_code: Option<i32>,
    /// What became of it, where it had no exit code.
    pub fault: Option<String>,
    /// What it wrote, of much the end.
    pub output: String,
    /// For how many seconds it ran.
    pub seconds: u64,
}

impl Checked {
    /// Whether it is content.
    pub fn is_passed(&self) -> bool {
        self.exit_code == Some(0)
    }
}

/// `down.json`: nothing is left of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenDown {
    /// The identity of the drill.
    pub uid: String,
    /// When that was seen.
    pub timestamp: Timestamp,
    /// The version of bowline.
    pub version: String,
}

/// A drill that the location knows of.
#[derive(Clone, Debug)]
pub struct Drill {
    /// What it was about to make.
    pub record: DrillRecord,
    /// What it showed; none if it runs, or was killed.
    pub evidence: Option<DrillEvidence>,
    /// Whether nothing is left of it.
    pub is_down: bool,
}

impl Drill {
    /// Whether it may still run at this time.
    pub fn may_run(&self, now: Timestamp) -> bool {
        !self.is_down && self.evidence.is_none() && now < self.record.until
    }
}

/// The name of the namespace that stands in for one of the backup.
///
/// Different ones for different namespaces, however long these are.
pub fn scratch(namespace: &str, uid: &str) -> String {
    let mark: String = uid.chars().take(8).collect();
    let name = format!("{namespace}-drill-{mark}");
    if name.len() <= LONGEST {
        return name;
    }
    let rest = format!("-{}-drill-{mark}", digest::short(namespace, 6));
    let kept: String = namespace.chars().take(LONGEST - rest.len()).collect();
    format!("{}{rest}", kept.trim_end_matches('-'))
}

/// The name of the restore of a drill.
pub fn restore_name(uid: &str) -> String {
    format!("drill-{uid}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::model::names;

    #[test]
    fn a_namespace_is_named_after_the_one_that_it_stands_in_for() {
        assert_eq!(scratch("shop", "0a1b2c3d-4444"), "shop-drill-0a1b2c3d");
        assert!(names::check_backup(&restore_name("0a1b2c3d-4444")).is_ok());
    }

    proptest! {
        #[test]
        fn every_namespace_gets_a_name_of_its_own(
            one in "[a-z]([a-z0-9-]{0,61}[a-z0-9])?", two in "[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
        ) {
            let [first, second] = [&one, &two].map(|it| scratch(it, "0a1b2c3d-4444"));
            prop_assert!(names::check_label(&first).is_ok(), "{first}");
            prop_assert_eq!(first == second, one == two);
        }
    }
}

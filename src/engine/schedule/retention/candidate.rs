//! What must be known of a backup, and of its schedule, to tell whether it stays.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::engine::model::backup::{Backup, annotations};
use crate::engine::model::keep::KeepRules;
use crate::engine::model::schedule::{SCHEDULE_LABEL, Schedule};
use crate::engine::report::Phase;
use crate::engine::schedule::cron::{self, Cron};

/// A backup, as far as it matters for how long it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// Whether bowline made it.
    pub is_ours: bool,
    /// The schedule that made it.
    pub schedule: Option<String>,
    /// The identity of the cluster that was backed up.
    pub cluster_uid: Option<String>,
    /// How it ended.
    pub phase: Phase,
    /// When it began.
    pub time: Option<Timestamp>,
    /// When it goes, as was asked for with `--ttl`.
    pub expiration: Option<Timestamp>,
}

/// What a schedule says about the backups of its cluster.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The identity of the schedule's cluster; the rules mean nobody else's backups.
    pub cluster_uid: String,
    /// The rules.
    pub keep: KeepRules,
    /// By whose calendar the rules count.
    pub zone: TimeZone,
}

impl Candidate {
    /// What its document tells.
    pub fn of(backup: &Backup) -> Self {
        let (metadata, status) = (&backup.metadata, &backup.status);
        Self {
            name: metadata.name.clone(),
            uid: metadata.uid.clone(),
            is_ours: backup.is_ours(),
            schedule: metadata.labels.get(SCHEDULE_LABEL).cloned(),
            cluster_uid: backup.annotation(annotations::CLUSTER_UID).map(str::to_owned),
            phase: backup.phase(),
            time: status.start_timestamp.or(metadata.creation_timestamp),
            expiration: status.expiration,
        }
    }
}

impl Policy {
    /// What a schedule says; the zone is that of its expression.
    pub fn of(schedule: &Schedule) -> Result<Self, cron::Error> {
        let terms = &schedule.bowline;
        let cron = Cron::parse(&schedule.spec.schedule, terms.timezone.as_deref());
        let zone = cron?.zone().clone();
        Ok(Self { cluster_uid: terms.cluster_uid.clone(), keep: terms.keep.clone(), zone })
    }
}

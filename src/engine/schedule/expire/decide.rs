//! What is to become of what there is.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use super::report::{BackupFate, Fate};
use super::survey::{Incomplete, Survey};
use crate::engine::report::Phase;
use crate::engine::schedule::retention::{Candidate, Judgement, Verdict, judge};
use crate::engine::store::{self, BackupStore};

/// For so long an attempt that ended without a backup is left as it is, to be looked at.
const INSPECTION: SignedDuration = SignedDuration::from_hours(24);

/// Decides about all backups, by schedule and cluster, the newest first.
pub(super) async fn decide(
    store: &BackupStore,
    survey: &Survey,
    now: Timestamp,
) -> Result<Vec<BackupFate>, store::Error> {
    let judgements = judge(&survey.candidates, &survey.policies, &survey.held, now);
    let candidates = survey.candidates.iter().zip(judgements);
    let mut fates: Vec<_> = candidates.map(|(it, judgement)| fate(it, &judgement)).collect();
    for incomplete in &survey.incomplete {
        fates.push(of_incomplete(store, survey, incomplete, now).await?);
    }
    for fate in &mut fates {
        let is_unknown = fate.schedule.as_ref().is_some_and(|name| survey.unknown.contains(name));
        if is_unknown && fate.verdict == Fate::Remove {
            fate.become_so(Fate::Keep, "its schedule cannot be read".to_owned());
        }
    }
    let deleting = survey.deleting.iter().map(|name| {
        let schedule = survey.schedule_of(name).map(str::to_owned);
        let reason = "its deletion was begun";
        BackupFate { schedule, ..BackupFate::of_name(name, Phase::Deleting, Fate::Remove, reason) }
    });
    let invalid = survey.invalid.iter().map(|(name, reason)| {
        let schedule = survey.schedule_of(name).map(str::to_owned);
        BackupFate { schedule, ..BackupFate::of_name(name, Phase::Failed, Fate::Keep, reason) }
    });
    fates.extend(deleting.chain(invalid));
    fates.sort_by_cached_key(place);
    Ok(fates)
}

/// Where a backup stands in the report.
fn place(fate: &BackupFate) -> impl Ord + use<> {
    let BackupFate { schedule, cluster_uid, start_timestamp, name, .. } = fate;
    let group = (schedule.is_none(), schedule.clone(), cluster_uid.clone());
    (group, Reverse((*start_timestamp, name.clone())))
}

fn fate(candidate: &Candidate, judgement: &Judgement) -> BackupFate {
    BackupFate {
        name: candidate.name.clone(),
        uid: Some(candidate.uid.clone()),
        schedule: candidate.schedule.clone(),
        cluster_uid: candidate.cluster_uid.clone(),
        phase: candidate.phase,
        start_timestamp: candidate.time,
        verdict: match judgement.verdict {
            Verdict::Keep => Fate::Keep,
            Verdict::Hold => Fate::Held,
            Verdict::Remove => Fate::Remove,
        },
        reasons: judgement.reasons.iter().map(ToString::to_string).collect(),
        snapshots: Vec::new(),
    }
}

/// An attempt goes only if its own run says that it came to an end, and nothing can complete it: one
/// that only seems to be dead may be waiting for a snapshot.
async fn of_incomplete(
    store: &BackupStore,
    survey: &Survey,
    Incomplete { name, attempt }: &Incomplete,
    now: Timestamp,
) -> Result<BackupFate, store::Error> {
    let schedule = survey.schedule_of(name).map(str::to_owned);
    let (verdict, reason) = if store.is_finishable(name).await? {
        (Fate::Keep, format!("not finished: bowline backup finish {name} completes it"))
    } else if attempt.is_some() && has_ended(store, schedule.as_deref(), name, now).await? {
        (Fate::Remove, "its run ended without a backup".to_owned())
    } else {
        (Fate::Keep, format!("runs still, or broke off: bowline backup delete {name} clears it"))
    };
    let fate = BackupFate::of_name(name, Phase::Incomplete, verdict, &reason);
    Ok(BackupFate {
        uid: attempt.as_ref().map(|attempt| attempt.uid.clone()),
        cluster_uid: attempt.as_ref().map(|attempt| attempt.cluster_uid.clone()),
        start_timestamp: attempt.as_ref().map(|attempt| attempt.start_timestamp),
        schedule,
        ..fate
    })
}

/// Whether the run that made it has ended, some time ago.
async fn has_ended(
    store: &BackupStore,
    schedule: Option<&str>,
    name: &str,
    now: Timestamp,
) -> Result<bool, store::Error> {
    let Some(schedule) = schedule else { return Ok(false) };
    let run = match store.schedule_run(schedule, name).await {
        Err(error) if error.is_damage() => None,
        found => found?,
    };
    let ended = run.and_then(|run| run.result).filter(|result| result.phase.is_none());
    Ok(ended.is_some_and(|it| now.duration_since(it.completion_timestamp) >= INSPECTION))
}

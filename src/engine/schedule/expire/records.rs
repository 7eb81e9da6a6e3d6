//! The records of runs, which go after their backups.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::survey::Survey;
use crate::engine::schedule::handled::Handled;
use crate::engine::store::{self, BackupStore, ScheduleKeys};

/// So long the record of a run stays at least, whatever became of its backup.
const STAY: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The runs that are long over and whose backup is gone, or never was: schedule and backup.
pub(super) fn obsolete<'a>(
    survey: &'a Survey,
    there: &BTreeSet<String>,
    now: Timestamp,
) -> Vec<(&'a str, &'a str)> {
    let is_obsolete = |schedule: &str, backup: &str| {
        let is_old = |time| now.duration_since(time) > STAY;
        !there.contains(backup) && stamp(schedule, backup).is_some_and(is_old)
    };
    let runs = survey.runs.iter();
    let runs = runs.flat_map(|(schedule, names)| {
        // Mostly by the newest a schedule knows up to when its times are handled.
        let stays = usize::from(survey.is_there(schedule));
        names.iter().rev().skip(stays).map(move |name| (schedule, name))
    });
    let runs = runs.map(|(schedule, name)| (schedule.as_str(), name.as_str()));
    runs.filter(|(schedule, backup)| is_obsolete(schedule, backup)).collect()
}

/// Whether a schedule that is there knows by this record up to when its times are handled: without it,
/// that time would be due again. What somebody asked for is newer and does not say.
pub(super) async fn is_needed(
    store: &BackupStore,
    survey: &Survey,
    run: (&str, &str),
    handled: &mut Handled,
    now: Timestamp,
) -> Result<bool, store::Error> {
    match survey.runs.get(run.0).filter(|_| survey.is_there(run.0)) {
        Some(names) => handled.rests_on(store, run, names, now).await,
        None => Ok(false),
    }
}

/// Removes the record of a run, unless the store keeps it; tells whether it did.
pub(super) async fn remove(
    store: &BackupStore,
    (schedule, backup): (&str, &str),
    now: Timestamp,
    dry_run: bool,
) -> Result<bool, store::Error> {
    let retained = store.retained(&ScheduleKeys(schedule).attempt(backup), now).await?;
    if retained.is_some() {
        return Ok(false);
    }
    if !dry_run {
        store.remove_run(schedule, backup).await?;
    }
    Ok(true)
}

/// When a run began, by the name of its backup: `<schedule>-<yyyymmddHHMMSS>-<random>`, in UTC.
fn stamp(schedule: &str, backup: &str) -> Option<Timestamp> {
    let (stamp, _random) = backup.strip_prefix(schedule)?.strip_prefix('-')?.split_once('-')?;
    let time = DateTime::strptime("%Y%m%d%H%M%S", stamp).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_backup_tells_when_its_run_began() {
        let time = Some("2026-03-01T02:00:07Z".parse().unwrap());
        assert_eq!(stamp("nightly", "nightly-20260301020007-0a1b2c"), time);
        assert_eq!(stamp("night-ly", "night-ly-20260301020007-0a1b2c"), time);
        for other in ["nightly-2026-0a1b2c", "nightly", "weekly-20260301020007-0a1b2c"] {
            assert_eq!(stamp("nightly", other), None, "{other}");
        }
    }
}

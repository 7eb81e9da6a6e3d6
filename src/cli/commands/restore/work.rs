//! Carries a restore out, and says how it is gone on with.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::plugins::SnapshotterOptions;
use crate::cli::progress::Progress;
use crate::cli::settings::Settings;
use crate::cli::table::cell;
use crate::engine::backup;
use crate::engine::event::Stage;
use crate::engine::model::restore::RestoreOptions;
use crate::engine::report::RestoreReport;
use crate::engine::restore::{Error, Request, Start};
use crate::engine::run::Engine;
use crate::engine::schedule::newest;
use crate::engine::schedule::standing::Good;
use crate::engine::store::check_name;

/// How many names are made up, one for each second, before it is given up.
const NAMES: i64 = 60;

/// The backup that is meant; the newest good one of a schedule is looked up.
pub(super) async fn backup(
    settings: &Settings,
    named: Option<&str>,
    schedule: Option<&str>,
    good: Good,
) -> Result<String, CliError> {
    let Some(schedule) = schedule else {
        let name = named.unwrap_or_default();
        check_name(name).map_err(backup::Error::InvalidName)?;
        return Ok(name.to_owned());
    };
    let found =
        newest::good_backup(&settings.store()?, schedule, good, settings.clock.now()).await?;
    let (name, phase) = (found.metadata.name.clone(), found.phase());
    let start = cell(found.status.start_timestamp);
    settings
        .note(&format!("the newest good backup of schedule {schedule}: {name} ({phase}, {start})"));
    Ok(name)
}

/// What makes a restore go on that has begun.
pub(super) fn resume(settings: &Settings, name: &str) -> String {
    let whereabouts = settings.whereabouts();
    format!("to go on, run bowline restore resume {name}{whereabouts}")
}

/// The engine that a restore is made with.
pub(super) async fn engine(
    settings: &Settings,
    progress: &Arc<Progress>,
    options: &RestoreOptions,
) -> Result<Engine, CliError> {
    settings.engine_with(progress, snapshotters(options)).await
}

/// How the volumes of a restore are made.
pub(super) fn snapshotters(options: &RestoreOptions) -> SnapshotterOptions {
    SnapshotterOptions {
        cluster_name: options.cluster_name.clone(),
        trusted_accounts: options.trusted_accounts.clone(),
        kms_key_id: options.kms_key_id.clone(),
        ..SnapshotterOptions::default()
    }
}

/// Carries a restore out that has a name.
pub(super) async fn carry_out(
    settings: &Settings,
    request: &Request,
) -> Result<RestoreReport, CliError> {
    let progress = settings.progress();
    let engine = engine(settings, &progress, &request.options).await?;
    note_interruption(settings, &progress, request);
    match progress.during(engine.create_restore(request)).await {
        Err(Error::Done { report, .. }) => {
            note_done(settings, &report);
            Ok(*report)
        }
        done => done.map_err(|error| how_to_go_on(settings, error.into())),
    }
}

/// The same command once more changes nothing, and says so.
pub(super) fn note_done(settings: &Settings, report: &RestoreReport) {
    let RestoreReport { name, phase, .. } = report;
    settings.note(&format!("restore {name} is {phase}: nothing is left to do"));
}

/// A stop says how to go on from this very place.
fn how_to_go_on(settings: &Settings, error: CliError) -> CliError {
    match settings.interruption_hint().filter(|_| error.exit == Exit::Interrupted) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Carries a restore out whose name is made up.
///
/// Two that begin within the same second would have one name: the later one takes that of the next
/// second.
pub(super) async fn carry_out_unnamed(
    settings: &Settings,
    mut request: Request,
) -> Result<RestoreReport, CliError> {
    let progress = settings.progress();
    let engine = engine(settings, &progress, &request.options).await?;
    request.start = Start::Anew;
    let mut later = 0;
    loop {
        request.name = default_name(settings, &request.spec.backup_name, later);
        settings.note(&format!(
            "this restore is named {}; should it be interrupted, it goes on under that name",
            request.name
        ));
        note_interruption(settings, &progress, &request);
        match progress.during(engine.create_restore(&request)).await {
            Err(error) if error.is_name_taken() && later < NAMES => later += 1,
            other => return other.map_err(|error| how_to_go_on(settings, error.into())),
        }
    }
}

/// As Velero names them: the backup and the time, here in UTC.
pub(super) fn default_name(settings: &Settings, backup: &str, seconds_later: i64) -> String {
    let time = settings.clock.now() + SignedDuration::from_secs(seconds_later);
    format!("{backup}-{}", time.strftime("%Y%m%d%H%M%S"))
}

/// Before anything is made there is nothing to go on with but the command.
fn note_interruption(settings: &Settings, progress: &Arc<Progress>, request: &Request) {
    let before = match request.start {
        Start::Resume => resume(settings, &request.name),
        Start::Anew => "nothing was changed yet".to_owned(),
        // Where runs of that name were before, the same command goes on with them.
        Start::Either => "this run has changed nothing yet; run it again".to_owned(),
    };
    let quiet = match &request.spec.quiesce[..] {
        [] => String::new(),
        quiet => format!("; until then, {} stays scaled down", quiet.join(" and ")),
    };
    let after = format!("{}{quiet}", resume(settings, &request.name));
    settings.if_interrupted(before);
    settings.if_interrupted_from(Stage::Restoring, progress.reached(), after);
}

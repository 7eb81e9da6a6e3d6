//! `bowline restore resume`.

use super::found::{Found, find};
use super::summary::Summary;
use super::work::{carry_out, note_done};
use crate::cli::commands::Outcome;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::cli::values;
use crate::engine::model::duration::GoDuration;
use crate::engine::model::restore::RestoreRecord;
use crate::engine::report::{Phase, RestoreReport};
use crate::engine::restore::Request;

/// What to do where nobody can read any more what was asked for.
const ANOTHER: &str = "bowline restore create makes another restore, with a name of its own: it leaves \
     what is there, and refuses claims that wait for volumes of this one; --take-over-claims replaces \
     those that nothing mounts";
/// What to do about a restore that another program made.
const MORE: &str = "bowline restore create leaves what that one made, and makes what is missing";

/// Go on with a restore that was interrupted, or in which something failed
///
/// Asks for exactly what the restore was asked for, as its record in the storage location says, so
/// that any machine will do. What is there already stays, and what could not be done is tried again.
/// Of one that is Completed nothing is left to do.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline restore resume nightly-20260301020000
  bowline restore resume nightly-20260301020000 --kubecontext west --ready-timeout 30m")]
pub struct Args {
    /// The restore's name
    pub name: String,
    /// How long what was made may take to be ready; 0 does not wait (default: as before)
    #[arg(long, value_name = "DURATION", value_parser = values::not_negative)]
    pub ready_timeout: Option<GoDuration>,
    /// Replace claims that something made first, with a volume that nothing mounts, and that the
    /// restore was not asked to replace (default: as before)
    #[arg(long)]
    pub take_over_claims: bool,
    /// In which form the report is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let found = find(settings, &settings.store()?, &args.name).await;
    let found = found.map_err(|error| unrecorded(error, &args.name))?;
    if let Some(report) = done(&found) {
        note_done(settings, report);
        print(args.output.output, report, Summary)?;
        return Ok(Exit::Done);
    }
    let record = found.record.as_ref().ok_or_else(|| unknown(&found))?;
    let request = request(record, &args)?;
    let report = carry_out(settings, &request).await?;
    print(args.output.output, &report, Summary)?;
    Ok(Exit::of_phase(report.phase))
}

/// The report of a restore that nothing is left to do of.
fn done(found: &Found) -> Option<&RestoreReport> {
    let report = found.result.as_ref()?;
    (found.phase() == Some(Phase::Completed)).then_some(report)
}

fn request(record: &RestoreRecord, args: &Args) -> Result<Request, CliError> {
    let mut request = Request::of_record(record).map_err(|error| {
        CliError::of(&error).within(format!("the record of restore \"{}\" is damaged", record.name))
    })?;
    request.spec.take_over_claims |= args.take_over_claims;
    if let Some(timeout) = args.ready_timeout {
        request.ready_timeout = timeout.to_std().unwrap_or_default();
    }
    Ok(request)
}

/// Where no record was taken that can be read from here, the cluster itself is one.
fn unrecorded(error: CliError, name: &str) -> CliError {
    if error.exit != Exit::NotFound {
        return error;
    }
    let first = error.hint.as_ref().map(|hint| format!("{hint}; ")).unwrap_or_default();
    error.with_hint(format!(
        "{first}where the location took no record, bowline restore create {name} with the flags of \
         before goes on from what is in the cluster"
    ))
}

/// What was asked is recorded neither by Velero nor where a record is damaged.
fn unknown(found: &Found) -> CliError {
    let name = &found.name;
    let error = match &found.damage {
        Some(damage) => CliError::new(Exit::VerificationFailed, damage.clone()).with_hint(ANOTHER),
        None => CliError::new(Exit::Failed, format!("restore \"{name}\" was made by Velero"))
            .with_hint(MORE),
    };
    error.within(format!("restore \"{name}\" cannot be resumed"))
}

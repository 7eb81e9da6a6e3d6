use std::fmt::Write as _;

use super::args::Args;
use super::check::ShellCheck;
use super::page::{CleanUpPage, Summary};
use crate::cli::commands::Outcome;
use crate::cli::commands::restore::plan_page::PlanTable;
use crate::cli::commands::restore::work;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::print;
use crate::cli::page::Page;
use crate::cli::settings::Settings;
use crate::engine::drill::{self, Check, DrillReport, TakeDownState, Which};
use crate::engine::model::drill::Verdict;
use crate::engine::schedule::standing::Good;

pub(in crate::cli::commands::restore) async fn run(settings: &Settings, args: Args) -> Outcome {
    match &args.clean_up {
        Some(name) => {
            let which = name.clone().map_or(Which::All, Which::Named);
            clean_up(settings, &args, &which).await
        }
        None if args.dry_run => plan(settings, args).await,
        None => carry_out(settings, args).await,
    }
}

/// The backup that is named, or the newest good one of the schedule.
async fn backup(settings: &Settings, args: &Args) -> Result<String, CliError> {
    let good = Good { partially_failed: args.allow_partially_failed };
    work::backup(settings, args.from_backup.as_deref(), args.from_schedule.as_deref(), good).await
}

async fn plan(settings: &Settings, args: Args) -> Outcome {
    let (format, backup) = (args.output.output, backup(settings, &args).await?);
    let progress = settings.progress();
    let context = settings.context(&progress, work::snapshotters(&args.options())).await?;
    let request = args.request(backup)?;
    let mut page = Page::<PlanTable>::new(format, &progress);
    match progress.during(drill::plan(&context, &request, &mut page)).await {
        Ok(footer) => {
            page.end(&footer)?;
            Ok(Exit::Done)
        }
        Err(error) => page.fail(error.into()),
    }
}

async fn carry_out(settings: &Settings, mut args: Args) -> Outcome {
    let (format, backup) = (args.output.output, backup(settings, &args).await?);
    let progress = settings.progress();
    let context = settings.context(&progress, work::snapshotters(&args.options())).await?;
    let check = match args.check.take() {
        Some(command) => {
            Some(ShellCheck::new(command, settings.kubeconfig(), settings.kubecontext())?)
        }
        None => None,
    };
    let request = args.request(backup)?;
    let clean_up = clean_up_command(settings, &request.spec.backup_name);
    settings.if_interrupted(format!("if something is left of the drill, {clean_up} removes it"));
    let check = check.as_ref().map(|check| check as &dyn Check);
    let done = progress.during(Box::pin(drill::run(&context, &request, check))).await;
    let report = done.map_err(|error| with_clean_up(error, &clean_up))?;
    print(format, &report, |report| Summary { report, clean_up: &clean_up })?;
    Ok(exit(&report))
}

fn clean_up_command(settings: &Settings, name: &str) -> String {
    format!("bowline restore drill --clean-up={name}{}", settings.whereabouts())
}

fn with_clean_up(error: drill::Error, clean_up: &str) -> CliError {
    let is_left = matches!(&error, drill::Error::Broken { left, .. } if !left.is_empty());
    let error = CliError::from(error);
    if !is_left {
        return error;
    }
    let mut hint = error.hint.clone().map(|hint| format!("{hint}; ")).unwrap_or_default();
    // Writing into a String does not fail.
    _ = write!(hint, "{clean_up} removes what is left");
    error.with_hint(hint)
}

fn exit(report: &DrillReport) -> Exit {
    match (report.evidence.verdict, report.take_down.state) {
        (Verdict::Passed, TakeDownState::Incomplete) => Exit::PartlyFailed,
        (Verdict::Passed, _) => Exit::Done,
        (Verdict::Failed | Verdict::Interrupted, _) => Exit::VerificationFailed,
    }
}

async fn clean_up(settings: &Settings, args: &Args, which: &Which) -> Outcome {
    let progress = settings.progress();
    let context = settings.context(&progress, work::snapshotters(&args.options())).await?;
    let timeout = args.take_down_timeout.to_std().unwrap_or_default();
    let report = progress.during(drill::clean_up(&context, which, timeout)).await?;
    if report.items.is_empty() && args.output.is_table() {
        settings.note("nothing is left of any drill");
        return Ok(Exit::Done);
    }
    print(args.output.output, &report, CleanUpPage)?;
    Ok(if report.is_incomplete() { Exit::PartlyFailed } else { Exit::Done })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::drill::{Cause, TakeDown};
    use crate::engine::report::Problem;

    fn report(verdict: Verdict, state: TakeDownState) -> DrillReport {
        let evidence = json!({"backup": "b", "backupUID": "b", "archiveSHA256": null, "uid": "u",
            "clusterUID": "c", "verdict": verdict, "reason": null, "namespaces": {}, "restore": null,
            "check": null, "startTimestamp": "2026-11-22T02:00:00Z",
            "completionTimestamp": "2026-11-22T02:00:00Z"});
        let take_down = TakeDown { state, left: Vec::new() };
        let evidence = serde_json::from_value(evidence).unwrap();
        DrillReport { evidence, remarks: Vec::new(), take_down }
    }

    #[test]
    fn the_exit_code_tells_what_the_drill_showed_before_what_is_left_of_it() {
        let code = |verdict, state| exit(&report(verdict, state));
        assert_eq!(code(Verdict::Passed, TakeDownState::Done), Exit::Done);
        assert_eq!(code(Verdict::Passed, TakeDownState::Kept), Exit::Done);
        assert_eq!(code(Verdict::Passed, TakeDownState::Incomplete), Exit::PartlyFailed);
        assert_eq!(code(Verdict::Failed, TakeDownState::Incomplete), Exit::VerificationFailed);
        assert_eq!(code(Verdict::Failed, TakeDownState::Done), Exit::VerificationFailed);
    }

    #[test]
    fn a_drill_that_broke_off_says_what_takes_down_the_rest_if_there_is_any() {
        let hint = |left: Vec<Problem>| {
            let (backup, uid) = ("nightly".to_owned(), "u".to_owned());
            let broken =
                drill::Error::Broken { backup, uid, left, source: Box::new(Cause::TooLong) };
            with_clean_up(broken, "CLEAN").hint.unwrap_or_default()
        };
        assert!(!hint(Vec::new()).contains("CLEAN"));
        let left = vec![Problem::of_run("take down", "a volume is left".to_owned())];
        assert!(hint(left).ends_with("; CLEAN removes what is left"));
    }
}

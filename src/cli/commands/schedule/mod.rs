//! `bowline schedule`.

pub(in crate::cli) mod adopt;
pub(in crate::cli) mod check;
mod create;
pub(in crate::cli) mod delete;
mod deploy;
pub(in crate::cli) mod describe;
mod get;
pub(in crate::cli) mod pause;
mod run;
mod station;
mod trigger;
pub(in crate::cli) mod view;
mod which;

use clap::Subcommand;

pub(super) use create::Args as CreateArgs;
pub(super) use delete::Args as DeleteArgs;
pub(super) use describe::Args as DescribeArgs;
pub(super) use get::Args as GetArgs;
pub(super) use pause::{PauseArgs, UnpauseArgs};

use super::Outcome;
use crate::cli::output::OutputFormat;
use crate::cli::settings::Settings;

/// Have backups made by the clock, and expire
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  bowline schedule create nightly --schedule '0 2 * * *' --keep-daily 7
  bowline schedule deploy nightly
  bowline schedule get")]
pub enum Command {
    Create(Box<create::Args>),
    Deploy(deploy::Args),
    #[command(visible_alias = "list")]
    Get(get::Args),
    Describe(describe::Args),
    Check(check::Args),
    Trigger(trigger::Args),
    #[command(alias = "suspend")]
    Pause(PauseArgs),
    #[command(alias = "resume")]
    Unpause(UnpauseArgs),
    Adopt(adopt::Args),
    Delete(delete::Args),
    Run(run::Args),
}

impl Command {
    /// In which form the command prints.
    pub fn format(&self) -> OutputFormat {
        match self {
            Self::Create(args) => args.output.output,
            Self::Deploy(args) => args.output.output,
            Self::Get(args) => args.output.output,
            Self::Describe(args) => args.output.output,
            Self::Check(args) => args.output.output,
            Self::Trigger(args) => args.output.output,
            Self::Pause(args) => args.output.output,
            Self::Unpause(args) => args.output.output,
            Self::Adopt(args) => args.output.output,
            Self::Delete(args) => args.output.output,
            Self::Run(_) => OutputFormat::Table,
        }
    }
}

#[expect(clippy::future_not_send, reason = "the runner is one task")]
pub(in crate::cli) async fn run(settings: &Settings, command: Command) -> Outcome {
    match command {
        Command::Create(args) => Box::pin(create::run(settings, *args)).await,
        Command::Deploy(args) => Box::pin(deploy::run(settings, args)).await,
        Command::Get(args) => get::run(settings, args).await,
        Command::Describe(args) => describe::run(settings, args).await,
        Command::Check(args) => check::run(settings, args).await,
        Command::Trigger(args) => Box::pin(trigger::run(settings, args)).await,
        Command::Pause(args) => pause::pause(settings, args).await,
        Command::Unpause(args) => pause::unpause(settings, args).await,
        Command::Adopt(args) => adopt::run(settings, args).await,
        Command::Delete(args) => delete::run(settings, args).await,
        Command::Run(args) => Box::pin(run::run(settings, args)).await,
    }
}

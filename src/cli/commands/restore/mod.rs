//! `bowline restore`.

mod alteration;
mod create;
pub(in crate::cli) mod delete;
mod describe;
pub(in crate::cli) mod drill;
pub(in crate::cli) mod found;
mod get;
mod logs;
mod plan_page;
mod resume;
mod summary;
mod treatment;
mod work;

use clap::Subcommand;

pub(super) use create::Args as CreateArgs;
pub(super) use delete::Args as DeleteArgs;
pub(super) use describe::Args as DescribeArgs;
pub(super) use get::Args as GetArgs;
pub(super) use resume::Args as ResumeArgs;

pub(super) use found::names;

use super::Outcome;
use crate::cli::output::OutputFormat;
use crate::cli::settings::Settings;

/// Bring backups back, and look at what was brought back
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  bowline restore create --from-backup nightly
  bowline restore get")]
pub enum Command {
    Create(Box<create::Args>),
    Resume(resume::Args),
    Drill(Box<drill::Args>),
    #[command(visible_alias = "list")]
    Get(get::Args),
    Describe(describe::Args),
    Logs(logs::Args),
    Delete(delete::Args),
}

impl Command {
    /// In which form the command prints.
    pub fn format(&self) -> OutputFormat {
        match self {
            Self::Create(args) => args.output.output,
            Self::Resume(args) => args.output.output,
            Self::Drill(args) => args.output.output,
            Self::Get(args) => args.output.output,
            Self::Describe(args) => args.output.output,
            Self::Logs(_) => OutputFormat::Table,
            Self::Delete(args) => args.output.output,
        }
    }
}

pub(in crate::cli) async fn run(settings: &Settings, command: Command) -> Outcome {
    match command {
        Command::Create(args) => Box::pin(create::run(settings, *args)).await,
        Command::Resume(args) => Box::pin(resume::run(settings, args)).await,
        Command::Drill(args) => Box::pin(drill::run(settings, *args)).await,
        Command::Get(args) => get::run(settings, args).await,
        Command::Describe(args) => describe::run(settings, args).await,
        Command::Logs(args) => logs::run(settings, args).await,
        Command::Delete(args) => delete::run(settings, args).await,
    }
}

//! `bowline backup`.

mod create;
mod delete;
mod describe;
mod details;
mod diff;
mod download;
mod expire;
mod finish;
mod get;
pub(in crate::cli) mod hold;
mod logs;
pub(in crate::cli) mod release;
pub(in crate::cli) mod scheduled;
mod verify;

use clap::Subcommand;

pub(super) use create::Args as CreateArgs;
pub(super) use delete::Args as DeleteArgs;
pub(super) use describe::Args as DescribeArgs;
pub(super) use get::Args as GetArgs;

use super::Outcome;
use crate::cli::output::OutputFormat;
use crate::cli::settings::Settings;

/// Make and look at backups
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  bowline backup create nightly
  bowline backup get")]
pub enum Command {
    Create(Box<create::Args>),
    Finish(finish::Args),
    #[command(visible_alias = "list")]
    Get(get::Args),
    Describe(describe::Args),
    Logs(logs::Args),
    Verify(verify::Args),
    Diff(Box<diff::Args>),
    Download(download::Args),
    Delete(delete::Args),
    Expire(expire::Args),
    Hold(hold::Args),
    Release(release::Args),
}

impl Command {
    /// In which form the command prints.
    pub fn format(&self) -> OutputFormat {
        match self {
            Self::Create(args) => args.output.output,
            Self::Finish(args) => args.output.output,
            Self::Get(args) => args.output.output,
            Self::Describe(args) => args.output.output,
            Self::Verify(args) => args.output.output,
            Self::Diff(args) => args.output.output,
            Self::Logs(_) | Self::Download(_) => OutputFormat::Table,
            Self::Delete(args) => args.output.output,
            Self::Expire(args) => args.output.output,
            Self::Hold(args) => args.output.output,
            Self::Release(args) => args.output.output,
        }
    }
}

pub(in crate::cli) async fn run(settings: &Settings, command: Command) -> Outcome {
    match command {
        Command::Create(args) => Box::pin(create::run(settings, *args)).await,
        Command::Finish(args) => finish::run(settings, args).await,
        Command::Get(args) => get::run(settings, args).await,
        Command::Describe(args) => describe::run(settings, args).await,
        Command::Logs(args) => logs::run(settings, args).await,
        Command::Verify(args) => verify::run(settings, args).await,
        Command::Diff(args) => Box::pin(diff::run(settings, *args)).await,
        Command::Download(args) => download::run(settings, args).await,
        Command::Delete(args) => delete::run(settings, args).await,
        Command::Expire(args) => expire::run(settings, args).await,
        Command::Hold(args) => hold::run(settings, args).await,
        Command::Release(args) => release::run(settings, args).await,
    }
}

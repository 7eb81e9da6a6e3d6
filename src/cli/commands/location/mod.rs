//! `bowline location`.

mod check;
mod create;
mod delete;
pub(in crate::cli) mod get;

use clap::Subcommand;

pub(super) use create::Args as CreateArgs;
pub(super) use delete::Args as DeleteArgs;
pub(super) use get::Args as GetArgs;

use super::Outcome;
use crate::cli::output::OutputFormat;
use crate::cli::settings::Settings;

/// Name and check places for backups
///
/// Names are kept in `$XDG_CONFIG_HOME/bowline/config.toml` (`~/.config/bowline/config.toml`).
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  bowline location create lab --url 's3://bucket/prefix?region=eu-west-1' --default
  bowline location check lab")]
pub enum Command {
    #[command(visible_alias = "list")]
    Get(get::Args),
    #[command(visible_alias = "add")]
    Create(create::Args),
    Delete(delete::Args),
    Check(check::Args),
}

impl Command {
    /// In which form the command prints.
    pub fn format(&self) -> OutputFormat {
        match self {
            Self::Get(args) => args.format(),
            Self::Check(args) => args.output.output,
            Self::Create(_) | Self::Delete(_) => OutputFormat::Table,
        }
    }
}

pub(in crate::cli) async fn run(settings: &Settings, command: Command) -> Outcome {
    match command {
        Command::Get(args) => get::run(settings, &args),
        Command::Create(args) => create::run(settings, args),
        Command::Delete(args) => delete::run(settings, args).await,
        Command::Check(args) => check::run(settings, args).await,
    }
}

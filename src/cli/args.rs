//! What can be typed.

use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::commands::{backup, complete, completion, location, restore, schedule, verbs, version};
use super::exit;
use super::logging::LogLevel;
use super::timings::TimingsFormat;
use super::values::{count, positive};
use crate::engine::model::duration::GoDuration;

/// Back up Kubernetes applications and their volumes, and bring them back
///
/// Objects go as JSON into a tar.gz in object storage, data goes by snapshots of the volumes. A
/// backup that is Completed can be restored; a restore that is Completed has come up.
#[derive(Debug, Parser)]
#[command(name = "bowline", version, arg_required_else_help = true)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", exit::help()))]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Typed,
}

/// As many as an API server with the usual limits serves one client without a queue.
const MAX_IN_FLIGHT: NonZeroU16 = NonZeroU16::new(30).unwrap();

const EXAMPLES: &str = "Examples:
  bowline backup create nightly
  bowline restore create --from-backup nightly --kubecontext west

The verb may come first, too: bowline get backups";

/// What holds for every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// The kubeconfig file (default: the files of $KUBECONFIG, else ~/.kube/config)
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig (default: its current one)
    #[arg(long, global = true, visible_alias = "context", value_name = "NAME")]
    pub kubecontext: Option<String>,
    /// Where backups are kept: a URL such as `s3://bucket/prefix` or `file:///var/backups`, or the
    /// name of a configured location (default: `$BOWLINE_LOCATION`, else the configured default,
    /// else a directory of your own)
    #[arg(long, global = true, visible_alias = "location", value_name = "URL|NAME")]
    pub storage_location: Option<String>,
    /// How long the API server may take for a reply; what fails is tried again for twice as long
    #[arg(long, global = true, value_name = "DURATION", default_value = "1m",
          value_parser = positive)]
    pub request_timeout: GoDuration,
    /// How many requests to the API server may be on their way at once
    #[arg(long, global = true, value_name = "COUNT", default_value_t = MAX_IN_FLIGHT,
          value_parser = count)]
    pub max_in_flight: NonZeroU16,
    /// How many requests to the API server may be sent in a second (default: as many as it takes)
    #[arg(long, global = true, value_name = "COUNT", value_parser = count)]
    pub qps: Option<NonZeroU16>,
    /// How much is logged to stderr (default: warn; with --quiet: error)
    #[arg(long, global = true, value_enum, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    /// Print nothing but errors and data
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print plain lines instead of a progress bar
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Tell on stderr where the time went, and how much memory was needed
    #[arg(long, global = true, value_enum, value_name = "FORMAT", num_args = 0..=1,
          require_equals = true, default_missing_value = "table")]
    pub timings: Option<TimingsFormat>,
}

impl GlobalArgs {
    /// The flags that lead to the same cluster and location again, as they are typed after a command.
    pub fn whereabouts(&self) -> String {
        let kubeconfig = self.kubeconfig.as_ref().map(|path| path.display().to_string());
        let flags = [
            ("--kubeconfig", &kubeconfig),
            ("--kubecontext", &self.kubecontext),
            ("--storage-location", &self.storage_location),
        ];
        let given = flags.into_iter().filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
        given
            .flat_map(|(flag, value)| [" ".into(), flag.into(), " ".into(), quoted(value)])
            .collect()
    }
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "_@%+=:,./-".contains(it);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// What to do, as it is typed: `backup get`, or `get backups`.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a text here would take the place of the command's own")]
pub enum Typed {
    #[command(flatten)]
    NounFirst(Command),
    #[command(flatten)]
    VerbFirst(verbs::Verb),
}

impl Typed {
    /// The command, whichever way it was typed.
    pub(super) fn command(self) -> Command {
        match self {
            Self::NounFirst(command) => command,
            Self::VerbFirst(verb) => verb.into(),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a text here would take the place of the command's own")]
pub enum Command {
    #[command(subcommand, visible_alias = "backups")]
    Backup(backup::Command),
    #[command(subcommand, visible_alias = "restores")]
    Restore(restore::Command),
    #[command(subcommand, visible_alias = "schedules")]
    Schedule(schedule::Command),
    #[command(subcommand, visible_aliases = ["locations", "backup-location"])]
    Location(location::Command),
    Version(version::Args),
    Completion(completion::Args),
    #[command(name = "__complete", hide = true)]
    Complete(complete::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn what_can_be_typed_is_free_of_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_lists_every_exit_code_as_the_table_has_it() {
        let help = Cli::command().render_long_help().to_string();
        for (exit, meaning) in exit::TABLE {
            assert!(
                help.contains(&format!("  {:<4} {meaning}\n", exit.code())),
                "{exit:?}: {help}"
            );
        }
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &mut clap::Command) {
            let help = command.render_long_help().to_string();
            let name = command.get_bin_name().unwrap_or("bowline");
            assert!(help.split("Example").nth(1).is_some_and(|rest| rest.contains(name)), "{help}");
            let shown = |sub: &&mut clap::Command| sub.get_name() != "help" && !sub.is_hide_set();
            command.get_subcommands_mut().filter(shown).for_each(check);
        }
        let mut command = Cli::command();
        command.build();
        check(&mut command);
    }

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        global: GlobalArgs,
    }

    #[test]
    fn what_leads_to_the_same_place_again_is_quoted_where_a_shell_needs_it() {
        let line = |words: &[&str]| {
            let words = ["bowline"].iter().chain(words);
            Line::parse_from(words).global.whereabouts()
        };
        assert_eq!(line(&[]), "");
        assert_eq!(
            line(&["--context", "west", "--location", "s3://b?region=x&endpoint=it's"]),
            r" --kubecontext west --storage-location 's3://b?region=x&endpoint=it'\''s'"
        );
    }
}

//! `bowline completion`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Outcome;
use crate::cli::args::Cli;
use crate::cli::exit::Exit;
use crate::cli::output::print_text;

/// Print a script that completes commands and flags in your shell
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  source <(bowline completion bash)")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

pub(in crate::cli) fn run(args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bowline", &mut script);
    print_text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

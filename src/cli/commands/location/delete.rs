//! `bowline location delete`.

use crate::cli::commands::Outcome;
use crate::cli::confirmation::ConfirmArgs;
use crate::cli::exit::Exit;
use crate::cli::settings::Settings;

/// Forget the name of a location
///
/// What is kept there stays.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  bowline location delete lab --confirm")]
pub struct Args {
    /// The location's name
    pub name: String,
    /// Whether to ask.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let mut config = settings.config()?;
    let name = &args.name;
    let url = config.location(name)?.to_string();
    let question = format!("Forget location {name} ({url})? What is kept there stays.");
    args.confirm.ask(settings, &question).await?;
    let was_default = config.default.as_ref() == Some(name);
    config.remove(name)?;
    config.save()?;
    settings.note(&format!("location {name} is forgotten; what is kept in {url} stays"));
    if was_default {
        settings.note("it was the default, and there is none now");
    }
    Ok(Exit::Done)
}

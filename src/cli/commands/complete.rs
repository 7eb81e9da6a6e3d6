//! `bowline __complete`: what the scripts of `bowline completion` call back.

use std::time::Duration;

use super::lookup::failed;
use super::{Outcome, restore};
use crate::cli::candidates::{self, Names};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::print_text;
use crate::cli::settings::Settings;
use crate::engine::cluster;
use crate::engine::model::kinds;
use crate::engine::store::check_name;

/// How long names are waited for: a shell that hangs is worse than one that knows no names.
const PATIENCE: Duration = Duration::from_secs(2);
/// What asks the shell for the names of files instead.
const FILES: &str = ":files\n";

/// Tell the shell what could be typed next
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The line up to the cursor
    #[arg(allow_hyphen_values = true)]
    pub line: String,
    /// What the shell takes for the word at the cursor, if it parts words at more than spaces
    #[arg(allow_hyphen_values = true)]
    pub word: Option<String>,
}

/// Says nothing of what goes wrong: a message would end up in the middle of the user's line.
pub(in crate::cli) async fn run(settings: &Settings, args: &Args) -> Outcome {
    let line = candidates::Line::read(&args.line);
    let candidates = candidates::of(&line);
    let words = match candidates.names {
        None => candidates.words.clone(),
        Some(Names::Files) => {
            print_text(FILES)?;
            return Ok(Exit::Done);
        }
        Some(names) => {
            let settings = settings.with(&candidates.global);
            let names = tokio::time::timeout(PATIENCE, names_of(&settings, names)).await;
            names.ok().and_then(Result::ok).unwrap_or_default()
        }
    };
    let shown = candidates.shown(&words, &line, args.word.as_deref());
    print_text(&shown.iter().flat_map(|word| [word, "\n"]).collect::<String>())?;
    Ok(Exit::Done)
}

/// The names of this sort that can be typed as they are.
async fn names_of(settings: &Settings, names: Names) -> Result<Vec<String>, CliError> {
    let mut found = match names {
        Names::Backups => settings.store()?.backup_names().await.map_err(failed)?,
        Names::Restores => restore::names(settings, &settings.store()?).await?,
        Names::Schedules => settings.store()?.schedule_names().await.map_err(failed)?,
        Names::Locations => {
            settings.config()?.locations.into_iter().map(|named| named.name).collect()
        }
        Names::Contexts => {
            let kubeconfig = settings.kubeconfig().map(ToOwned::to_owned);
            let read = move || cluster::contexts(kubeconfig.as_deref());
            // Not waited for at the end: a file may be on a disk that does not answer.
            tokio::task::spawn_blocking(read).await??
        }
        Names::Resources => kinds::usual().map(ToOwned::to_owned).collect(),
        Names::Files => Vec::new(),
    };
    match names {
        // Names of contexts may hold nearly anything, and no shell is to run it.
        Names::Contexts => found.retain(|name| name.chars().all(is_plain)),
        Names::Resources | Names::Files => {}
        Names::Backups | Names::Restores | Names::Schedules | Names::Locations => {
            found.retain(|name| check_name(name).is_ok());
        }
    }
    Ok(found)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:/@+".contains(c)
}

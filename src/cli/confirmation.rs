//! Asking before something is gone for good.

use std::io::{self, IsTerminal as _};

use tokio::sync::oneshot;

use super::error::CliError;
use super::exit::Exit;
use super::settings::Settings;

/// The consent, given beforehand.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct ConfirmArgs {
    /// Do not ask
    #[arg(long)]
    pub confirm: bool,
}

impl ConfirmArgs {
    /// Goes on only with consent: `--confirm`, or a yes on the terminal.
    ///
    /// Without a terminal there is nobody to ask, and nothing is done.
    pub(super) async fn ask(self, settings: &Settings, question: &str) -> Result<(), CliError> {
        if self.confirm {
            return Ok(());
        }
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(CliError::new(Exit::Usage, "there is no terminal to ask for confirmation")
                .with_hint("add --confirm if you mean it"));
        }
        settings.ask(&format!("{question} [y/N] "));
        match line().await?.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(CliError::new(Exit::Failed, "not confirmed: nothing was deleted")),
        }
    }
}

/// Reads a line from the terminal.
///
/// On a thread of its own, which ends with the process: a read cannot be interrupted, and the
/// runtime would wait for it.
async fn line() -> Result<String, CliError> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).map(|_| line);
        // Nobody waits for it any more once the run was interrupted.
        drop(tell.send(read));
    });
    Ok(told.await.map_err(io::Error::other)??)
}

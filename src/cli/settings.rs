//! Arguments and environment, resolved: what a command works with.

use std::io::IsTerminal as _;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::args::GlobalArgs;
use super::environment::Environment;
use super::error::CliError;
use super::exit::Exit;
use super::logging::LogLevel;
use super::progress::{Mode, Progress};
use super::style::{Style, printable};
use super::{Screen, plugins};
use crate::engine::clock::Clock;
use crate::engine::cluster::{Cluster, Options};
use crate::engine::context::{Context, Limits};
use crate::engine::event::Observer;
use crate::engine::model::location::Location;
use crate::engine::run::Engine;
use crate::engine::store::BackupStore;

/// What a command works with.
#[derive(Debug)]
pub(super) struct Settings {
    global: GlobalArgs,
    environment: Environment,
    pub screen: Screen,
    pub style: Style,
    pub clock: Clock,
    interruption_hint: OnceLock<String>,
}

impl Settings {
    pub(super) fn new(
        global: GlobalArgs,
        environment: Environment,
        screen: Screen,
        style: Style,
    ) -> Self {
        let (clock, interruption_hint) = (Clock::System, OnceLock::new());
        Self { global, environment, screen, style, clock, interruption_hint }
    }

    /// How much is logged.
    pub(super) fn log_level(&self) -> LogLevel {
        let unasked = if self.global.quiet { LogLevel::Error } else { LogLevel::Warn };
        self.global.log_level.unwrap_or(unasked)
    }

    /// Says something that is neither data nor an error.
    pub(super) fn note(&self, text: &str) {
        if !self.global.quiet {
            self.screen.print(&format!("{}\n", printable(text)));
        }
    }

    /// From here on an interruption may leave something behind; the hint says how to go on.
    pub(super) fn if_interrupted(&self, hint: String) {
        self.interruption_hint.get_or_init(|| hint);
    }

    /// How to go on after an interruption; none while it leaves nothing behind.
    pub(super) fn interruption_hint(&self) -> Option<&str> {
        self.interruption_hint.get().map(String::as_str)
    }

    /// The location that was asked for, or the embedded default.
    pub(super) fn location(&self) -> Result<Location, CliError> {
        let given = [
            (&self.global.storage_location, "--storage-location"),
            (&self.environment.location, "$BOWLINE_LOCATION"),
        ];
        let given = given.into_iter().find_map(|(text, origin)| Some((text.as_ref()?, origin)));
        match given {
            Some((text, origin)) => text.parse().map_err(|error| {
                CliError::of(&error)
                    .within(format!("the storage location is not valid ({origin})"))
                    .with_exit(Exit::Usage)
            }),
            None => self.environment.data_directory().map(Location::Directory).ok_or_else(|| {
                CliError::new(Exit::Usage, "there is no storage location and no home directory")
                    .with_hint("name a location with --storage-location file:///var/backups")
            }),
        }
    }

    /// Opens the location.
    pub(super) fn store(&self) -> Result<BackupStore, CliError> {
        Ok(plugins::store(&self.location()?))
    }

    /// Where this machine keeps the records that a location refused.
    pub(super) fn local_records(&self) -> Option<BackupStore> {
        let directory = self.environment.state_directory()?;
        Some(plugins::store(&Location::Directory(directory)))
    }

    /// Connects to the cluster that was asked for.
    pub(super) async fn cluster(&self) -> Result<Cluster, CliError> {
        let request_timeout = self.global.request_timeout.to_std().unwrap_or_default();
        let options = Options {
            kubeconfig: self.global.kubeconfig.clone(),
            context: self.global.kubecontext.clone(),
            request_timeout,
            patience: request_timeout * 2,
            ..Options::default()
        };
        Cluster::connect(&options)
            .await
            .map_err(|error| CliError::of(&error).within("the cluster cannot be used"))
    }

    /// Everything together, for commands that work on a cluster; what it does shows in `progress`.
    pub(super) async fn engine(&self, progress: &Arc<Progress>) -> Result<Engine, CliError> {
        let location = self.location()?;
        let observer: Arc<dyn Observer> = Arc::<Progress>::clone(progress);
        Ok(Engine::new(Context {
            cluster: self.cluster().await?,
            store: plugins::store(&location),
            local_records: self.local_records(),
            snapshotters: plugins::snapshotters(&location),
            observer,
            clock: self.clock,
            limits: Limits::default(),
        }))
    }

    /// Shows what an engine does, as the user wants it and the terminal can.
    pub(super) fn progress(&self) -> Arc<Progress> {
        let GlobalArgs { quiet, no_progress, .. } = self.global;
        let mode = Mode::choose(quiet, no_progress, std::io::stderr().is_terminal());
        let clock = Arc::new(Instant::now);
        Arc::new(Progress::new(mode, self.screen.clone(), self.style, clock))
    }
}

//! Arguments and environment, resolved: what a command works with.

use std::fmt;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::args::GlobalArgs;
use super::config::{self, Config};
use super::environment::Environment;
use super::error::CliError;
use super::exit::Exit;
use super::logging::LogLevel;
use super::plugins::SnapshotterOptions;
use super::progress::{Mode, Progress, Reached};
use super::style::{Style, printable};
use super::timings::Timings;
use super::{Screen, candidates, plugins};
use crate::engine::backup::Tools;
use crate::engine::clock::Clock;
use crate::engine::cluster::{Cluster, Options};
use crate::engine::context::{Context, Holds, Limits, Snapshotters};
use crate::engine::event::{Observer, Stage};
use crate::engine::model::digest;
use crate::engine::model::location::Location;
use crate::engine::run::Engine;
use crate::engine::stop::Stop;
use crate::engine::store::BackupStore;

/// How many hexadecimal digits name the place of a location's records on this machine.
const PLACE: usize = 32;

/// What a command works with.
#[derive(Debug)]
pub(super) struct Settings {
    global: GlobalArgs,
    environment: Environment,
    pub screen: Screen,
    pub style: Style,
    pub clock: Clock,
    /// Asks what runs to stop.
    pub stop: Stop,
    /// What an interruption waits for.
    pub holds: Holds,
    /// What runs hold that an interruption lets come to their end.
    pub holds_of_runs: Holds,
    interruption_hint: Mutex<Option<String>>,
    later_hint: Mutex<Option<(Reached, Stage, String)>>,
    timings: Timings,
    /// Counts what is asked of the API server.
    requests: Arc<AtomicU64>,
}

/// The location that a command works with.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub location: Location,
    pub origin: Origin,
}

/// Who chose a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Flag,
    Variable,
    Configured,
    Embedded,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Flag => "--storage-location",
            Self::Variable => "$BOWLINE_LOCATION",
            Self::Configured => "default of config.toml",
            Self::Embedded => "built in",
        })
    }
}

fn held<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(Chosen { location, origin }: &Chosen) -> Result<BackupStore, CliError> {
    plugins::store(location).map_err(|error| {
        CliError::of(&error).within(format!("the storage location is not valid ({origin})"))
    })
}

impl Settings {
    pub(super) fn new(
        global: GlobalArgs,
        environment: Environment,
        screen: Screen,
        style: Style,
    ) -> Self {
        let (interruption_hint, later_hint) = (Mutex::default(), Mutex::default());
        let clock = Clock::System;
        let (stop, holds) = (Stop::default(), Holds::default());
        Self {
            global,
            environment,
            screen,
            style,
            clock,
            stop,
            holds,
            holds_of_runs: Holds::default(),
            interruption_hint,
            later_hint,
            timings: Timings::new(),
            requests: Arc::default(),
        }
    }

    /// The same, but with what a line that is still being typed says.
    pub(super) fn with(&self, typed: &candidates::Global) -> Self {
        let mut global = self.global.clone();
        let candidates::Global { storage_location, kubeconfig } = typed.clone();
        global.storage_location = storage_location.or(global.storage_location);
        global.kubeconfig = kubeconfig.map(PathBuf::from).or(global.kubeconfig);
        Self::new(global, self.environment.clone(), self.screen.clone(), self.style)
    }

    /// The kubeconfig that was asked for.
    pub(super) fn kubeconfig(&self) -> Option<&Path> {
        self.global.kubeconfig.as_deref()
    }

    /// Tells where the time went, if that is wanted.
    pub(super) fn tell_timings(&self) {
        if let Some(format) = self.global.timings {
            self.screen.print(&self.timings.told(format, self.requests.load(Relaxed)));
        }
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

    /// Tells an error after which the run goes on.
    pub(super) fn complain(&self, error: &CliError) {
        self.screen.print(&error.rendered(self.style));
    }

    /// Asks something, quiet or not.
    pub(super) fn ask(&self, question: &str) {
        self.screen.print(&printable(question));
    }

    /// From here on an interruption may leave something behind; the hint says how to go on.
    pub(super) fn if_interrupted(&self, hint: String) {
        *held(&self.interruption_hint) = Some(hint);
    }

    /// From here on an interruption leaves nothing behind.
    pub(super) fn forget_interruption(&self) {
        *held(&self.interruption_hint) = None;
    }

    /// From that stage on an interruption leaves something else behind, and another hint holds.
    pub(super) fn if_interrupted_from(&self, stage: Stage, reached: Reached, hint: String) {
        *held(&self.later_hint) = Some((reached, stage, hint));
    }

    /// How to go on after an interruption; none while it leaves nothing behind.
    pub(super) fn interruption_hint(&self) -> Option<String> {
        let later = held(&self.later_hint).clone();
        let later = later.filter(|(reached, stage, _)| reached.has_come_to(*stage));
        later.map(|(_, _, hint)| hint).or_else(|| held(&self.interruption_hint).clone())
    }

    /// The flags that lead to the same cluster and location again.
    pub(super) fn whereabouts(&self) -> String {
        self.global.whereabouts()
    }

    /// The location that was asked for, by URL or by name, or the embedded default.
    pub(super) fn chosen(&self) -> Result<Chosen, CliError> {
        let given = [
            (&self.global.storage_location, Origin::Flag),
            (&self.environment.location, Origin::Variable),
        ];
        if let Some((text, origin)) =
            given.into_iter().find_map(|(text, origin)| Some((text.as_ref()?, origin)))
        {
            let invalid = |error: CliError| {
                error.within(format!("the storage location is not valid ({origin})"))
            };
            return Ok(Chosen { location: self.named(text).map_err(invalid)?, origin });
        }
        let config = self.environment.config_directory().map(|_| self.config()).transpose()?;
        if let Some((config, name)) =
            config.as_ref().and_then(|it| Some((it, it.default.as_ref()?)))
        {
            let location = config.location(name)?.clone();
            return Ok(Chosen { location, origin: Origin::Configured });
        }
        let location =
            self.environment.data_directory().map(Location::Directory).ok_or_else(|| {
                CliError::new(Exit::Usage, "there is no storage location and no home directory")
                    .with_hint("name a location with --storage-location file:///var/backups")
            })?;
        Ok(Chosen { location, origin: Origin::Embedded })
    }

    /// A location by its URL or by its name, which holds neither `:` nor `/`.
    pub(super) fn named(&self, text: &str) -> Result<Location, CliError> {
        if text.is_empty() || text.contains([':', '/']) {
            return text.parse().map_err(|error| CliError::of(&error));
        }
        Ok(self.config()?.location(text)?.clone())
    }

    /// Reads the configuration file.
    pub(super) fn config(&self) -> Result<Config, CliError> {
        let directory = self.environment.config_directory().ok_or(config::Error::NoHome)?;
        Ok(Config::read(&directory.join("config.toml"))?)
    }

    /// Opens the location.
    pub(super) fn store(&self) -> Result<BackupStore, CliError> {
        open(&self.chosen()?)
    }

    /// Opens the location, with the snapshotters that go with it.
    pub(super) fn store_and_snapshotters(
        &self,
        options: SnapshotterOptions,
    ) -> Result<(BackupStore, Snapshotters), CliError> {
        let chosen = self.chosen()?;
        let options = SnapshotterOptions { has_aws: self.environment.has_aws(), ..options };
        let snapshotters = plugins::snapshotters(&chosen.location, options);
        Ok((open(&chosen)?, snapshotters))
    }

    /// Where this machine keeps the records that the location refused: each has a place of its own.
    pub(super) fn local_records(&self) -> Option<BackupStore> {
        let location = self.chosen().ok()?.location.to_string();
        let directory = self.environment.state_directory()?;
        let place = digest::short(&location, PLACE);
        Some(plugins::directory(&directory.join("locations").join(place)))
    }

    /// Connects to the cluster that was asked for.
    pub(super) async fn cluster(&self) -> Result<Cluster, CliError> {
        let request_timeout = self.global.request_timeout.to_std().unwrap_or_default();
        let options = Options {
            kubeconfig: self.global.kubeconfig.clone(),
            context: self.global.kubecontext.clone(),
            request_timeout,
            patience: request_timeout * 2,
            max_in_flight: self.global.max_in_flight.get().into(),
            qps: self.global.qps,
            requests: Arc::clone(&self.requests),
        };
        Cluster::connect(&options)
            .await
            .map_err(|error| CliError::of(&error).within("the cluster cannot be used"))
    }

    /// Everything together, for commands that work on a cluster; what it does shows in `progress`.
    pub(super) async fn engine(&self, progress: &Arc<Progress>) -> Result<Engine, CliError> {
        self.engine_with(progress, SnapshotterOptions::default()).await
    }

    /// The same, with what the command says about volumes.
    pub(super) async fn engine_with(
        &self,
        progress: &Arc<Progress>,
        options: SnapshotterOptions,
    ) -> Result<Engine, CliError> {
        Ok(Engine::new(self.context(progress, options).await?))
    }

    /// What an engine works with.
    pub(super) async fn context(
        &self,
        progress: &Arc<Progress>,
        options: SnapshotterOptions,
    ) -> Result<Context, CliError> {
        let (store, snapshotters) = self.store_and_snapshotters(options)?;
        let observer: Arc<dyn Observer> = Arc::<Progress>::clone(progress);
        Ok(Context {
            cluster: self.cluster().await?.heeding(&self.stop),
            store,
            local_records: self.local_records(),
            snapshotters,
            observer,
            clock: self.clock,
            holds: self.holds.clone(),
            limits: Limits::default(),
            stop: self.stop.clone(),
        })
    }

    /// Who is told of a schedule's runs, as the environment has it.
    pub(super) fn notify(&self) -> Option<&str> {
        self.environment.notify.as_deref()
    }

    /// The context of the kubeconfig that was asked for.
    pub(super) fn kubecontext(&self) -> Option<&str> {
        self.global.kubecontext.as_deref()
    }

    /// What a backup is finished with: everything but a cluster.
    pub(super) fn finishing_tools(&self, progress: &Arc<Progress>) -> Result<Tools, CliError> {
        let (store, snapshotters) = self.store_and_snapshotters(SnapshotterOptions::default())?;
        let observer: Arc<dyn Observer> = Arc::<Progress>::clone(progress);
        let holds = self.holds.clone();
        Ok(Tools { store, snapshotters, observer, clock: self.clock, holds })
    }

    /// Shows what an engine does, as the user wants it and the terminal can.
    pub(super) fn progress(&self) -> Arc<Progress> {
        let GlobalArgs { quiet, no_progress, .. } = self.global;
        let mode = Mode::choose(quiet, no_progress, std::io::stderr().is_terminal());
        let clock = Arc::new(Instant::now);
        Arc::new(Progress::new(mode, self.screen.clone(), self.style, clock, self.timings.clone()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Cli;
    use crate::engine::event::Event;

    #[test]
    fn another_hint_holds_from_its_stage_on() {
        let global = Cli::try_parse_from(["bowline", "version", "--quiet"]).unwrap().global;
        let (environment, screen) = (Environment::default(), Screen::stderr());
        let settings = Settings::new(global, environment, screen, Style::PLAIN);
        let progress = settings.progress();
        assert_eq!(settings.interruption_hint(), None);
        settings.if_interrupted("begin anew".to_owned());
        let reached = progress.reached();
        settings.if_interrupted_from(Stage::Snapshots, reached, "finish it".to_owned());
        progress.observe(&Event::Stage(Stage::Collecting));
        assert_eq!(settings.interruption_hint(), Some("begin anew".to_owned()));
        progress.observe(&Event::Stage(Stage::Committing));
        drop(progress);
        assert_eq!(settings.interruption_hint(), Some("finish it".to_owned()));
    }
}

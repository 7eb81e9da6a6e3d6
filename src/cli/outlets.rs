//! Who is told of a run besides the caller: a metrics file, a push gateway, a webhook.
//!
//! None of them decides how a backup ended: one that could not be told is complained about.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::{Client, Method, StatusCode, Url};

use super::error::CliError;
use super::exit::Exit;
use super::settings::Settings;
use crate::engine::clock::pause;
use crate::engine::model::schedule::Schedule;
use crate::engine::report::chain;
use crate::engine::schedule::attempt::{self, Attempted};
use crate::engine::schedule::figures::Figures;
use crate::engine::schedule::metrics::Metrics;
use crate::engine::schedule::notice::Notice;
use crate::engine::store::{self, BackupStore};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is waited before each further try.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// What Prometheus knows the metrics of one schedule as, below a push gateway's URL.
const JOB: &str = "metrics/job/bowline/schedule";

/// Who is told of a run.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Telling others")]
pub struct OutletArgs {
    /// Write metrics of the schedule to this file, for the textfile collector of node exporter
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Push metrics of the schedule to a Prometheus Pushgateway, such as `http://pushgateway:9091`
    #[arg(long, value_name = "URL")]
    pub push_gateway: Option<Url>,
    /// Post one JSON document about the run there; its `text` is what Slack shows (default:
    /// `$BOWLINE_NOTIFY`). The URL is never printed
    #[arg(long, value_name = "URL")]
    pub notify: Option<Url>,
    /// When to post it
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub notify_on: Occasion,
}

/// When somebody is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Occasion {
    /// When there is no good backup.
    #[default]
    Failure,
    /// After every run.
    Always,
}

impl OutletArgs {
    /// Tells how a schedule stands.
    pub(super) async fn tell_standing(
        &self,
        settings: &Settings,
        store: &BackupStore,
        schedule: &Schedule,
    ) {
        let now = settings.clock.now();
        let read = async {
            let there = store.backup_names().await?.into_iter().collect();
            Figures::read(store, &there, schedule.clone(), now).await.map(|it| vec![it])
        };
        self.tell_figures(settings, schedule.name(), read).await;
    }

    /// Tells how schedules stand once one was run.
    pub(super) async fn tell_standings(
        &self,
        settings: &Settings,
        store: &BackupStore,
        schedule: &Schedule,
    ) {
        let read = async {
            let names = self.told(store, schedule.name()).await?;
            Figures::read_these(store, names, settings.clock.now()).await
        };
        self.tell_figures(settings, schedule.name(), read).await;
    }

    /// The schedules of which is told once that one was run: a process that runs several writes one
    /// file, while a push gateway has a group for each.
    async fn told(&self, store: &BackupStore, run: &str) -> Result<Vec<String>, store::Error> {
        match self.metrics_file {
            Some(_) => store.schedule_names().await,
            None => Ok(vec![run.to_owned()]),
        }
    }

    /// Writes what is read to the file, and pushes what of it is of one schedule to that one's group.
    async fn tell_figures(
        &self,
        settings: &Settings,
        schedule: &str,
        read: impl Future<Output = Result<Vec<Figures>, store::Error>>,
    ) {
        if self.metrics_file.is_none() && self.push_gateway.is_none() {
            return;
        }
        let figures = match read.await {
            Ok(figures) => figures,
            Err(error) => {
                let error = CliError::of(&error).within("the metrics were not told");
                return settings.complain(&error);
            }
        };
        if let Some(path) = &self.metrics_file {
            complain(settings, rendered(&figures).and_then(|text| write(path, &text)));
        }
        if let Some(gateway) = &self.push_gateway {
            let own: Vec<_> = figures.into_iter().filter(|it| it.schedule == schedule).collect();
            let told = match rendered(&own) {
                Ok(text) => push(gateway, schedule, text).await,
                Err(error) => Err(error),
            };
            complain(settings, told);
        }
    }

    /// Whether somebody is to be told by a flag.
    pub(super) fn is_any(&self) -> bool {
        self.metrics_file.is_some() || self.push_gateway.is_some() || self.notify.is_some()
    }

    /// Who is notified, by the flag or by the environment.
    fn notified(&self, settings: &Settings) -> Result<Option<Url>, CliError> {
        let url = || settings.notify().map(Url::parse).transpose();
        let parsed = self.notify.clone().map_or_else(url, |url| Ok(Some(url)));
        // Neither the URL nor what of it is wrong is told: it may hold a secret.
        parsed.map_err(|_| CliError::new(Exit::Usage, "$BOWLINE_NOTIFY is not a URL"))
    }

    /// Tells what came of a run; of one that was left out there is nothing to tell.
    pub(super) async fn tell_attempt(
        &self,
        settings: &Settings,
        location: &str,
        schedule: &Schedule,
        attempted: Result<&Attempted, &attempt::Error>,
    ) {
        let notice = match attempted {
            Ok(Attempted::LeftOut { .. }) => return,
            Ok(Attempted::Made(report)) => Notice::of_backup(schedule, report),
            Err(error) => {
                let now = settings.clock.now();
                Notice::of_failure(schedule, chain(error), location, now)
            }
        };
        self.tell_run(settings, &notice).await;
    }

    /// Tells that a run could not even begin.
    pub(super) async fn tell_failure(
        &self,
        settings: &Settings,
        location: &str,
        schedule: &Schedule,
        error: &CliError,
    ) {
        let now = settings.clock.now();
        let notice = Notice::of_failure(schedule, error.chain(), location, now);
        self.tell_run(settings, &notice).await;
    }

    async fn tell_run(&self, settings: &Settings, notice: &Notice) {
        if notice.good && self.notify_on == Occasion::Failure {
            return;
        }
        match self.notified(settings) {
            Ok(Some(url)) => complain(settings, post(&url, notice).await),
            Ok(None) => {}
            Err(error) => settings.complain(&error),
        }
    }
}

/// The figures as a process tells them that ends with its run.
fn rendered(figures: &[Figures]) -> Result<String, CliError> {
    let metrics = Metrics::of_one_run();
    metrics.set(figures);
    metrics.render().map_err(|error| CliError::of(&error))
}

fn complain(settings: &Settings, told: Result<(), CliError>) {
    if let Err(error) = told {
        settings.complain(&error);
    }
}

/// Writes a file as a whole: a reader sees the old one or the new one.
fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let written = tempfile::Builder::new()
        .prefix(".bowline-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(directory.unwrap_or_else(|| Path::new(".")))
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.persist(path).map_err(|error| error.error)
        });
    written.map(drop).map_err(|error| {
        CliError::of(&error)
            .within(format!("\"{}\" (--metrics-file) was not written", path.display()))
    })
}

async fn push(gateway: &Url, schedule: &str, text: String) -> Result<(), CliError> {
    let mut url = gateway.clone();
    let below = gateway.path().trim_end_matches('/');
    url.set_path(&format!("{below}/{JOB}/{schedule}"));
    let told = send(&url, Method::PUT, "text/plain; version=0.0.4", text.into_bytes()).await;
    told.map_err(|error| error.within("the push gateway (--push-gateway) was not told"))
}

async fn post(url: &Url, notice: &Notice) -> Result<(), CliError> {
    let body = serde_json::to_vec(notice)?;
    let told = send(url, Method::POST, "application/json", body).await;
    told.map_err(|error| error.within("nobody was notified (--notify)"))
}

/// Sends a body, a few times if need be. No error names the URL: it may hold a secret.
async fn send(url: &Url, method: Method, kind: &str, body: Vec<u8>) -> Result<(), CliError> {
    let client = Client::builder().timeout(PATIENCE).build().map_err(of)?;
    let mut pauses = PAUSES.into_iter();
    loop {
        let request = client.request(method.clone(), url.clone());
        let sent = request.header("content-type", kind).body(body.clone()).send().await;
        let (failure, may_pass) = match sent {
            Ok(reply) if reply.status().is_success() => return Ok(()),
            Ok(reply) => (refused(reply.status()), is_passing(reply.status())),
            Err(error) => (of(error), true),
        };
        match pauses.next().filter(|_| may_pass) {
            Some(time) => pause(time).await,
            None => return Err(failure),
        }
    }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn refused(status: StatusCode) -> CliError {
    CliError::new(Exit::Failed, format!("the server replied {status}"))
}

fn of(error: reqwest::Error) -> CliError {
    CliError::of(&error.without_url())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bowline_local::MemoryStore;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn only_the_file_is_of_all_schedules_so_only_for_it_they_are_read() {
        let store = BackupStore::new(Arc::new(MemoryStore::new()), "memory:");
        for name in ["hourly", "nightly"] {
            let schedule = json!({
                "apiVersion": "velero.io/v1", "kind": "Schedule",
                "metadata": {"name": name, "uid": name}, "spec": {"schedule": "0 2 * * *"},
                "bowline": {"clusterUid": "c1", "since": "2026-11-01T00:00:00Z"},
            });
            let schedule: Schedule = serde_json::from_value(schedule).unwrap();
            store.create_schedule(&schedule).await.unwrap();
        }
        let push_gateway = Some("http://gateway:9091".parse().unwrap());
        let pushing = OutletArgs { push_gateway, ..OutletArgs::default() };
        assert_eq!(pushing.told(&store, "nightly").await.unwrap(), ["nightly"]);
        let writing = OutletArgs { metrics_file: Some(PathBuf::from("f")), ..pushing };
        assert_eq!(writing.told(&store, "nightly").await.unwrap(), ["hourly", "nightly"]);
    }
}

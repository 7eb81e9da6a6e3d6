//! `bowline schedule run`.

use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::station::{Station, cut_off};
use crate::cli::Screen;
use crate::cli::commands::Outcome;
use crate::cli::commands::lookup::{failed, not_found};
use crate::cli::endpoint::{Endpoint, serve};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::outlets::OutletArgs;
use crate::cli::plugins::SnapshotterOptions;
use crate::cli::settings::Settings;
use crate::cli::style::printable;
use crate::cli::values;
use crate::engine::context::Context;
use crate::engine::event::{Event, Observer};
use crate::engine::model::duration::GoDuration;
use crate::engine::schedule::attempt::Error;
use crate::engine::schedule::runner::{self, Options};
use crate::engine::stop::Stop;

/// The port of Velero's metrics.
const PORT: u16 = 8085;
/// Where the endpoint is if nobody says otherwise.
const LISTEN: &str = "127.0.0.1:8085";

/// Make backups when they are due, until it is stopped
///
/// Runs the schedules of this cluster in the foreground, with one process of as many as you like at a
/// time: each run has a lease in the storage location. After an outage the newest run that was missed
/// is made, and no other. The first signal lets a backup that goes on come to its end; the second does
/// not wait.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline schedule run
  # in a pod: probes and Prometheus come from outside
  bowline schedule run --listen :8085
  bowline schedule run nightly hourly --listen none --grace 1h")]
pub struct Args {
    /// Which schedules (default: all of this cluster)
    pub names: Vec<String>,
    /// Where /healthz, /readyz and /metrics are served; `:8085` is every address of this machine, of
    /// IPv4 and IPv6; `none` serves nothing
    #[arg(long, value_name = "ADDRESS", value_parser = listen, default_value = LISTEN)]
    pub listen: Listen,
    /// How many backups are made at once
    #[arg(long, value_name = "N", default_value = "1")]
    pub concurrent_backups: NonZeroUsize,
    /// How long a backup that goes on is awaited after the first signal
    #[arg(long, value_name = "DURATION", value_parser = values::not_negative,
          default_value = "10m")]
    pub grace: GoDuration,
    /// Who else is told.
    #[command(flatten)]
    pub outlets: OutletArgs,
}

/// Where the endpoint is, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(Option<SocketAddr>);

fn listen(text: &str) -> Result<Listen, String> {
    let wrong = || format!("give an address and a port, such as {LISTEN} or :{PORT}, or none");
    if text == "none" {
        return Ok(Listen(None));
    }
    let everywhere = text.strip_prefix(':').map(str::parse::<u16>);
    let address = match everywhere {
        Some(port) => port.map(|port| (Ipv6Addr::UNSPECIFIED, port).into()).ok(),
        None => text.parse().ok(),
    };
    address.map(|address| Listen(Some(address))).ok_or_else(wrong)
}

#[expect(clippy::future_not_send, reason = "one task has all runs")]
pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let context = context(settings).await?;
    check(&context, &args.names).await?;
    let endpoint = match args.listen {
        Listen(Some(address)) => Some(Endpoint::bind(address).await?),
        Listen(None) => None,
    };
    if let Some(address) = endpoint.as_ref().and_then(Endpoint::address) {
        settings.note(&format!("serving /healthz, /readyz and /metrics on {address}"));
    }
    let options = Options {
        names: args.names,
        at_once: args.concurrent_backups.get(),
        grace: args.grace.to_std().unwrap_or_default(),
    };
    let station = Station::new(settings, &context, args.outlets);
    let left = tokio::select! {
        ended = runner::run(&context, &options, &station, &settings.stop) => {
            ended.map_err(|error| CliError::of(&error).within("the cluster cannot be used"))?
        }
        () = serve(endpoint.as_ref(), &station) => Vec::new(),
    };
    if left.is_empty() {
        return Ok(Exit::Done);
    }
    let message = format!("not every run ended within {} (--grace)", args.grace);
    Err(CliError::new(Exit::Interrupted, message).with_hint(cut_off(&left.join(", "))))
}

/// What the runs work with: the signal that stops the loop does not reach into them.
async fn context(settings: &Settings) -> Result<Context, CliError> {
    let context = settings.context(&settings.progress(), SnapshotterOptions::default()).await?;
    let stop = Stop::default();
    Ok(Context {
        cluster: context.cluster.heeding(&stop),
        observer: Arc::new(Teller(settings.screen.clone())),
        holds: settings.holds_of_runs.clone(),
        stop,
        ..context
    })
}

/// Checks that what was named is there, and is this cluster's.
async fn check(context: &Context, names: &[String]) -> Result<(), CliError> {
    if names.is_empty() {
        return Ok(());
    }
    let known = context.store.schedule_names().await.map_err(failed)?;
    let cluster = context.cluster.uid().await.map_err(Error::Cluster)?;
    for name in names {
        let Some(found) = context.store.schedule(name).await.map_err(failed)? else {
            let known = known.iter().map(String::as_str);
            return Err(not_found("schedule", name, known, context.store.url()));
        };
        let owner = found.document.bowline.cluster_uid;
        if owner != cluster {
            return Err(Error::Foreign { schedule: name.clone(), owner, cluster }.into());
        }
    }
    Ok(())
}

/// Tells what is odd while a run works.
struct Teller(Screen);

impl Observer for Teller {
    fn observe(&self, event: &Event<'_>) {
        let (word, problem) = match event {
            Event::Warning(problem) => ("warning", problem),
            Event::Error(problem) => ("error", problem),
            _ => return,
        };
        self.0.print(&format!("{}\n", printable(&format!("{word}: {problem}"))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_lack_its_host_or_be_none() {
        assert_eq!(listen("none"), Ok(Listen(None)));
        assert_eq!(listen(":8085").unwrap().0.unwrap().to_string(), "[::]:8085");
        assert_eq!(listen("127.0.0.1:0").unwrap().0.unwrap().to_string(), "127.0.0.1:0");
        for wrong in ["", ":", "8085", "localhost:8085", ":99999"] {
            assert!(listen(wrong).is_err(), "{wrong}");
        }
    }
}

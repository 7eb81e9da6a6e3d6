//! `bowline schedule adopt`.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::commands::Outcome;
use crate::cli::confirmation::ConfirmArgs;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::engine::schedule::change;
use crate::engine::schedule::standing::Standing;

/// Make another cluster's schedule that of this one
///
/// For a cluster that was built anew. From then on the other one runs it no longer, and the rules
/// count this one's backups alone: those of the other one stay.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline schedule adopt nightly --kubecontext west")]
pub struct Args {
    /// The schedule
    pub name: String,
    /// Whether to ask.
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Whose a schedule was, and is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Report {
    /// Its name.
    name: String,
    /// The identity of the cluster whose it was.
    from: String,
    /// The identity of the cluster whose it is.
    #[serde(rename = "clusterUID")]
    cluster_uid: String,
    /// When a backup is due next; none while it is paused.
    next: Option<Timestamp>,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let owner = change::find(&store, &args.name).await?.document.bowline.cluster_uid;
    let uid = settings.cluster().await?.uid().await;
    let uid = uid.map_err(|error| CliError::of(&error).within("the cluster cannot be told"))?;
    if owner != uid {
        let question = format!(
            "Take schedule {} from cluster {owner} for this one, {uid}? The other one runs it no \
             longer.",
            args.name
        );
        args.confirm.ask(settings, &question).await?;
    }
    let now = settings.clock.now();
    let change = change::adopt(&store, &args.name, &owner, &uid, now).await?;
    let report = Report {
        name: args.name,
        from: change.before.bowline.cluster_uid,
        cluster_uid: uid,
        next: Standing::new(change.after, Vec::new(), now).next,
    };
    print(args.output.output, &report, |report| report)?;
    Ok(Exit::Done)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, from, cluster_uid, next } = self;
        if from == cluster_uid {
            writeln!(f, "schedule {name} is this cluster's already ({cluster_uid})")?;
        } else {
            writeln!(f, "schedule {name} is this cluster's now ({cluster_uid}; it was {from}'s)")?;
        }
        next.map_or(Ok(()), |next| writeln!(f, "the next backup is due {next}"))
    }
}

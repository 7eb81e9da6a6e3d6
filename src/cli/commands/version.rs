//! `bowline version`.

use serde::Serialize;

use super::Outcome;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::settings::Settings;
use crate::engine::model::backup::FORMAT_VERSION;

/// Print the version
///
/// Of the program, and of the format that it writes. With --cluster, of the cluster, too.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  bowline version -o json")]
pub struct Args {
    /// Ask the cluster for its version, too
    #[arg(long)]
    pub cluster: bool,
    /// In which form it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Versions {
    /// The version of the program.
    version: &'static str,
    /// The version of the format of backups.
    format_version: &'static str,
    /// The version of the cluster, with `--cluster`.
    kubernetes: Option<String>,
}

pub(in crate::cli) async fn run(settings: &Settings, args: &Args) -> Outcome {
    let kubernetes = if args.cluster {
        Some(settings.cluster().await?.version().await?.git_version)
    } else {
        None
    };
    let version = env!("CARGO_PKG_VERSION");
    let versions = Versions { version, format_version: FORMAT_VERSION, kubernetes };
    print(args.output.output, &versions, text)?;
    Ok(Exit::Done)
}

fn text(versions: &Versions) -> String {
    let own = format!("bowline {}\nformat {}\n", versions.version, versions.format_version);
    match &versions.kubernetes {
        Some(kubernetes) => format!("{own}Kubernetes {kubernetes}\n"),
        None => own,
    }
}

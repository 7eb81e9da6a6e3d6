//! `bowline schedule deploy`.

use crate::cli::commands::Outcome;
use crate::cli::commands::lookup::{failed, not_found};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputArgs, print};
use crate::cli::plugins::SnapshotterOptions;
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::cli::values;
use crate::engine::model::location::Location;
use crate::engine::model::schedule::Schedule;
use crate::engine::schedule::deploy::{self, Manifests, Wish};

/// The image that has this version.
const IMAGE: &str = concat!("bowline:", env!("CARGO_PKG_VERSION"));

/// Have the cluster run a schedule, as a `CronJob`
///
/// Applies a `CronJob`, its account and the least rights that the schedule's backups need now; again
/// after namespaces, kinds or the schedule have changed. Times, zone and concurrency policy are the
/// schedule's.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  # what would be applied
  bowline schedule deploy nightly --dry-run -o yaml
  bowline schedule deploy nightly --image registry.example.com/bowline:1.0 \\
    --service-account-annotations eks.amazonaws.com/role-arn=arn:aws:iam::111122223333:role/backup")]
pub struct Args {
    /// The schedule's name
    pub name: String,
    /// The namespace in which it runs; made if there is none
    #[arg(long, value_name = "NAMESPACE", default_value = "bowline", value_parser = values::namespace)]
    pub namespace: String,
    /// The image that has bowline (docs/deploy/Containerfile makes one)
    #[arg(long, value_name = "IMAGE", default_value = IMAGE)]
    pub image: String,
    /// The name of its account (default: bowline-NAME)
    #[arg(long, value_name = "ACCOUNT")]
    pub service_account: Option<String>,
    /// Annotations of the account, such as the role that it takes on
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::annotation)]
    pub service_account_annotations: Vec<(String, String)>,
    /// A Secret of that namespace whose keys are variables of the environment, such as
    /// `AWS_ACCESS_KEY_ID`
    #[arg(long, value_name = "SECRET")]
    pub env_from_secret: Option<String>,
    /// A claim of that namespace whose volume is the location, if that is a directory
    #[arg(long, value_name = "CLAIM")]
    pub location_claim: Option<String>,
    /// Remove after each run what the schedule keeps no longer; `false` where its account may remove
    /// nothing (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub expire: Option<bool>,
    /// Show what would be applied; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// In which form the objects are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let schedule = find(settings, &args.name).await?;
    let wish = wish(settings, &args)?;
    let progress = settings.progress();
    let context = settings.context(&progress, SnapshotterOptions::default()).await?;
    let manifests = progress.during(deploy::plan(&context, &schedule, &wish)).await?;
    if !args.dry_run {
        progress.during(deploy::apply(&context.cluster, &manifests)).await?;
    }
    print(args.output.output, &manifests.list(), |_| table(&manifests))?;
    if !args.dry_run && args.output.is_table() {
        settings.note(&format!("to remove it: {}", deploy::removal(&args.name)));
    }
    Ok(Exit::Done)
}

async fn find(settings: &Settings, name: &str) -> Result<Schedule, CliError> {
    let store = settings.store()?;
    if let Some(schedule) = store.schedule(name).await.map_err(failed)? {
        return Ok(schedule.document);
    }
    let known = store.schedule_names().await.map_err(failed)?;
    Err(not_found("schedule", name, known.iter().map(String::as_str), store.url()))
}

/// A directory of this machine is none of a pod's, unless a claim brings it there.
fn wish(settings: &Settings, args: &Args) -> Result<Wish, CliError> {
    let location = settings.chosen()?.location;
    let volume = match (&location, &args.location_claim) {
        (Location::Directory(path), Some(claim)) => {
            Some((claim.clone(), path.display().to_string()))
        }
        (Location::Directory(_), None) => {
            let error = CliError::new(Exit::Usage, format!("a pod has no directory {location}"));
            return Err(error.with_hint(
                "name the claim of a volume that holds it with --location-claim, or use a bucket",
            ));
        }
        (Location::S3(_), None) => None,
        (Location::S3(_), Some(_)) => {
            let error = "--location-claim is for locations that are directories";
            return Err(CliError::new(Exit::Usage, error).with_hint("leave it out"));
        }
    };
    Ok(Wish {
        namespace: args.namespace.clone(),
        image: args.image.clone(),
        location: location.to_string(),
        expire: args.expire.unwrap_or(true),
        service_account: args.service_account.clone(),
        account_annotations: args.service_account_annotations.iter().cloned().collect(),
        secret: args.env_from_secret.clone(),
        volume,
    })
}

fn table(manifests: &Manifests) -> Table<3> {
    let mut table = Table::new(["KIND", "NAMESPACE", "NAME"]);
    for it in &manifests.items {
        table.push([it.kind.kind.clone(), cell(it.namespace.clone()), it.name.clone()]);
    }
    table
}

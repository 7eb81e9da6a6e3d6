//! `bowline location create`.

use clap::builder::PossibleValuesParser;

use crate::cli::commands::Outcome;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::settings::Settings;
use crate::cli::values;
use crate::engine::model::location::Location;

/// Give a location a name
///
/// Nothing is written to the location; bowline location check tries it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline location create lab --url 's3://bucket/prefix?region=eu-west-1' --default
  bowline location create here --url file:///var/backups
  bowline location create lab --provider aws --bucket bucket --prefix prefix \\
      --config region=eu-west-1,kmsKeyId=alias/backups")]
pub struct Args {
    /// The location's name
    pub name: String,
    /// Where it is
    #[arg(long, value_name = "URL", required_unless_present = "bucket")]
    pub url: Option<String>,
    /// Whose object storage it is, in place of a URL
    #[arg(long, value_name = "PROVIDER", conflicts_with = "url", requires = "bucket",
          value_parser = PossibleValuesParser::new(["aws", "velero.io/aws"]))]
    pub provider: Option<String>,
    /// The bucket, in place of a URL
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub bucket: Option<String>,
    /// What all keys in the bucket start with
    #[arg(long, value_name = "PREFIX", requires = "bucket")]
    pub prefix: Option<String>,
    /// Options of the bucket, under Velero's keys such as region, s3Url and kmsKeyId
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = values::option)]
    pub config: Vec<(String, String)>,
    /// Use it where no other is asked for
    #[arg(long)]
    pub default: bool,
}

pub(super) fn run(settings: &Settings, args: Args) -> Outcome {
    let mut config = settings.config()?;
    let bucket = args.bucket.unwrap_or_default();
    let location = match &args.url {
        Some(url) => Location::with_options(url, &args.config),
        None => Location::of_bucket(&bucket, &args.prefix.unwrap_or_default(), &args.config),
    };
    let location =
        location.map_err(|error| CliError::of(&error).within("the location is not valid"))?;
    let told = format!("location {} is {location}", args.name);
    config.add(&args.name, location)?;
    if args.default {
        config.set_default(&args.name)?;
    }
    config.save()?;
    settings.note(&told);
    Ok(Exit::Done)
}

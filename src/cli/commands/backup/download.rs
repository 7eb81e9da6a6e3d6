//! `bowline backup download`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::NamedTempFile;

use crate::cli::commands::Outcome;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::print_text;
use crate::cli::progress::Progress;
use crate::cli::settings::Settings;
use crate::cli::units::bytes;
use crate::cli::values::positive;
use crate::engine::download::{self, Downloaded, Source};
use crate::engine::event::Observer;
use crate::engine::model::duration::GoDuration;
use crate::engine::report::Phase;
use crate::engine::store::{BackupKeys, BackupStore, Error};

/// Download the archive of a backup
///
/// A tar.gz with every object as JSON; the data of volumes is not in it. It holds the secrets of the
/// cluster: the file is readable by you alone. It appears only when it is whole, and is the one that
/// was written.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline backup download nightly
  bowline backup download nightly --output /tmp/nightly.tar.gz --force
  bowline backup download nightly --url --expires 1h")]
pub struct Args {
    /// The backup's name
    pub name: String,
    /// The file to write (default: `./NAME-data.tar.gz`)
    #[arg(short, long, value_name = "FILE", conflicts_with = "url")]
    pub output: Option<PathBuf>,
    /// Overwrite the file if it exists
    #[arg(long, conflicts_with = "url")]
    pub force: bool,
    /// Print a URL that anybody can download it with for a while, instead
    #[arg(long)]
    pub url: bool,
    /// How long the URL works
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = positive,
          requires = "url")]
    pub expires: GoDuration,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let store = settings.store()?;
    let source = download::find(&store, &args.name).await?;
    if !matches!(source.phase, Phase::Completed | Phase::PartiallyFailed) {
        settings.note(&format!("backup {} is {}: it may not be whole", args.name, source.phase));
    }
    if args.url {
        return print_url(&store, &args).await;
    }
    let target =
        args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}-data.tar.gz", args.name)));
    let file = Aside::new(&target, args.force)?;
    let progress = settings.progress();
    let copied = progress.during(copy(&store, &progress, &args.name, &source, &file)).await?;
    file.put()?;
    if !copied.verified {
        settings.note("Velero leaves no digest: whether it is what was written is not known");
    }
    let size = bytes(copied.digest.size);
    print_text(&format!("{} of backup {} are in {}\n", size, args.name, target.display()))?;
    Ok(Exit::Done)
}

async fn copy(
    store: &BackupStore,
    progress: &Arc<Progress>,
    name: &str,
    source: &Source,
    file: &Aside<'_>,
) -> Result<Downloaded, CliError> {
    let observer: Arc<dyn Observer> = Arc::<Progress>::clone(progress);
    let mut to = tokio::fs::File::from_std(file.file.reopen()?);
    let copied = download::copy(store, &observer, name, source, &mut to).await?;
    to.sync_all().await?;
    Ok(copied)
}

async fn print_url(store: &BackupStore, args: &Args) -> Outcome {
    let key = BackupKeys(&args.name).archive();
    let lifetime = args.expires.to_std().unwrap_or_default();
    let signed = store.objects().presigned_url(&key, lifetime).await;
    let signed = signed.map_err(|error| CliError::of(&Error::from(error)))?;
    let Some(url) = signed else {
        let message = format!("{} has no URLs that others can use", store.url());
        let error = CliError::new(Exit::Usage, message);
        return Err(error.with_hint("leave --url out: the file is copied then"));
    };
    print_text(&format!("{url}\n"))?;
    Ok(Exit::Done)
}

/// A file beside the one that is wanted, gone unless it is put in its place.
struct Aside<'a> {
    file: NamedTempFile,
    target: &'a Path,
    force: bool,
}

impl<'a> Aside<'a> {
    fn new(target: &'a Path, force: bool) -> Result<Self, CliError> {
        if !force && target.symlink_metadata().is_ok() {
            return Err(taken(target));
        }
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // The file has mode 0600 from its beginning.
        let file = tempfile::Builder::new().prefix(".bowline-").tempfile_in(directory);
        let file = file.map_err(|error| unwritable(target, &error))?;
        Ok(Self { file, target, force })
    }

    /// Puts the file in its place, at once.
    fn put(self) -> Result<(), CliError> {
        let Self { file, target, force } = self;
        let put = if force { file.persist(target) } else { file.persist_noclobber(target) };
        put.map(drop).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => taken(target),
            _ => unwritable(target, &error.error),
        })
    }
}

fn taken(target: &Path) -> CliError {
    let message = format!("\"{}\" exists already", target.display());
    CliError::new(Exit::Failed, message).with_hint("--force overwrites it; --output names another")
}

fn unwritable(target: &Path, error: &io::Error) -> CliError {
    let message = format!("\"{}\" cannot be written", target.display());
    let mut failed = CliError::new(Exit::Failed, message);
    // The error itself names a file that nobody asked for.
    failed.causes.push(error.kind().to_string());
    failed.with_hint("name another file with --output")
}

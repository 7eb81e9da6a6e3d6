//! `bowline backup diff`.

use std::io;

use crate::cli::commands::Outcome;
use crate::cli::commands::filters::FilterArgs;
use crate::cli::exit::Exit;
use crate::cli::long_table::LongTable;
use crate::cli::output::OutputArgs;
use crate::cli::page::{Lines, Page};
use crate::cli::settings::Settings;
use crate::cli::table::{Table, cell};
use crate::engine::model::difference::Difference;
use crate::engine::restore::diff::{
    self, Change, ChangedField, DiffFooter, DiffHeader, DiffReader, Filter,
};

/// Show what changed between a backup and another one, or the cluster
///
/// Compares as a restore would: what servers and controllers fill in does not count, and what no
/// restore brings back is left out. Of the cluster it is told what lies within what was backed up.
/// Values of Secrets are never shown. Two backups need no cluster.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  # what the last night changed
  bowline backup diff nightly-1 nightly-2
  # what a restore would bring back, and what came since
  bowline backup diff nightly --cluster --include-namespaces shop
  # in a script: exit code 3 if anything differs
  bowline backup diff nightly --cluster --exit-code -o json")]
pub struct Args {
    /// The backup
    #[arg(value_name = "BACKUP")]
    pub name: String,
    /// The backup that it is compared with
    #[arg(value_name = "OTHER", required_unless_present = "cluster")]
    pub other: Option<String>,
    /// Compare it with the cluster
    #[arg(long, conflicts_with = "other")]
    pub cluster: bool,
    /// End with exit code 3 if anything differs (default: 0; what could not be compared makes it 3 in
    /// any case)
    #[arg(long)]
    pub exit_code: bool,
    /// In which form the differences are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Which objects are compared.
    #[command(flatten)]
    pub filters: FilterArgs,
}

pub(super) async fn run(settings: &Settings, args: Args) -> Outcome {
    let filter = filter(&args.filters);
    let progress = settings.progress();
    let mut page = Page::<DiffTable>::new(args.output.output, &progress);
    let from = args.name.as_str();
    let compared = if let Some(to) = &args.other {
        let store = settings.store()?;
        progress.during(diff::backups(&store, from, to, &filter, &mut page)).await
    } else {
        let engine = settings.engine(&progress).await?;
        progress.during(engine.compare_backup(from, &filter, &mut page)).await
    };
    match compared {
        Ok(footer) => {
            page.end(&footer)?;
            Ok(exit(&footer, args.exit_code))
        }
        Err(error) => page.fail(error.into()),
    }
}

fn filter(args: &FilterArgs) -> Filter {
    Filter {
        included_namespaces: args.include_namespaces.clone(),
        excluded_namespaces: args.exclude_namespaces.clone(),
        included_resources: args.include_resources.clone(),
        excluded_resources: args.exclude_resources.clone(),
        include_cluster_resources: args.include_cluster_resources,
        selectors: args.selectors(),
    }
}

fn exit(footer: &DiffFooter, is_asked: bool) -> Exit {
    let differs = is_asked && !footer.is_same();
    if differs || !footer.not_compared.is_empty() { Exit::PartlyFailed } else { Exit::Done }
}

impl DiffReader for Page<DiffTable> {
    fn begin(&mut self, header: DiffHeader) -> io::Result<()> {
        Self::begin(self, header)
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        Self::item(self, change)
    }
}

/// Differences for people: by resource, with the fields below each object.
#[derive(Debug)]
struct DiffTable {
    rows: LongTable<3>,
    sides: [String; 2],
    is_empty: bool,
}

impl Default for DiffTable {
    fn default() -> Self {
        let rows = LongTable::new(["CHANGE", "NAMESPACE", "NAME"]);
        Self { rows, sides: Default::default(), is_empty: true }
    }
}

impl Lines for DiffTable {
    type Header = DiffHeader;
    type Item = Change;
    type Footer = DiffFooter;

    fn begin(&mut self, header: DiffHeader) -> String {
        self.sides = [header.from, header.to.unwrap_or_else(|| "the cluster".to_owned())];
        String::new()
    }

    fn item(&mut self, change: Change) -> String {
        self.is_empty = false;
        let [from, to] = &self.sides;
        let Change { change, resource, namespace, name, fields } = change;
        let below = fields.into_iter().map(|ChangedField { path, from: ours, to: theirs }| {
            Difference { path, backup: ours, cluster: theirs }.between(from, to).to_string()
        });
        let below = below.collect();
        self.rows.push(&resource, [change.word().to_owned(), cell(namespace), name], below)
    }

    fn rest(&mut self) -> String {
        if self.is_empty { String::new() } else { self.rows.rest() + "\n" }
    }

    fn end(&mut self, footer: &DiffFooter) -> String {
        let counts = footer.counts.iter().map(|(word, count)| format!("{count} {word}"));
        let counts: Vec<_> = counts.collect();
        let counts =
            if counts.is_empty() { "nothing to compare".to_owned() } else { counts.join(", ") };
        let mut not_compared = Table::new(["NOT COMPARED", "REASON"]);
        let rows = footer.not_compared.iter();
        not_compared.extend(rows.map(|it| [it.name.clone(), it.reason.clone()]));
        let not_compared = (!not_compared.is_empty()).then(|| format!("{not_compared}\n"));
        format!("{}{counts}\n", not_compared.unwrap_or_default())
    }
}

//! `bowline location get`.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;

use crate::cli::commands::Outcome;
use crate::cli::config::Config;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{OutputFormat, print, print_text};
use crate::cli::settings::{Chosen, Settings};
use crate::cli::table::{Table, cell};
use crate::engine::model::location::Location;

/// List locations
///
/// Those that have a name, and the one in use: it is chosen by --storage-location, else
/// `$BOWLINE_LOCATION`, else the configured default, else it is a directory of your own.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  bowline location get
  bowline location get lab -o json")]
pub struct Args {
    /// Only the location of this name
    pub name: Option<String>,
    /// Print data in this form
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// In which form locations are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// One name a line.
    Name,
}

impl Args {
    /// The form that errors have, too.
    pub fn format(&self) -> OutputFormat {
        match self.output {
            Format::Table | Format::Name => OutputFormat::Table,
            Format::Json => OutputFormat::Json,
            Format::Yaml => OutputFormat::Yaml,
        }
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Row {
    /// The name in `config.toml`; none for one that is given by its URL.
    name: Option<String>,
    /// Where it is.
    url: String,
    /// Whether it is the configured default.
    default: bool,
    /// Who chose it, if it is the one in use.
    in_use: Option<String>,
}

pub(super) fn run(settings: &Settings, args: &Args) -> Outcome {
    let config = settings.config()?;
    let mut rows = rows(&config, settings.chosen());
    if let Some(name) = &args.name {
        config.location(name)?;
        rows.retain(|row| row.name.as_ref() == Some(name));
    }
    if args.output == Format::Name {
        let names = rows.iter().filter_map(|row| row.name.as_deref());
        print_text(&names.flat_map(|name| [name, "\n"]).collect::<String>())?;
    } else {
        print(args.format(), &json!({"items": rows}), |_| table(&rows))?;
    }
    Ok(Exit::Done)
}

/// The named locations, and the one in use where it has no name.
///
/// That what was asked for is none does not keep the others from being listed.
fn rows(config: &Config, chosen: Result<Chosen, CliError>) -> Vec<Row> {
    let chosen = chosen.ok();
    let origin = |location: &Location| {
        let chosen = chosen.as_ref().filter(|chosen| chosen.location == *location)?;
        Some(chosen.origin.to_string())
    };
    let mut rows: Vec<Row> = config
        .locations
        .iter()
        .map(|named| Row {
            name: Some(named.name.clone()),
            url: named.location.to_string(),
            default: config.default.as_ref() == Some(&named.name),
            in_use: origin(&named.location),
        })
        .collect();
    if let Some(Chosen { location, origin }) = &chosen
        && rows.iter().all(|row| row.in_use.is_none())
    {
        let (url, in_use) = (location.to_string(), Some(origin.to_string()));
        rows.push(Row { name: None, url, default: false, in_use });
    }
    rows
}

fn table(rows: &[Row]) -> Table<4> {
    let mut table = Table::new(["NAME", "URL", "DEFAULT", "IN USE BY"]);
    for row in rows {
        table.push([
            cell(row.name.as_ref()),
            row.url.clone(),
            if row.default { "true" } else { "false" }.to_owned(),
            cell(row.in_use.as_ref()),
        ]);
    }
    table
}

//! `docs/reference/json.md`.

use std::fmt::Write as _;

use expect_test::expect_file;
use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value};

use crate::cli::commands::backup::scheduled;
use crate::cli::commands::restore::found::Found;
use crate::cli::commands::version::Versions;
use crate::cli::commands::{backup as backups, location, restore, schedule};
use crate::engine::backup;
use crate::engine::delete::DeleteReport;
use crate::engine::drill::{CleanUpReport, DrillReport};
use crate::engine::location::CheckReport;
use crate::engine::model::backup::Backup;
use crate::engine::model::schedule::Schedule;
use crate::engine::report::{BackupReport, RestoreReport};
use crate::engine::restore::PlanDocument;
use crate::engine::restore::diff::{Change, DiffFooter, DiffHeader};
use crate::engine::schedule::expire;
use crate::engine::schedule::notice::Notice;
use crate::engine::verify::VerifyReport;

const INTRODUCTION: &str = "\
# What `-o json` prints

Every command that prints data prints one JSON document with `-o json`, and the same as YAML with `-o yaml`, whatever
happens. Of `get` and `describe`, one that is named is printed as it is, and several are `{\"items\": [...]}`; schedules that cannot be read are told beside these, as `{\"errors\": [{name, error}]}`, and the exit code is 3. What does not apply is `null`, or absent where that is said. Times are RFC 3339 in UTC. `[]` in a path means
each element of a list, `<name>` any key. Fields may be added; they are not renamed or removed within a major version.
";

/// Adds the fields of a document.
fn document<T: JsonSchema>(page: &mut String, command: &str) {
    let schema = schema_for!(T).to_value();
    let mut rows = Vec::new();
    Walk { root: &schema, rows: &mut rows }.object(&schema, "");
    write!(page, "\n## {command}\n\n| field | type | meaning |\n|---|---|---|\n").unwrap();
    for [path, kind, meaning] in rows {
        writeln!(page, "| `{path}` | {kind} | {meaning} |").unwrap();
    }
}

/// Collects a row for each field of a schema.
struct Walk<'a> {
    root: &'a Value,
    rows: &'a mut Vec<[String; 3]>,
}

impl Walk<'_> {
    fn object(&mut self, schema: &Value, prefix: &str) {
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        for (name, field) in properties {
            let path = format!("{prefix}{name}");
            let field = self.resolved(field);
            let required = schema["required"]
                .as_array()
                .is_some_and(|all| all.contains(&Value::from(name.as_str())));
            let mut kind = self.kind(&field);
            if !required && !kind.ends_with("null") {
                kind.push_str(", may be absent");
            }
            self.rows.push([path.clone(), kind, meaning(&field)]);
            self.inside(&field, &path);
        }
    }

    /// The fields of what a field holds.
    fn inside(&mut self, field: &Value, path: &str) {
        if field.get("items").is_some() {
            let item = self.resolved(&field["items"]);
            self.inside(&item, &format!("{path}[]"));
        } else if field["additionalProperties"].is_object() {
            let value = self.resolved(&field["additionalProperties"]);
            self.inside(&value, &format!("{path}.<name>"));
        } else {
            self.object(field, &format!("{path}."));
        }
    }

    /// A field with what it refers to in its place; of alternatives the one that is not `null`.
    fn resolved(&self, field: &Value) -> Value {
        let mut field = field.clone();
        if let Some(all) = field["anyOf"].as_array() {
            let other = all.iter().find(|one| one["type"] != "null").cloned().unwrap_or_default();
            let mut other = self.resolved(&other);
            if let Some(kind) = other["type"].as_str().map(str::to_owned) {
                other["type"] = Value::from(vec![kind, "null".to_owned()]);
            }
            return described(other, &field);
        }
        while let Some(reference) = field["$ref"].as_str() {
            let found = self.root.pointer(reference.trim_start_matches('#')).unwrap();
            field = described(found.clone(), &field);
        }
        field
    }

    fn kind(&self, field: &Value) -> String {
        let words: Vec<&str> = match &field["type"] {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if let Some(values) = values(field) {
            return values;
        }
        let word = |word: &&str| match *word {
            "array" => format!("list of {}", self.kind(&self.resolved(&field["items"]))),
            other => other.to_owned(),
        };
        if words.is_empty() {
            "any".to_owned()
        } else {
            words.iter().map(word).collect::<Vec<_>>().join(" or ")
        }
    }
}

/// The values of an enumeration.
fn values(field: &Value) -> Option<String> {
    let constants = || Some(field["oneOf"].as_array()?.iter().map(|one| &one["const"]).collect());
    let listed = || Some(field["enum"].as_array()?.iter().collect());
    let all: Vec<&Value> = constants().or_else(listed)?;
    Some(
        all.iter()
            .map(|value| format!("`{}`", value.as_str().unwrap_or("null")))
            .collect::<Vec<_>>()
            .join(", "),
    )
}

/// A schema with the description of the field that refers to it.
fn described(mut schema: Value, field: &Value) -> Value {
    if let Some(text) = field["description"].as_str() {
        schema["description"] = Value::from(text);
    }
    schema
}

/// The first paragraph of what is said about a field.
fn meaning(field: &Value) -> String {
    let text = field["description"].as_str().unwrap_or_default();
    let first = text.split("\n\n").next().unwrap_or_default();
    first.replace('\n', " ").replace('|', "\\|")
}

#[test]
fn the_page_of_documents_is_what_their_types_say() {
    let mut page = INTRODUCTION.to_owned();
    document::<BackupReport>(&mut page, "`backup create` and `backup finish`");
    document::<scheduled::Report>(
        &mut page,
        "`backup create --from-schedule` and `schedule trigger`",
    );
    document::<backup::Plan>(&mut page, "`backup create --dry-run`");
    document::<Backup>(&mut page, "`backup get NAME`: Velero's document");
    document::<VerifyReport>(&mut page, "`backup verify NAME`; of several a list of these");
    document::<Diff>(&mut page, "`backup diff`");
    document::<List<DeleteReport>>(&mut page, "`backup delete`");
    document::<expire::Report>(&mut page, "`backup expire`");
    document::<backups::hold::Report>(&mut page, "`backup hold`");
    document::<backups::release::Report>(&mut page, "`backup release`");
    document::<RestoreReport>(&mut page, "`restore create`");
    document::<PlanDocument>(&mut page, "`restore create --dry-run`");
    document::<DrillReport>(&mut page, "`restore drill`");
    document::<CleanUpReport>(&mut page, "`restore drill --clean-up`");
    document::<Found>(&mut page, "`restore get NAME`");
    document::<List<restore::delete::Report>>(&mut page, "`restore delete`");
    document::<Schedule>(&mut page, "`schedule create`: Velero's document, and ours besides");
    document::<schedule::view::Shown<'_>>(&mut page, "`schedule get NAME`");
    document::<schedule::describe::Described<'_>>(&mut page, "`schedule describe NAME`");
    document::<schedule::check::Report>(&mut page, "`schedule check`");
    document::<schedule::pause::Report>(&mut page, "`schedule pause` and `schedule unpause`");
    document::<schedule::adopt::Report>(&mut page, "`schedule adopt`");
    document::<List<schedule::delete::Report>>(&mut page, "`schedule delete`");
    document::<List<location::get::Row>>(&mut page, "`location get`");
    document::<CheckReport>(&mut page, "`location check`");
    document::<Versions>(&mut page, "`version`");
    document::<Notice>(&mut page, "What `--notify` posts");
    document::<Failed>(&mut page, "A run that failed, of whatever command");
    expect_file!["../../../docs/reference/json.md"].assert_eq(&page);
}

/// What differs.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its fields' names are read")]
struct Diff {
    /// What is compared.
    #[serde(flatten)]
    header: DiffHeader,
    /// Every object that is not the same, by resource, namespace and name.
    items: Vec<Change>,
    /// What it comes to.
    #[serde(flatten)]
    footer: DiffFooter,
}

/// A list.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its fields' names are read")]
struct List<T> {
    /// One for each.
    items: Vec<T>,
}

/// What is printed instead.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its fields' names are read")]
struct Failed {
    /// Why nothing else is printed.
    error: Failure,
}

/// An error.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its fields' names are read")]
struct Failure {
    /// What failed.
    message: String,
    /// Why, the nearest cause first.
    causes: Vec<String>,
    /// What would help.
    hint: Option<String>,
    /// The exit code.
    exit_code: u8,
}

//! The rules about who may know whom, checked on the source text.
//!
//! `docs/contributing.md` explains them. A rule that is broken is named with its file and line.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of a source file.
const MAX_LINES: usize = 500;

/// All that may lie at the top level, beside dotfiles and what is built.
const TOP_LEVEL: [&str; 9] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "docs",
    "plugins",
    "src",
    "tests",
];

/// The engine's modules in layers, the lowest first; each may use those in lower layers.
///
/// What is not named is an operation. In a layer none knows the others, but in the lowest, which
/// is plain data.
const LAYERS: [&[&str]; 6] = [
    &["model", "event", "report", "journal", "clock", "stop"],
    &["archive", "cluster", "store"],
    &["context"],
    &[], // the operations: backup, restore, ...
    &["run"],
    &["schedule", "drill"],
];
const OPERATIONS: usize = 3;
const CLI: usize = LAYERS.len();

/// What only one place may say: the words, where, and why.
const ONLY: [(&[&str], &str, &str); 4] = [
    (
        &["println!", "eprintln!", "print!", "eprint!", "dbg!", "stdout()", "stderr()"],
        "src/cli/",
        "only the CLI prints",
    ),
    (&["env::var", "env::args", "env::home_dir"], "src/cli/", "only the CLI reads the environment"),
    (&["kube::", "kube_client::", "kube_core::"], "src/engine/cluster/", "only engine::cluster"),
    (
        &["bowline_local::", "bowline_aws::", "bowline_csi::"],
        "src/cli/plugins.rs",
        "only cli::plugins names plugins",
    ),
];

/// Beginnings and parts of keys in a bucket, which only `store::layout` may hold.
const KEYS: [&str; 13] = [
    "\"backups/",
    "\"restores/",
    "metadata/bowline",
    "velero-backup.json",
    "bowline-attempt.json",
    "bowline-index.json",
    "bowline-digests.json",
    "bowline-pending.json",
    "bowline-provider-",
    "bowline-report.json",
    "bowline-restore.json",
    "bowline-result.json",
    "-volumeinfo.json",
];

/// A source file by its path from the root, which says where in the layers it is.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        let length = self.text.lines().count();
        if length > MAX_LINES {
            found.push(format!("{}: {length} lines, at most {MAX_LINES}", self.path));
        }
        if self.path.starts_with("tests/") || self.is_test() {
            return found;
        }
        let with_strings = uncommented(without_tests(self.text), true);
        let code = uncommented(without_tests(self.text), false);
        found.extend(self.imports(&code));
        found.extend(self.words(&code));
        found.extend(self.keys(&with_strings));
        found
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Paths to a module that is not to the right of this one in the order of layers.
    fn imports(&self, code: &str) -> Vec<String> {
        let Some(own) = self.module() else { return Vec::new() };
        let mut found = Vec::new();
        for (line, path) in paths(code, &own) {
            let target = Layer::of(&path);
            if !Layer::of(&own).may_import(&target) {
                found.push(format!("{}:{line}: must not use {}", self.path, path.join("::")));
            }
        }
        found
    }

    /// The path of the module that this file is, below the crate.
    fn module(&self) -> Option<Vec<String>> {
        let path = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let path = path.strip_suffix("/mod").unwrap_or(path);
        Some(path.split('/').map(str::to_owned).collect())
    }

    fn words(&self, code: &str) -> Vec<String> {
        let rules = ONLY.iter().filter(|(_, place, _)| !self.path.starts_with(place));
        let said = rules.flat_map(|(words, _, why)| words.iter().map(move |word| (*word, *why)));
        said.flat_map(|(word, why)| {
            lines_with(code, word).map(move |line| format!("{}:{line}: {word}: {why}", self.path))
        })
        .collect()
    }

    fn keys(&self, code: &str) -> Vec<String> {
        let is_bound = self.path.starts_with("src/");
        if !is_bound || self.path.starts_with("src/engine/store/layout") {
            return Vec::new();
        }
        let found = KEYS.iter().flat_map(|key| lines_with(code, key).map(move |line| (line, key)));
        found
            .map(|(line, key)| format!("{}:{line}: {key}: a key of the bucket", self.path))
            .collect()
    }
}

/// Where a module stands: its height, and its name among siblings of that height.
#[derive(Debug, PartialEq, Eq)]
struct Layer {
    height: usize,
    name: String,
}

impl Layer {
    fn of(module: &[String]) -> Self {
        let names: Vec<&str> = module.iter().map(String::as_str).collect();
        let (height, name) = match names[..] {
            ["engine", name, ..] => {
                let known = LAYERS.iter().position(|layer| layer.contains(&name));
                (known.unwrap_or(OPERATIONS), name)
            }
            // The engine as a whole holds every operation.
            ["engine"] => (CLI, "engine"),
            ["cli", ..] => (CLI, "cli"),
            _ => (CLI + 1, ""),
        };
        Self { height, name: name.to_owned() }
    }

    fn may_import(&self, other: &Self) -> bool {
        let is_lower = self.height > other.height;
        let are_data = self.height == 0 && other.height == 0;
        is_lower || are_data || self == other || (self.name == "cli" && other.name == "engine")
    }
}

/// Every path in the code that begins with `crate`, `super` or the crate's own name, from the
/// crate's root, with its line.
fn paths(code: &str, own: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "bowline::"] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].trim_end();
            // The middle of `super::super::`, or the end of another name.
            if before.ends_with("::") || code[..at].ends_with(is_name) {
                continue;
            }
            let line = code[..at].lines().count().max(1);
            let mut leaves = Vec::new();
            tree(&code[at..], &[], &mut leaves);
            found.extend(leaves.into_iter().map(|leaf| (line, absolute(&leaf, own))));
        }
    }
    found
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths of a use tree, `a::{b, c::d}`; returns what follows it.
fn tree<'a>(text: &'a str, prefix: &[String], leaves: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    let mut path = prefix.to_vec();
    if let Some(mut rest) = text.strip_prefix('{') {
        while !rest.trim_start().starts_with('}') {
            let next = tree(rest, &path, leaves).trim_start();
            let next = next.strip_prefix(',').unwrap_or(next);
            if next.len() == rest.len() {
                break; // not a use tree after all
            }
            rest = next;
        }
        return rest.trim_start().strip_prefix('}').unwrap_or(rest);
    }
    let (name, rest) = text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()));
    path.extend((!name.is_empty()).then(|| name.to_owned()));
    match rest.trim_start().strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => tree(rest, &path, leaves),
        _ => {
            leaves.push(path);
            rest.trim_start_matches('*')
        }
    }
}

fn absolute(path: &[String], own: &[String]) -> Vec<String> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    match supers {
        0 => path[1..].to_vec(),
        _ => [&own[..own.len().saturating_sub(supers)], &path[supers..]].concat(),
    }
}

/// The numbers of the lines that say `word`, not as the end of a longer one.
fn lines_with<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.lines().enumerate().filter_map(move |(index, line)| {
        let starts = |at: usize| !line[..at].ends_with(is_name) || !word.starts_with(is_name);
        line.match_indices(word).any(|(at, _)| starts(at)).then_some(index + 1)
    })
}

/// The text up to the module of unit tests.
fn without_tests(text: &str) -> &str {
    let is_module = |at: usize| {
        let item = text[at..].lines().find(|line| !line.trim_start().starts_with("#["));
        item.is_some_and(|item| item.contains("mod ") && !item.trim_end().ends_with(';'))
    };
    let mut marks = text.match_indices("#[cfg(test)]").map(|(at, _)| at);
    marks.find(|at| is_module(*at)).map_or(text, |at| &text[..at])
}

/// The text without comments and, if so wanted, with its strings emptied; lines stay in place.
fn uncommented(text: &str, keep_strings: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (length, kept) = match c {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => {
                (rest.find("*/").map_or(rest.len(), |at| at + 2), false)
            }
            'r' if !out.ends_with(is_name) && raw_string(rest).is_some() => {
                (raw_string(rest).unwrap(), keep_strings)
            }
            '"' => (string(rest), keep_strings),
            '\'' => (character(rest), true),
            c => (c.len_utf8(), true),
        };
        let (token, after) = rest.split_at(length);
        match (kept, c) {
            (true, _) => out += token,
            (false, _) => out.extend(token.chars().filter(|c| *c == '\n')),
        }
        rest = after;
    }
    out
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let open = 1 + hashes;
    text[open..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(text[open + 1..].find(&close).map_or(text.len(), |at| open + 1 + at + close.len()))
}

/// A character in quotes, or the quote of a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => text[3..].find('\'').map_or(1, |at| at + 4),
        (_, Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below `folder`, but what is built and what has a workspace of its own.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !matches!(name, "target" | "fuzz") {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_file_keeps_the_rules() {
    let files: Vec<_> =
        ["src", "plugins", "tests"].iter().flat_map(|dir| rust_files(&root().join(dir))).collect();
    assert!(files.len() > 10, "found only {} files", files.len());
    let broken: Vec<_> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(root()).unwrap().to_str().unwrap();
            Source { path, text: &fs::read_to_string(file).unwrap() }.violations()
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn nothing_is_added_to_the_top_level() {
    let entries = fs::read_dir(root()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let odd: BTreeSet<_> = names
        .filter(|name| !name.starts_with('.') && name != "target")
        .filter(|name| !TOP_LEVEL.contains(&name.as_str()))
        .collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn the_plugins_know_nothing_but_their_api() {
    for entry in fs::read_dir(root().join("plugins")).unwrap() {
        let manifest = fs::read_to_string(entry.unwrap().path().join("Cargo.toml")).unwrap();
        let used = manifest.split("[dev-dependencies]").next().unwrap();
        let dependencies = used.lines().filter(|line| !line.starts_with("name"));
        let odd: Vec<_> = dependencies
            .filter(|line| line.starts_with("bowline") && !line.starts_with("bowline-api"))
            .chain(manifest.lines().filter(|line| line.starts_with("kube")))
            .collect();
        assert!(odd.is_empty(), "{odd:?}");
    }
}

/// The checker itself, on source that breaks a rule and source that keeps it.
mod checker {
    use super::Source;

    fn broken(path: &str, text: &str) -> String {
        Source { path, text }.violations().join("\n")
    }

    #[test]
    fn a_path_to_the_left_is_found_in_every_form() {
        for text in [
            "use crate::engine::restore::Plan;",
            "use crate::engine::{model, restore::Plan};",
            "use crate::{engine::{model::{self, Kind}, restore}, engine::event};",
            "use super::super::restore::plan;",
            "use super::super::{\n    model,\n    restore,\n};",
            "fn f() { crate::engine::restore::run() }",
            "use crate::engine::run::Engine;",
            "use crate::engine::schedule;",
            "use crate::cli::exit::Exit;",
            "use crate::engine;",
            "use super::super::*;",
        ] {
            let found = broken("src/engine/backup/plan.rs", text);
            assert!(found.contains("must not use"), "{text}");
        }
        let found = broken("src/engine/backup/plan.rs", "\nuse super::super::restore::x;");
        assert_eq!(found, "src/engine/backup/plan.rs:2: must not use engine::restore::x");
    }

    #[test]
    fn siblings_below_the_operations_do_not_know_one_another_either() {
        assert_ne!(broken("src/engine/store/mod.rs", "use super::archive::Index;"), "");
        assert_ne!(
            broken("src/engine/archive/read.rs", "use crate::engine::cluster::Cluster;"),
            ""
        );
        assert_ne!(broken("src/engine/model/kind.rs", "use crate::engine::store::layout;"), "");
        assert_ne!(broken("src/engine/store/mod.rs", "use crate::engine::context::Context;"), "");
    }

    #[test]
    fn a_path_to_the_right_or_within_is_fine() {
        let text = "use crate::engine::{model::Kind, store, archive::{read, write}};\n\
                    use super::plan::Plan; use super::super::event::{Event, Observer};\n\
                    use crate::engine::context::Context;\n\
                    // use crate::cli; \n const A: &str = \"crate::cli::x\";\n\
                    #[cfg(test)]\nmod tests { use crate::engine::restore; }";
        assert_eq!(broken("src/engine/backup/plan.rs", text), "");
        assert_eq!(broken("src/engine/event.rs", "use super::report::Problem;"), "");
        assert_eq!(broken("src/engine/run.rs", "use super::{backup, restore};"), "");
        assert_eq!(broken("src/cli/commands/backup/create.rs", "use crate::engine::run;"), "");
        assert_eq!(broken("src/main.rs", "fn main() { bowline::cli::main() }"), "");
    }

    #[test]
    fn what_only_one_place_may_say_is_found_elsewhere() {
        for (text, path) in [
            ("fn f() { println!(\"x\") }", "src/cli/output.rs"),
            ("let out = std::io::stdout();", "src/cli/output.rs"),
            ("let home = std::env::var_os(\"HOME\");", "src/cli/settings.rs"),
            ("use kube::Client;", "src/engine/cluster/mod.rs"),
            ("use bowline_local::Directory;", "src/cli/plugins.rs"),
            ("let key = \"velero-backup.json\";", "src/engine/store/layout.rs"),
            ("let key = format!(\"backups/{name}\");", "src/engine/store/layout.rs"),
        ] {
            assert_ne!(broken("src/engine/run.rs", text), "", "{text}");
            assert_eq!(broken(path, text), "", "{text}");
        }
        assert_eq!(broken("src/engine/run.rs", "let v = env!(\"X\"); my_kube::x(); // kube::"), "");
    }

    #[test]
    fn code_after_a_string_or_a_character_is_still_seen() {
        for text in [
            "let a = \"\\\"//\"; kube::x();",
            "let a = '\"'; kube::x();",
            "let a = '\\''; kube::x();",
            "let a = r#\"\"//\"#; kube::x();",
            "fn f<'a>(a: &'a str) { kube::x(); }",
            "/* \" */ kube::x();",
            "#[cfg(test)]\nmod tests;\nfn f() { kube::x(); }",
            "#[cfg(test)]\nuse a::b;\nfn f() { kube::x(); }",
        ] {
            assert_ne!(broken("src/engine/run.rs", text), "", "{text}");
        }
    }

    #[test]
    fn a_file_has_its_limit() {
        assert_eq!(broken("tests/e2e/main.rs", &"\n".repeat(500)), "");
        assert_ne!(broken("tests/e2e/main.rs", &"\n".repeat(501)), "");
    }
}

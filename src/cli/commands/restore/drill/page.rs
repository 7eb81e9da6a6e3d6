//! What came of a drill, for people.

use std::fmt;

use crate::cli::commands::restore::summary::Outcome;
use crate::cli::problems;
use crate::cli::table::Table;
use crate::engine::drill::{CleanUpReport, DrillReport, Fate, TakeDownState};
use crate::engine::model::drill::{Checked, Verdict};
use crate::engine::report::Problem;

/// What a drill showed, and what is left of it.
pub(super) struct Summary<'a> {
    pub report: &'a DrillReport,
    /// What takes it down.
    pub clean_up: &'a str,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let evidence = &self.report.evidence;
        if let Some(restore) = &evidence.restore {
            write!(f, "{}", problems::sections(&restore.errors, &restore.warnings))?;
            write!(f, "{}", Outcome(restore))?;
        }
        let mut namespaces = Table::new(["NAMESPACE", "DRILLED IN"]);
        namespaces.extend(evidence.namespaces.iter().map(|(a, b)| [a.clone(), b.clone()]));
        writeln!(f, "\n{namespaces}")?;
        self.report.remarks.iter().try_for_each(|remark| writeln!(f, "{remark}"))?;
        if let Some(check) = &evidence.check {
            write_check(f, check)?;
        }
        write!(f, "drill of backup {}: {}", evidence.backup, evidence.verdict.word())?;
        match &evidence.reason {
            Some(reason) => writeln!(f, ": {reason}")?,
            None => writeln!(f)?,
        }
        let take_down = &self.report.take_down;
        match take_down.state {
            TakeDownState::Done if evidence.verdict == Verdict::Failed => {
                writeln!(f, "all of it was taken down; --keep leaves it, to look at it")
            }
            TakeDownState::Done => writeln!(f, "all of it was taken down"),
            TakeDownState::Kept => writeln!(f, "it is kept; to take it down: {}", self.clean_up),
            TakeDownState::Incomplete => {
                write_left(f, &take_down.left)?;
                writeln!(f, "to take that down: {}", self.clean_up)
            }
        }
    }
}

fn write_check(f: &mut fmt::Formatter<'_>, check: &Checked) -> fmt::Result {
    writeln!(f, "check: {}", check.command)?;
    check.output.lines().try_for_each(|line| writeln!(f, "  {line}"))
}

fn write_left(f: &mut fmt::Formatter<'_>, left: &[Problem]) -> fmt::Result {
    left.iter().try_for_each(|problem| writeln!(f, "left: {problem}"))
}

/// What became of the drills that something was left of.
pub(super) struct CleanUpPage<'a>(pub &'a CleanUpReport);

impl fmt::Display for CleanUpPage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["BACKUP", "DRILL", "STATE"]);
        for item in &self.0.items {
            table.push([item.backup.clone(), item.uid.clone(), words(item.state).to_owned()]);
        }
        write!(f, "{table}")?;
        self.0.items.iter().try_for_each(|item| write_left(f, &item.left))
    }
}

fn words(state: Fate) -> &'static str {
    match state {
        Fate::Done => "taken down",
        Fate::Incomplete => "something is left",
        Fate::Running => "may still run: its UID takes it down all the same",
        Fate::Elsewhere => "in another cluster",
    }
}

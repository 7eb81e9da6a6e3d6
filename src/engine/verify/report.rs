//! What was looked at, and what is wrong.

use serde::Serialize;

use super::level::Level;
use crate::engine::report::Phase;

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// The backup's name.
    pub name: String,
    /// The URL of the location.
    pub location: String,
    /// How thoroughly it was looked at.
    pub level: Level,
    /// How the backup ended.
    pub phase: Phase,
    /// Whether all that was to be looked at could be, and nothing is wrong with it.
    ///
    /// What cannot be verified (Velero leaves no digests) is told in its check and does not count.
    pub verified: bool,
    /// Every check of the level, in order.
    pub checks: Vec<Check>,
    /// What is wrong.
    pub problems: Vec<Finding>,
    /// What is odd, or was not in reach of any check.
    pub warnings: Vec<Finding>,
}

/// One thing that was to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Check {
    /// What: `document`, `files`, `digests`, `archive`, `index`, `sideFiles`, `records`, `snapshots`.
    pub check: &'static str,
    /// The level that it belongs to.
    pub level: Level,
    /// What came of it.
    pub result: CheckResult,
    /// What exactly was looked at, or why it was not.
    pub detail: String,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum CheckResult {
    /// Nothing is wrong.
    Passed,
    /// Something is; the problems tell what.
    Failed,
    /// There is nothing to compare with, and something weaker was looked at.
    NotVerifiable,
    /// It was not looked at: what it needs is damaged.
    NotChecked,
    /// Who has to be asked gave no answer.
    Unreachable,
}

impl CheckResult {
    /// The words that tables print.
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotVerifiable => "not verifiable",
            Self::NotChecked => "not checked",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// The backup as a whole.
    Backup,
    /// A file, by its key.
    File,
    /// An object of the archive.
    Object,
    /// A snapshot, by its provider's name for it.
    Snapshot,
}

impl About {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::File => "file",
            Self::Object => "object",
            Self::Snapshot => "snapshot",
        }
    }
}

/// Something that is wrong, or odd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The check that found it.
    pub check: &'static str,
    /// What sort of thing it is about.
    pub about: About,
    /// Which one.
    pub name: String,
    /// What is wrong with it.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
}

impl Finding {
    /// Says what would help.
    #[must_use]
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// About a file of the bucket.
    pub(super) fn of_file(check: &'static str, key: &str, message: impl Into<String>) -> Self {
        Self::of(check, About::File, key, message)
    }

    /// About anything.
    pub(super) fn of(
        check: &'static str,
        about: About,
        name: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { check, about, name: name.into(), message: message.into(), hint: None }
    }
}

impl VerifyReport {
    pub(super) fn new(name: &str, location: &str, level: Level) -> Self {
        Self {
            name: name.to_owned(),
            location: location.to_owned(),
            level,
            phase: Phase::Incomplete,
            verified: false,
            checks: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, finding: Finding) {
        self.problems.push(finding);
    }

    pub(super) fn warn(&mut self, finding: Finding) {
        self.warnings.push(finding);
    }

    /// Whether something is wrong with this file already.
    pub(super) fn is_known(&self, key: &str) -> bool {
        self.problems.iter().any(|it| it.about == About::File && it.name == key)
    }

    /// Ends a check: it passed unless it found something.
    pub(super) fn conclude(&mut self, (check, level): Named, detail: impl Into<String>) {
        self.conclude_as((check, level), CheckResult::Passed, detail);
    }

    /// Ends a check with this result, unless it found something.
    pub(super) fn conclude_as(
        &mut self,
        (check, level): Named,
        result: CheckResult,
        detail: impl Into<String>,
    ) {
        let count = self.problems.iter().filter(|finding| finding.check == check).count();
        let (result, detail) = match count {
            0 => (result, detail.into()),
            1 => (CheckResult::Failed, "1 problem".to_owned()),
            _ => (CheckResult::Failed, format!("{count} problems")),
        };
        self.checks.push(Check { check, level, result, detail });
    }

    /// Ends the whole: no check of the level is passed over in silence.
    pub(super) fn finish(mut self) -> Self {
        let level = self.level;
        for named in CHECKS.iter().filter(|(_, of)| *of <= level) {
            if !self.checks.iter().any(|check| check.check == named.0) {
                self.conclude_as(*named, CheckResult::NotChecked, "the backup is not good so far");
            }
        }
        let order = |check: &Check| CHECKS.iter().position(|(name, _)| *name == check.check);
        self.checks.sort_by_key(order);
        self.verified = self.problems.is_empty()
            && self.checks.iter().all(|check| {
                matches!(check.result, CheckResult::Passed | CheckResult::NotVerifiable)
            });
        self
    }
}

/// A check by its name, and its level.
pub(super) type Named = (&'static str, Level);

pub(super) const DOCUMENT: Named = ("document", Level::Exists);
pub(super) const FILES: Named = ("files", Level::Exists);
pub(super) const DIGESTS: Named = ("digests", Level::Hash);
pub(super) const ARCHIVE: Named = ("archive", Level::Parse);
pub(super) const INDEX: Named = ("index", Level::Parse);
pub(super) const SIDE_FILES: Named = ("sideFiles", Level::Parse);
pub(super) const RECORDS: Named = ("records", Level::Parse);
pub(super) const SNAPSHOTS: Named = ("snapshots", Level::Snapshots);

/// All checks, in order.
const CHECKS: [Named; 8] =
    [DOCUMENT, FILES, DIGESTS, ARCHIVE, INDEX, SIDE_FILES, RECORDS, SNAPSHOTS];

//! A plan as people and programs read it: a header, every object, and what it comes to.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::plan::Verdict;
use super::rehearsal::{DryRun, Rehearsal, RehearsalCounts};
use crate::engine::archive::IgnoredEntry;
use crate::engine::context::Right;
use crate::engine::model::difference::Difference;
use crate::engine::report::Problem;

/// One object of the plan, as it is printed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlannedItem {
    /// The step in which it is dealt with.
    pub step: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// The group and resource.
    pub resource: String,
    /// The namespace in the target.
    pub namespace: Option<String>,
    /// The name in the target.
    pub name: String,
    /// Why.
    pub reason: Option<String>,
    /// What would help, where it is not made as it should be.
    pub hint: Option<String>,
    /// How it is changed before it is made; of an update only what it brings.
    pub transformations: Vec<String>,
    /// What it still names by an old name, and nothing changes: for a person to look at.
    pub hints: Vec<String>,
    /// Where what would be made differs from what is there; of very many differences the first.
    pub differences: Vec<Difference>,
    /// What the API server said to it; of `--dry-run=server` only.
    pub server_dry_run: Option<Rehearsal>,
}

/// What is known before the first object.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanHeader {
    /// The restore's name.
    pub name: String,
    /// The backup.
    pub backup: String,
    /// How thoroughly the plan was tried out.
    pub dry_run: DryRun,
    /// Namespaces that come back under another name.
    pub namespace_mapping: BTreeMap<String, String>,
    /// What the restore needs to be allowed, and whether it is.
    pub rights: Vec<Right>,
    /// What is odd about it, although it can be carried out.
    pub warnings: Vec<Problem>,
    /// Entries of the archive that mean nothing to a restore; of very many the first.
    pub ignored: Vec<IgnoredEntry>,
}

/// What is known after the last object.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanFooter {
    /// How many objects have which verdict.
    pub counts: BTreeMap<&'static str, u64>,
    /// How many objects the API server took, refused or was not asked about; of `--dry-run=server`
    /// only.
    pub server_dry_run: Option<RehearsalCounts>,
}

/// Takes a plan as it is written: nothing holds it as a whole.
pub trait PlanReader: Send {
    /// Takes what comes before all objects; called once.
    fn begin(&mut self, header: PlanHeader) -> io::Result<()>;

    /// Takes the next object, in the order of the steps.
    fn item(&mut self, item: PlannedItem) -> io::Result<()>;
}

/// The whole plan, as it is printed.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlanDocument {
    /// The restore's name.
    pub name: String,
    /// The backup.
    pub backup: String,
    /// How thoroughly the plan was tried out.
    pub dry_run: DryRun,
    /// Namespaces that come back under another name.
    pub namespace_mapping: BTreeMap<String, String>,
    /// What the restore needs to be allowed, and whether it is.
    pub rights: Vec<Right>,
    /// What is odd about it, although it can be carried out.
    pub warnings: Vec<Problem>,
    /// Entries of the archive that mean nothing to a restore; of very many the first.
    pub ignored: Vec<IgnoredEntry>,
    /// Every object, in the order of the steps.
    pub items: Vec<PlannedItem>,
    /// How many objects have which verdict.
    pub counts: BTreeMap<&'static str, u64>,
    /// How many objects the API server took, refused or was not asked about; of `--dry-run=server`
    /// only.
    pub server_dry_run: Option<RehearsalCounts>,
}

impl PlanDocument {
    /// Takes what comes after all objects.
    pub fn end(&mut self, footer: PlanFooter) {
        let PlanFooter { counts, server_dry_run } = footer;
        (self.counts, self.server_dry_run) = (counts, server_dry_run);
    }
}

/// Holds the plan as a whole, for those who want that.
impl PlanReader for PlanDocument {
    fn begin(&mut self, header: PlanHeader) -> io::Result<()> {
        let PlanHeader { name, backup, dry_run, namespace_mapping, rights, warnings, ignored } =
            header;
        *self = Self {
            name,
            backup,
            dry_run,
            namespace_mapping,
            rights,
            warnings,
            ignored,
            ..Self::default()
        };
        Ok(())
    }

    fn item(&mut self, item: PlannedItem) -> io::Result<()> {
        self.items.push(item);
        Ok(())
    }
}

impl PlanFooter {
    /// Counts an object in.
    pub(super) fn count(&mut self, item: &PlannedItem) {
        *self.counts.entry(item.verdict.word()).or_insert(0) += 1;
        if let Some(rehearsal) = &item.server_dry_run {
            self.server_dry_run.get_or_insert_default().count(rehearsal.status);
        }
    }
}

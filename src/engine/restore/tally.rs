//! What became of the objects of each kind.

use std::collections::BTreeMap;

use super::execute::{Execution, Outcome};
use super::plan::Verdict;
use crate::engine::report::ItemCounts;

impl Outcome {
    /// Adds one to the count that it belongs to.
    pub(super) fn count(self, counts: &mut ItemCounts) {
        match self {
            Self::Created => counts.created += 1,
            Self::Updated | Self::Recreated => counts.updated += 1,
            Self::Unchanged => counts.unchanged += 1,
            Self::Differs | Self::Skipped => counts.skipped += 1,
            Self::Failed => counts.failed += 1,
        }
    }
}

impl Execution<'_> {
    /// Counts the outcomes by kind; together they are the counts of all.
    pub(super) fn counts_by_kind(&self) -> BTreeMap<String, ItemCounts> {
        let mut kinds: BTreeMap<String, ItemCounts> = BTreeMap::new();
        for (index, row) in self.plan.rows.iter().enumerate() {
            let counts = kinds.entry(row.entry.resource().to_string()).or_default();
            counts.planned += 1;
            if let Some(outcome) = self.outcome(index) {
                outcome.count(counts);
            }
        }
        for missing in &self.plan.missing {
            let counts = kinds.entry(missing.id.resource.to_string()).or_default();
            counts.planned += 1;
            match missing.verdict {
                Verdict::Refuse => counts.failed += 1,
                _ => counts.skipped += 1,
            }
        }
        kinds
    }
}

//! What a person should look at about objects that are back.
//!
//! The plan says it of each; a run has it in its report for the first ones, and in its log for all.

use std::sync::atomic::{AtomicUsize, Ordering};

use bowline_api::ItemId;

use super::execute::Execution;
use super::plan::Verdict;
use super::prepare::Prepared;
use crate::engine::report::Problem;

/// How many objects the report names.
const NAMED: usize = 50;

/// Of how many objects something was remarked.
#[derive(Debug, Default)]
pub(super) struct Remarks(AtomicUsize);

/// What is to be said of an object once it is made, in one line.
///
/// One that is updated loses nothing that the plan does not show as a difference.
pub(super) fn of(verdict: Verdict, prepared: &Prepared) -> String {
    let losses = match verdict {
        Verdict::Update => &[],
        _ => &prepared.losses[..],
    };
    let told: Vec<&str> = losses.iter().chain(&prepared.hints).map(String::as_str).collect();
    told.join("; ")
}

impl Execution<'_> {
    /// Tells what is to be looked at about an object that was made or changed.
    pub(super) fn remark(&self, target: &ItemId, remark: String) {
        if remark.is_empty() {
            return;
        }
        if self.remarks.0.fetch_add(1, Ordering::Relaxed) < NAMED {
            self.journal.warn(Problem::of_item(target, "prepare", remark));
        } else {
            self.journal.log_about(target, &remark);
        }
    }

    /// Tells of how many objects more the log alone says what is to be looked at.
    pub(super) fn count_remarks(&self) {
        let more = self.remarks.0.load(Ordering::Relaxed).saturating_sub(NAMED);
        if more > 0 {
            let message = format!("{more} more objects are to be looked at: the log names them");
            let hint = format!("bowline restore logs {}", self.request.name);
            self.journal.warn(Problem::of_run("prepare", message).with_hint(hint));
        }
    }
}

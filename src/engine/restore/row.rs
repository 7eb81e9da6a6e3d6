//! What is planned for one object.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::plan::{EMPTY, Turn, Verdict};
use super::staging::Stage;
use crate::engine::archive::Entry;
use crate::engine::model::OwnerReference;
use crate::engine::model::difference::Difference;
use crate::engine::model::kinds::Step;

/// One object of the plan, in 32 bytes.
///
/// Backups hold hundreds of thousands of objects, and of most there is nothing to say but that they
/// are made.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub entry: Entry<'a>,
    /// What there is to say of it.
    more: Option<Box<More>>,
    pub step: Step,
    pub verdict: Verdict,
    /// When it comes among the others of its step.
    pub turn: Turn,
    /// Whether an interrupted run of this very restore made it.
    pub ours: bool,
    /// Whether it is a job that comes back as finished: its owner would run it once more.
    pub finished: bool,
    /// Whether an object of its name is there that is being deleted: that is awaited first.
    pub dying: bool,
}

/// What there is to say of some objects.
#[derive(Debug, Default)]
pub(super) struct More {
    pub reason: Cow<'static, str>,
    /// The identity that the object had, where another one of the plan names it as its owner.
    pub uid: Option<String>,
    /// The identity of the live object, where it exists already.
    pub live_uid: Option<String>,
    /// Where it differs from the live object, as far as that is told.
    pub differences: Vec<Difference>,
    /// The marks of all that differs: an update or a recreation may meet nothing else.
    pub seen: BTreeSet<String>,
    /// What would help, where it is refused.
    pub hint: Option<&'static str>,
    /// The owners of the object, as recorded, where these may make it again.
    pub owners: Vec<OwnerReference>,
    /// What the order of steps alone does not say of it.
    pub stage: Option<Stage>,
}

impl<'a> Row<'a> {
    /// An object that is made.
    pub(super) fn new(entry: Entry<'a>, step: Step) -> Self {
        Self {
            entry,
            more: None,
            step,
            verdict: Verdict::Create,
            turn: Turn::Rest,
            ours: false,
            finished: false,
            dying: false,
        }
    }

    pub(super) fn decide(&mut self, verdict: Verdict, reason: impl Into<Cow<'static, str>>) {
        self.verdict = verdict;
        self.explain(reason);
    }

    /// Says why, whatever is decided.
    pub(super) fn explain(&mut self, reason: impl Into<Cow<'static, str>>) {
        let reason = reason.into();
        if self.more.is_some() || !reason.is_empty() {
            self.more_mut().reason = reason;
        }
    }

    /// What else there is to say of it.
    pub(super) fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    fn more(&self) -> Option<&More> {
        self.more.as_deref()
    }

    pub(super) fn reason(&self) -> &str {
        self.more().map_or("", |more| &more.reason)
    }

    pub(super) fn uid(&self) -> Option<&str> {
        self.more()?.uid.as_deref()
    }

    pub(super) fn live_uid(&self) -> Option<&str> {
        self.more()?.live_uid.as_deref()
    }

    pub(super) fn differences(&self) -> &[Difference] {
        self.more().map_or(&[], |more| &more.differences)
    }

    /// How many marks of differences there are.
    pub(super) fn seen(&self) -> usize {
        self.more().map_or(0, |more| more.seen.len())
    }

    /// Whether the live object differed in this when the plan was made.
    pub(super) fn has_seen(&self, mark: &str) -> bool {
        self.more().is_some_and(|more| more.seen.contains(mark))
    }

    pub(super) fn hint(&self) -> Option<&'static str> {
        self.more()?.hint
    }

    pub(super) fn owners(&self) -> &[OwnerReference] {
        self.more().map_or(&[], |more| &more.owners)
    }

    /// The owner that manages the object.
    pub(super) fn controller(&self) -> Option<&OwnerReference> {
        self.owners().iter().find(|owner| owner.controller)
    }

    pub(super) fn stage(&self) -> Option<&Stage> {
        self.more()?.stage.as_ref()
    }

    /// Whether it is a claim that comes back without its data.
    pub(super) fn is_empty(&self) -> bool {
        self.reason().starts_with(EMPTY)
    }

    /// Whether the object itself is made, changed or made anew.
    pub(super) fn is_applied(&self) -> bool {
        matches!(self.verdict, Verdict::Create | Verdict::Update | Verdict::Recreate)
    }

    /// Whether it is there once the plan is carried out.
    pub(super) fn is_made(&self) -> bool {
        matches!(
            self.verdict,
            Verdict::Create
                | Verdict::Unchanged
                | Verdict::Update
                | Verdict::Recreate
                | Verdict::Reattach
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_small() {
        assert_eq!(size_of::<Row<'_>>(), 32);
    }
}

//! How far the hooks of a pod have come, kept by the pod itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::engine::model::Object;
use crate::engine::model::fields::text_at;
use crate::engine::model::hooks::RESTORED;

/// Which hooks of a pod this restore has run: `UID: 0 2`.
///
/// Written after each, so that one may run twice if a restore breaks off in between, and none is
/// left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Done(BTreeSet<usize>);

impl Done {
    /// What a pod says of this restore.
    pub(super) fn of(pod: &Object, restore: &str) -> Self {
        let text = text_at(pod, &["metadata", "annotations", RESTORED]).unwrap_or_default();
        let done = text.strip_prefix(restore).and_then(|rest| rest.strip_prefix(':'));
        Self(done.unwrap_or_default().split_whitespace().filter_map(|it| it.parse().ok()).collect())
    }

    pub(super) fn has(&self, hook: usize) -> bool {
        self.0.contains(&hook)
    }

    pub(super) fn note(&mut self, hook: usize) {
        self.0.insert(hook);
    }

    /// The patch that says so.
    pub(super) fn patch(&self, restore: &str) -> Value {
        let done: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        let done = format!("{restore}: {}", done.join(" "));
        json!({"metadata": {"annotations": {RESTORED: done}}})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_read_back_by_the_same_restore_only() {
        let mut done = Done::default();
        done.note(2);
        done.note(0);
        let pod = done.patch("u1");
        let pod = pod.as_object().unwrap();
        assert_eq!(Done::of(pod, "u1"), done);
        assert!(done.has(0) && done.has(2) && !done.has(1));
        assert_eq!(Done::of(pod, "u2"), Done::default());
        assert_eq!(Done::of(&Object::new(), "u1"), Done::default());
    }
}

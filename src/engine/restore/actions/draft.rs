use bowline_api::ItemId;

use crate::engine::model::Object;
use crate::engine::model::fields::{remove, retain, text_at};
use crate::engine::restore::Preparation;

/// A change that a person asked for: a map's, or a modifier's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine::restore) struct Alteration {
    /// What was changed, in words.
    pub(in crate::engine::restore) change: String,
    /// Where, as JSON pointers.
    pub(in crate::engine::restore) paths: Vec<String>,
}

/// An object while it is being prepared.
#[derive(Debug)]
pub(in crate::engine::restore) struct Draft<'a> {
    /// What it is called in the archive.
    pub(in crate::engine::restore) id: &'a ItemId,
    /// The object. Its metadata are still as recorded.
    pub(in crate::engine::restore) object: Object,
    /// What the restore as a whole decided.
    pub(in crate::engine::restore) context: &'a Preparation,
    /// What was changed so far.
    pub(in crate::engine::restore) changes: Vec<String>,
    /// Those of them that somebody may miss who relied on what it had.
    pub(in crate::engine::restore) losses: Vec<String>,
    /// Those of them that a person asked for.
    pub(in crate::engine::restore) alterations: Vec<Alteration>,
}

impl Draft<'_> {
    /// Tells what was changed: a fragment for people, without values of Secrets.
    pub(in crate::engine::restore) fn note(&mut self, change: impl Into<String>) {
        self.changes.push(change.into());
    }

    /// Tells a change that somebody may miss who relied on what it had.
    pub(super) fn note_loss(&mut self, change: String) {
        self.losses.push(change.clone());
        self.changes.push(change);
    }

    /// Tells a change that a person asked for.
    pub(in crate::engine::restore) fn alter(&mut self, alteration: Alteration) {
        self.changes.push(alteration.change.clone());
        self.alterations.push(alteration);
    }

    /// Drops the finalizers that are `unwanted`.
    pub(in crate::engine::restore) fn drop_finalizers(&mut self, unwanted: impl Fn(&str) -> bool) {
        let stays = |it: &serde_json::Value| !it.as_str().is_some_and(&unwanted);
        for finalizer in retain(&mut self.object, &["metadata", "finalizers"], stays) {
            self.note(format!("finalizer {} dropped", finalizer.as_str().unwrap_or_default()));
        }
    }

    /// Drops annotations; returns whether there were any.
    pub(in crate::engine::restore) fn drop_annotations(&mut self, keys: &[&str]) -> bool {
        let mut dropped = false;
        for key in keys {
            dropped |= remove(&mut self.object, &["metadata", "annotations", key]).is_some();
        }
        dropped
    }

    /// Drops labels at this path; returns whether there were any.
    pub(in crate::engine::restore) fn drop_labels(&mut self, path: &[&str], keys: &[&str]) -> bool {
        let mut dropped = false;
        for key in keys {
            let path: Vec<&str> = path.iter().copied().chain([*key]).collect();
            dropped |= remove(&mut self.object, &path).is_some();
        }
        dropped
    }

    /// Drops those references of a list whose `name` is `unwanted`; returns the names.
    pub(super) fn drop_named(
        &mut self,
        path: &[&str],
        unwanted: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let name = |value: &serde_json::Value| {
            value.as_object().and_then(|it| text_at(it, &["name"])).map(str::to_owned)
        };
        retain(&mut self.object, path, |value| !name(value).is_some_and(|it| unwanted(&it)))
            .iter()
            .filter_map(name)
            .collect()
    }
}

/// Prepares an object of a test: the object, and what was changed.
#[cfg(test)]
pub(super) fn prepared(
    id: &str,
    object: serde_json::Value,
    context: &Preparation,
) -> (serde_json::Value, Vec<String>) {
    use serde_json::Value;
    let id: ItemId = id.parse().unwrap();
    let Value::Object(object) = object else { panic!("not an object: {object}") };
    let prepared = crate::engine::restore::prepare::prepare(&id, object, context);
    (Value::Object(prepared.object), prepared.changes)
}

/// A restore of `shop` into `copy`.
#[cfg(test)]
pub(super) fn into_copy() -> Preparation {
    Preparation {
        namespaces: [("shop".to_owned(), "copy".to_owned())].into(),
        backup: "nightly".to_owned(),
        restore: "rescue".to_owned(),
        restore_uid: "11111111-2222-4333-8444-555555555555".to_owned(),
        ..Preparation::default()
    }
}

//! Which of several backups or restores are meant: by name, by label, or all of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::engine::model::selector::Selector;
use clap::Args;
use serde::Serialize;

/// Labels by key.
pub(super) type Labels = BTreeMap<String, String>;

/// What is to be looked at.
#[derive(Args, Clone, Debug)]
pub struct SelectionArgs {
    /// Only those of these names (default: all)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Only those with these labels, such as `team=web,tier!=cache`
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "names")]
    pub selector: Option<Selector>,
}

/// What is to be deleted: nothing, unless that is said in one way.
#[derive(Args, Clone, Debug)]
#[group(id = "which", required = true, multiple = false)]
pub struct DeletionArgs {
    /// Those of these names
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Those with these labels, such as `team=web,tier!=cache`
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<Selector>,
    /// All of them, unfinished ones too
    #[arg(long)]
    pub all: bool,
}

/// One thing as it is, or several as a list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Document<'a, T> {
    One(&'a T),
    List { items: &'a [T] },
}

impl SelectionArgs {
    /// Whether something with these labels is meant; what has none that are known never is.
    pub(super) fn takes(&self, labels: Option<&Labels>) -> bool {
        matches(self.selector.as_ref(), labels)
    }

    /// What programs are told: the one that was named, else a list, be it of one.
    pub(super) fn document<'a, T>(&self, items: &'a [T]) -> Document<'a, T> {
        match items {
            [item] if self.names.len() == 1 => Document::One(item),
            items => Document::List { items },
        }
    }
}

impl DeletionArgs {
    /// The names that were typed, each once, in that order.
    pub(super) fn each_name_once(&self) -> Vec<String> {
        each_once(&self.names).into_iter().map(ToOwned::to_owned).collect()
    }

    /// Whether something with these labels is meant; without known labels, only by `--all`.
    pub(super) fn takes(&self, labels: Option<&Labels>) -> bool {
        self.all || (self.selector.is_some() && matches(self.selector.as_ref(), labels))
    }
}

/// Names, each once, in the order in which they were typed.
pub(super) fn each_once(names: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    names.iter().map(String::as_str).filter(|name| seen.insert(*name)).collect()
}

/// Whether something with these labels is selected; what has none that are known never is.
pub(super) fn matches(selector: Option<&Selector>, labels: Option<&Labels>) -> bool {
    selector.is_none_or(|selector| labels.is_some_and(|labels| selector.matches(labels)))
}

/// Where a name stands in a list: by name, but of those that differ in the time at their end the
/// newest comes first, as Velero has it.
pub(super) fn place(name: &str) -> impl Ord + use<> {
    let dated = name.rsplit_once('-').filter(|(_, end)| {
        let digits = end.bytes().all(|byte| byte.is_ascii_digit());
        digits && end.len() == TIME_DIGITS
    });
    match dated {
        Some((stem, time)) => (stem.to_owned(), Some(Reverse(time.to_owned()))),
        None => (name.to_owned(), None),
    }
}

/// `20260301020000`
const TIME_DIGITS: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(names: &[&str], selector: Option<&str>) -> SelectionArgs {
        SelectionArgs {
            names: names.iter().map(ToString::to_string).collect(),
            selector: selector.map(|text| text.parse().unwrap()),
        }
    }

    #[test]
    fn names_are_in_order_and_the_newest_of_a_series_comes_first() {
        let mut names = vec![
            "nightly-20260302020000",
            "nightly-20260301020000",
            "nightly",
            "nightly-2",
            "nightly-20260303020000",
            "a",
            "nightly-2026030102000x",
            "weekly-20260301020000",
        ];
        names.sort_by_key(|name| place(name));
        assert_eq!(
            names,
            [
                "a",
                "nightly",
                "nightly-20260303020000",
                "nightly-20260302020000",
                "nightly-20260301020000",
                "nightly-2",
                "nightly-2026030102000x",
                "weekly-20260301020000",
            ]
        );
    }

    #[test]
    fn what_has_no_labels_that_are_known_is_selected_by_none() {
        let labels = Labels::from([("team".to_owned(), "web".to_owned())]);
        let unlike = selection(&[], Some("team!=db"));
        assert!(unlike.takes(Some(&labels)) && unlike.takes(Some(&Labels::new())));
        assert!(!unlike.takes(None));
        assert!(selection(&[], None).takes(None));
    }

    #[test]
    fn only_what_was_named_alone_is_a_document_of_its_own() {
        let shown = |names: &[&str], items: &[&str]| {
            serde_json::to_string(&selection(names, None).document(items)).unwrap()
        };
        assert_eq!(shown(&["a"], &["x"]), r#""x""#);
        assert_eq!(shown(&[], &["x"]), r#"{"items":["x"]}"#);
        assert_eq!(shown(&["a", "b"], &["x"]), r#"{"items":["x"]}"#);
        assert_eq!(shown(&[], &[]), r#"{"items":[]}"#);
    }

    #[test]
    fn what_is_named_twice_is_deleted_once() {
        let names = ["b", "a", "b"].map(ToOwned::to_owned).to_vec();
        let args = DeletionArgs { names, selector: None, all: false };
        assert_eq!(args.each_name_once(), ["b", "a"]);
        assert!(!args.takes(Some(&Labels::new())));
    }
}

//! What looking up backups and restores by name has in common.

use serde_json::Value;

use crate::cli::advice::did_you_mean;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::settings::Settings;
use crate::engine::model::filter::closest;
use crate::engine::model::selector::Selector;
use crate::engine::store::{BackupStore, Error};

/// The error for a name that nothing of this sort has.
pub(super) fn not_found<'a>(
    noun: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    url: &str,
) -> CliError {
    let hint = match closest(name, known) {
        Some(similar) => did_you_mean(similar),
        None => format!("bowline {noun} get lists what there is"),
    };
    CliError::new(Exit::NotFound, format!("{noun} \"{name}\" does not exist in {url}"))
        .with_hint(hint)
}

/// The error for a location that did not answer, or gave a file that is none.
pub(super) fn failed(error: Error) -> CliError {
    match &error {
        Error::Store(_) => CliError::of(&error).within("the storage location cannot be used"),
        Error::Malformed { .. } | Error::TooLarge { .. } | Error::Differs { .. } => error.into(),
    }
}

/// Says that there is nothing to list.
pub(super) fn none_to_show(
    settings: &Settings,
    nouns: &str,
    selector: Option<&Selector>,
    store: &BackupStore,
) -> Exit {
    let which = selector.map(|selector| format!(" with {selector}")).unwrap_or_default();
    settings.note(&format!("there are no {nouns}{which} in {}", store.url()));
    Exit::Done
}

/// A recorded selector as it is typed; one that cannot be read, as it is recorded.
pub(super) fn selector(recorded: &Value) -> String {
    let read = serde_json::from_value::<Selector>(recorded.clone());
    read.map_or_else(|_| recorded.to_string(), |selector| selector.to_string())
}

/// The selectors of a document, as they are given with `-l` and `--or-selector`; none if it has none.
pub(super) fn selectors(one: Option<&Value>, alternatives: &[Value]) -> Option<String> {
    let texts: Vec<_> = one.into_iter().chain(alternatives).map(selector).collect();
    (!texts.is_empty()).then(|| texts.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_selectors_of_a_document_are_shown_as_they_were_given() {
        let of = |app: &str| serde_json::json!({"matchLabels": {"app": app}});
        assert_eq!(selectors(Some(&of("a")), &[]).as_deref(), Some("app=a"));
        assert_eq!(selectors(None, &[of("a"), of("b")]).as_deref(), Some("app=a or app=b"));
        assert_eq!(selectors(None, &[]), None);
    }
}

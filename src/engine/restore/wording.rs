//! What may be told of the server's answer to an object.

use bowline_api::GroupResource;

use crate::engine::cluster::Error;
use crate::engine::report::chain;

/// The words of an error; of a Secret none of the server's, as they may quote what it holds.
///
/// A refused patch is answered with the whole object, and admission may say what it likes.
pub(super) fn told(resource: &GroupResource, error: &Error) -> String {
    guarded(resource, error, || chain(error))
}

/// The same for words that were taken from the error.
pub(super) fn guarded(
    resource: &GroupResource,
    error: &Error,
    words: impl FnOnce() -> String,
) -> String {
    if *resource != GroupResource::core("secrets") {
        return words();
    }
    let status = error.status().map_or_else(|| "no status".to_owned(), |it| it.to_string());
    let reason = error.reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    format!("{status}{reason}; its words are not shown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_of_a_secret_is_not_told() {
        let (request, message) = ("patch".to_owned(), "data[k]: \"aHVudGVy\"".to_owned());
        let refused = Error::Api { request, code: 422, reason: "Invalid".to_owned(), message };
        let of = |resource: &str| told(&resource.parse().unwrap(), &refused);
        assert_eq!(of("secrets"), "422 Invalid; its words are not shown");
        assert!(of("configmaps").contains("aHVudGVy"), "{}", of("configmaps"));
    }
}

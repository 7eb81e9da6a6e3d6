//! What may be told of the server's answer to an object.

use bowline_api::GroupResource;

use crate::engine::cluster::Error;
use crate::engine::report::chain;

/// The words of an error; of a Secret none of the server's, as they may quote what it holds.
///
/// A refused patch is answered with the whole object, and admission may say what it likes.
pub(super) fn told(resource: &GroupResource, error: &Error) -> String {
    guarded(resource, error, || unnamed(&said(error)).to_owned())
}

/// What the server said, without what was tried: who is told knows that.
pub(super) fn said(error: &Error) -> String {
    match error {
        Error::Api { message, .. }
        | Error::Forbidden { message, .. }
        | Error::Unauthorized { message, .. } => message.clone(),
        other => chain(other),
    }
}

/// What would help against a refusal, with the name of what refuses.
pub(super) fn hint(resource: &GroupResource, error: &Error) -> Option<String> {
    let status = error.status().filter(|status| [400, 403, 422].contains(status))?;
    let message = said(error);
    let who = if *resource == GroupResource::core("secrets") {
        None
    } else {
        let webhook = quoted(&message, "admission webhook \"", '"').map(|it| ("webhook", it));
        let policy = || quoted(&message, "AdmissionPolicy '", '\'').map(|it| ("policy", it));
        webhook.or_else(policy)
    };
    let who = match who {
        Some((kind, name)) => format!("{kind} {name} refuses it"),
        None if status == 422 => "the target does not take it as it was".to_owned(),
        None => return None,
    };
    Some(format!(
        "{who}: --resource-modifiers-file changes it on its way; --dry-run=server shows beforehand what \
         is refused"
    ))
}

fn quoted<'a>(text: &'a str, before: &str, end: char) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(end).map(|(name, _)| name)
}

/// A refusal without the object's kind and name, which stand before it already.
fn unnamed(message: &str) -> &str {
    let cause = [" is invalid: ", " is forbidden: "].into_iter().find_map(|word| {
        let (object, cause) = message.split_once(word)?;
        let (kind, name) = object.split_once(" \"")?;
        let is_name = !kind.contains(' ') && name.find('"') == Some(name.len() - 1);
        (is_name && !cause.is_empty()).then_some(cause)
    });
    cause.unwrap_or(message)
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

    fn refused(code: u16, message: &str) -> Error {
        let (request, message) = ("create pods/shop/p".to_owned(), message.to_owned());
        match code {
            403 => Error::Forbidden { request, message },
            _ => Error::Api { request, code, reason: String::new(), message },
        }
    }

    #[test]
    fn a_refusal_names_its_cause_and_not_once_more_the_object() {
        for (code, message, expected) in [
            (422, "Pod \"p\" is invalid: spec: Required value", "spec: Required value"),
            (403, "pods \"p\" is forbidden: exceeded quota: q", "exceeded quota: q"),
            (403, "pods is forbidden: User \"u\" cannot", "pods is forbidden: User \"u\" cannot"),
            (403, "the name \"p\" is forbidden: no", "the name \"p\" is forbidden: no"),
            (
                400,
                "admission webhook \"w\" denied the request: no",
                "admission webhook \"w\" denied the request: no",
            ),
        ] {
            assert_eq!(told(&"pods".parse().unwrap(), &refused(code, message)), expected);
        }
    }

    #[test]
    fn who_refuses_is_named_by_the_hint() {
        let of = |resource: &str, code, message| {
            hint(&resource.parse().unwrap(), &refused(code, message)).unwrap_or_default()
        };
        let webhook = "admission webhook \"deny.example.com\" denied the request: no";
        assert!(of("pods", 400, webhook).starts_with("webhook deny.example.com refuses it: "));
        assert_eq!(of("secrets", 403, webhook), "");
        let policy = "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'two' with binding 'b' denied request: x";
        assert!(of("pods", 403, policy).starts_with("policy two refuses it: "));
        assert!(of("pods", 422, "Pod \"p\" is invalid: x").contains("--resource-modifiers-file"));
        assert_eq!(of("pods", 403, "pods is forbidden: User \"u\" cannot"), "");
        assert_eq!(of("pods", 500, webhook), "");
    }

    #[test]
    fn what_the_server_says_of_a_secret_is_not_told() {
        let (request, message) = ("patch".to_owned(), "data[k]: \"aHVudGVy\"".to_owned());
        let refused = Error::Api { request, code: 422, reason: "Invalid".to_owned(), message };
        let of = |resource: &str| told(&resource.parse().unwrap(), &refused);
        assert_eq!(of("secrets"), "422 Invalid; its words are not shown");
        assert!(of("configmaps").contains("aHVudGVy"), "{}", of("configmaps"));
    }
}

//! What a run must tell that did not go well.

use std::collections::BTreeSet;

use bowline_testkit::Output;
use serde_json::Value;

/// Checks that a failed run tells one error: what failed, why, and what would help, each once.
#[track_caller]
pub(super) fn one_error(case: &str, output: &Output, code: i32) {
    assert_eq!(output.code, Some(code), "{case}: {}{}", output.stdout, output.stderr);
    let document = output.json();
    let error = &document["error"];
    assert_eq!(error["exitCode"], code, "{case}: {document}");
    assert!(!text(&error["hint"]).is_empty(), "{case} has no hint: {document}");
    let causes = error["causes"].as_array().into_iter().flatten().map(text);
    let lines: Vec<&str> = [text(&error["message"])].into_iter().chain(causes).collect();
    for (number, line) in lines.iter().enumerate() {
        let others = lines.iter().enumerate().filter(|(other, _)| *other != number);
        let again = others.filter(|(_, other)| other.contains(line)).count();
        assert!(!line.is_empty() && again == 0, "{case} says something twice: {document}");
    }
}

/// Checks that each problem of a run that came to its end is told once, with what would help.
#[track_caller]
pub(super) fn errors_with_hints(case: &str, report: &Value) {
    let errors = report["errors"].as_array().unwrap();
    assert!(!errors.is_empty(), "{case}: {report}");
    let told = |error: &Value| {
        assert!(!text(&error["hint"]).is_empty(), "{case} has no hint: {error}");
        let what = if error["name"].is_null() { "message" } else { "name" };
        ["resource", "namespace", "operation", what].map(|field| text(&error[field]).to_owned())
    };
    let things: BTreeSet<_> = errors.iter().map(told).collect();
    assert_eq!(things.len(), errors.len(), "{case} says something twice: {report}");
}

/// Checks that nothing secret is told, nor anything that is not meant for people.
#[track_caller]
pub(super) fn no_secrets(output: &Output, secret: &str) {
    let told = format!("{}{}", output.stdout, output.stderr);
    for word in [secret, "Signature=", "X-Amz-Credential", "panicked"] {
        assert!(!told.contains(word), "{word}: {told}");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

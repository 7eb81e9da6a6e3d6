//! Entries of an archive that mean nothing to a restore: none is passed over in silence.

use crate::engine::archive::Ignored;
use crate::engine::report::Problem;

/// How many entries the warning names.
const NAMED: usize = 3;

/// Warns of what is ignored, if anything is.
pub(super) fn warning(ignored: &Ignored) -> Option<Problem> {
    let named: Vec<&str> =
        ignored.entries.iter().take(NAMED).map(|entry| entry.name.as_str()).collect();
    let count = ignored.count;
    let others = count.saturating_sub(named.len() as u64);
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    (count > 0).then(|| {
        let message =
            format!("{count} of the archive's entries are ignored: {}{others}", named.join(", "));
        Problem::of_run("open", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::archive::IgnoredEntry;

    #[test]
    fn what_is_ignored_is_counted_and_named_in_part() {
        let entry = |name: &str| IgnoredEntry { name: name.to_owned(), reason: "" };
        let ignored = |names: &[&str], count| Ignored {
            count,
            entries: names.iter().map(|name| entry(name)).collect(),
        };
        assert_eq!(warning(&ignored(&[], 0)), None);
        let message = |ignored| warning(&ignored).unwrap().message;
        assert_eq!(
            message(ignored(&["README"], 1)),
            "1 of the archive's entries are ignored: README"
        );
        assert_eq!(
            message(ignored(&["a", "b", "c", "d"], 150)),
            "150 of the archive's entries are ignored: a, b, c and 147 more"
        );
    }
}

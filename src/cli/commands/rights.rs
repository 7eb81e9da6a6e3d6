//! The rights that an operation needs, in a plan.

use std::fmt;

use crate::cli::table::{Table, cell};
use crate::engine::context::{Granted, Right};

/// Shows the rights that are not granted; of those that are, how many there are.
#[derive(Debug)]
pub(super) struct Rights<'a>(pub &'a [Right]);

impl fmt::Display for Rights<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lacking = |right: &&Right| right.granted != Granted::Yes;
        let mut table = Table::new(["RIGHT", "GRANTED", "REASON"]);
        for Right { action, granted, reason } in self.0.iter().filter(lacking) {
            table.push([action.clone(), granted.word().to_owned(), cell(reason.as_ref())]);
        }
        match (table.is_empty(), self.0.len()) {
            (false, _) => write!(f, "{table}"),
            (true, 1) => writeln!(f, "the one right that it needs is granted"),
            (true, count) => writeln!(f, "all {count} rights that it needs are granted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(action: &str, granted: Granted, reason: Option<&str>) -> Right {
        Right { action: action.to_owned(), granted, reason: reason.map(str::to_owned) }
    }

    #[test]
    fn only_what_is_not_granted_is_shown() {
        let rights = [
            right("list pods", Granted::Yes, None),
            right("list secrets in shop", Granted::No, None),
            right("ec2:CreateSnapshot", Granted::Unknown, Some("timeout")),
        ];
        let expected = "\
RIGHT                  GRANTED   REASON
list secrets in shop   no        <none>
ec2:CreateSnapshot     unknown   timeout
";
        assert_eq!(Rights(&rights).to_string(), expected);
    }

    #[test]
    fn where_all_are_granted_they_are_counted() {
        let granted = [right("a", Granted::Yes, None), right("b", Granted::Yes, None)];
        assert_eq!(Rights(&granted).to_string(), "all 2 rights that it needs are granted\n");
        assert_eq!(Rights(&granted[..1]).to_string(), "the one right that it needs is granted\n");
    }
}

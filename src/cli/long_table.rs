//! Tables of any length, printed as they come.

use super::style::printable;
use super::table::{NONE, PADDING, shown};

/// How many rows are aligned with one another.
const BLOCK: usize = 200;

/// Rows of `N` columns below a header, some with lines of their own below them.
///
/// Only a block of rows is in memory. Columns grow from block to block and never shrink, as where
/// `kubectl` prints a long list in pieces.
#[derive(Debug)]
pub struct LongTable<const N: usize> {
    header: Option<[&'static str; N]>,
    widths: [usize; N],
    title: String,
    waiting: Vec<Row<N>>,
}

#[derive(Debug)]
struct Row<const N: usize> {
    title: Option<String>,
    cells: [String; N],
    below: Vec<String>,
}

impl<const N: usize> LongTable<N> {
    /// A table without rows; the names of its columns are to be in capitals.
    pub fn new(header: [&'static str; N]) -> Self {
        let widths = header.map(str::len);
        Self { header: Some(header), widths, title: String::new(), waiting: Vec::new() }
    }

    /// Adds a row under a title, with lines below it; returns what is to be printed now.
    ///
    /// An empty cell shows as `<none>`, but in the last column, which is left out then.
    #[must_use]
    pub fn push(&mut self, title: &str, cells: [String; N], below: Vec<String>) -> String {
        let is_new = self.title != title;
        if is_new {
            title.clone_into(&mut self.title);
        }
        let title = is_new.then(|| title.to_owned());
        let mut cells = cells.map(|cell| shown(&cell));
        if let Some(last) = cells.last_mut().filter(|last| **last == NONE) {
            last.clear();
        }
        self.waiting.push(Row { title, cells, below });
        if self.waiting.len() < BLOCK { String::new() } else { self.rest() }
    }

    /// What was not printed yet.
    #[must_use]
    pub fn rest(&mut self) -> String {
        let rows = std::mem::take(&mut self.waiting);
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(&row.cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let header = self.header.take().map(|header| self.line(&header.map(str::to_owned)));
        header.into_iter().chain(rows.iter().map(|row| self.block(row))).collect()
    }

    fn block(&self, row: &Row<N>) -> String {
        let title = row.title.iter().map(|title| format!("{}:\n", printable(title)));
        let indent = self.widths[0] + PADDING;
        let below = row.below.iter().map(|line| format!("{:indent$}{}\n", "", printable(line)));
        title.chain([self.line(&row.cells)]).chain(below).collect()
    }

    fn line(&self, cells: &[String; N]) -> String {
        let padded = cells.iter().zip(self.widths).map(|(cell, width)| {
            let width = width + PADDING;
            format!("{cell:width$}")
        });
        format!("{}\n", padded.collect::<String>().trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 3]) -> [String; 3] {
        cells.map(str::to_owned)
    }

    #[test]
    fn rows_stand_under_their_titles_with_their_lines_below() {
        let mut table = LongTable::new(["VERDICT", "NAME", "REASON"]);
        let mut text = table.push("configuration", row(["create", "settings", ""]), Vec::new());
        text += &table.push(
            "configuration",
            row(["skip", "", "why\x1b"]),
            vec!["a\u{202e}".to_owned()],
        );
        text += &table.push("workloads", row(["create", "web", ""]), Vec::new());
        let expected = "\
VERDICT   NAME       REASON
configuration:
create    settings
skip      <none>     why\\u{1b}
          a\\u{202e}
workloads:
create    web
";
        assert_eq!(text + &table.rest(), expected);
        assert_eq!(table.rest(), "");
    }

    #[test]
    fn no_more_than_a_block_waits_and_columns_only_grow() {
        let mut table = LongTable::new(["NAME", "REASON"]);
        let mut push = |name: &str| table.push("", [name.to_owned(), "r".to_owned()], Vec::new());
        let first: String = (0..BLOCK).map(|_| push("a-long-name")).collect();
        assert_eq!(first.lines().count(), BLOCK + 1);
        assert_eq!(push("b"), "");
        assert_eq!(table.rest(), "b             r\n");
    }
}

//! Tables as `kubectl get` prints them.

use std::fmt;

use super::style::printable;

/// What stands for a value that is absent.
pub(super) const NONE: &str = "<none>";
/// The columns' distance.
pub(super) const PADDING: usize = 3;

/// Rows of `N` columns, and of those that were added, below a header in capitals.
#[derive(Clone, Debug)]
pub struct Table<const N: usize> {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl<const N: usize> Table<N> {
    /// A table without rows; the names of its columns are to be in capitals.
    pub fn new(header: [&'static str; N]) -> Self {
        Self { header: header.map(ToOwned::to_owned).to_vec(), rows: Vec::new() }
    }

    /// Adds a row. A cell that is empty shows as `<none>`.
    pub fn push(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| shown(&cell)).to_vec());
    }

    /// Adds a column to the rows that are there.
    pub fn add_column(&mut self, name: &str, cells: impl IntoIterator<Item = String>) {
        self.header.push(printable(&name.to_uppercase()).into_owned());
        for (row, cell) in self.rows.iter_mut().zip(cells) {
            row.push(shown(&cell));
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![0; self.header.len()];
        for row in std::iter::once(&self.header).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }
}

pub(super) fn shown(cell: &str) -> String {
    if cell.is_empty() { NONE.to_owned() } else { printable(cell).into_owned() }
}

/// The text of a cell whose value may be absent.
pub fn cell(value: Option<impl fmt::Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

impl<const N: usize> Extend<[String; N]> for Table<N> {
    fn extend<I: IntoIterator<Item = [String; N]>>(&mut self, rows: I) {
        rows.into_iter().for_each(|row| self.push(row));
    }
}

/// Every line ends in a newline, and none in spaces.
impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let mut rows = std::iter::once(&self.header).chain(&self.rows);
        rows.try_for_each(|row| line(f, &widths, row))
    }
}

fn line(f: &mut fmt::Formatter<'_>, widths: &[usize], cells: &[String]) -> fmt::Result {
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let width = if index + 1 == cells.len() { 0 } else { width + PADDING };
        write!(f, "{cell:width$}")?;
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_three_more() {
        let mut table = Table::new(["NAME", "PHASE", "AGE"]);
        table.push(["nightly-7".to_owned(), "Completed".to_owned(), "5m".to_owned()]);
        table.extend([["ä".to_owned(), cell(None::<u8>), cell(Some(3))]]);
        let expected = "\
NAME        PHASE       AGE
nightly-7   Completed   5m
ä           <none>      3
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn a_column_can_be_added_to_the_rows_that_are_there() {
        let mut table = Table::new(["NAME"]);
        table.extend([["a".to_owned()], ["b".to_owned()]]);
        table.add_column("team", ["web".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "NAME   TEAM\na      web\nb      <none>\n");
    }

    #[test]
    fn a_table_without_rows_is_its_header() {
        let table = Table::new(["NAME", "AGE"]);
        assert!(table.is_empty());
        assert_eq!(table.to_string(), "NAME   AGE\n");
    }

    #[test]
    fn a_cell_can_not_act_on_the_terminal() {
        let mut table = Table::new(["NAME"]);
        table.push(["a\x1b[2J\nb".to_owned()]);
        assert_eq!(table.to_string(), "NAME\na\\u{1b}[2J b\n");
    }
}

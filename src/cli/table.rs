//! Tables as `kubectl get` prints them.

use std::fmt;

use super::style::printable;

/// What stands for a value that is absent.
const NONE: &str = "<none>";
/// The columns' distance.
const PADDING: usize = 3;

/// Rows of `N` columns below a header in capitals.
#[derive(Clone, Debug)]
pub struct Table<const N: usize> {
    header: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows; the names of its columns are to be in capitals.
    pub fn new(header: [&'static str; N]) -> Self {
        Self { header, rows: Vec::new() }
    }

    /// Adds a row. A cell that is empty shows as `<none>`.
    pub fn push(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| match cell.as_str() {
            "" => NONE.to_owned(),
            text => printable(text).into_owned(),
        }));
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn widths(&self) -> [usize; N] {
        let mut widths = self.header.map(|name| name.chars().count());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }
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
        line(f, &widths, self.header)?;
        self.rows.iter().try_for_each(|row| line(f, &widths, row.each_ref().map(String::as_str)))
    }
}

fn line<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    widths: &[usize; N],
    cells: [&str; N],
) -> fmt::Result {
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let width = if index + 1 == N { 0 } else { width + PADDING };
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

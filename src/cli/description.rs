//! One thing described: names before values, as `kubectl describe` prints them.

use std::fmt;

use super::style::printable;

/// How far the values are from the left.
const WIDTH: usize = 13;

/// Lines of text, one below the other.
#[derive(Clone, Debug, Default)]
pub struct Description(Vec<String>);

impl Description {
    /// Adds a line; a value that is empty leaves none.
    pub fn line(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let name = format!("{name}:");
            self.0.push(format!("{name:<WIDTH$} {}\n", printable(value)));
        }
    }

    /// Adds a section of names and values, those in one column; a value that is empty leaves no
    /// line, and a section without lines is left out.
    pub fn group(&mut self, title: &str, lines: &[(&str, String)]) {
        let lines = aligned(lines, "  ");
        if !lines.is_empty() {
            self.section(title, &lines);
        }
    }

    /// Adds a section with one text a line; one without texts is left out.
    pub fn list<T: fmt::Display>(&mut self, title: &str, texts: impl IntoIterator<Item = T>) {
        let texts = texts.into_iter().map(|text| text.to_string());
        let lines: Vec<_> = texts.map(|text| format!("  {}\n", printable(text.trim()))).collect();
        if !lines.is_empty() {
            self.section(title, &lines.concat());
        }
    }

    /// Adds a section of lines that are whole already.
    pub fn section(&mut self, title: &str, lines: &str) {
        self.0.push(format!("\n{title}:\n{lines}"));
    }
}

/// Lines of names and values, those in one column; a value that is empty leaves no line.
pub fn aligned(lines: &[(&str, String)], indent: &str) -> String {
    let lines = || lines.iter().filter(|(_, value)| !value.is_empty());
    let width = lines().map(|(name, _)| name.chars().count() + 1).max().unwrap_or_default();
    let line = |(name, value): &(&str, String)| {
        let name = format!("{}:", printable(name));
        format!("{indent}{name:<width$}  {}\n", printable(value))
    };
    lines().map(line).collect()
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| f.write_str(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_a_group_are_in_one_column() {
        let mut description = Description::default();
        let of = |text: &str| text.to_owned();
        description.group("Filters", &[("Resources", of("*")), ("Or", of("a")), ("No", of(""))]);
        description.group("Empty", &[("No", of(""))]);
        assert_eq!(description.to_string(), "\nFilters:\n  Resources:  *\n  Or:         a\n");
    }

    #[test]
    fn what_is_absent_leaves_no_trace() {
        let mut description = Description::default();
        description.line("Name", "nightly");
        description.line("Expires", "");
        description.list("Errors", [" gone\x1b[2J "]);
        description.list("Warnings", [""; 0]);
        let expected = "\
Name:         nightly

Errors:
  gone\\u{1b}[2J
";
        assert_eq!(description.to_string(), expected);
    }
}

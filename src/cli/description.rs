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

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| f.write_str(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! Colour, and what keeps foreign text from acting on the terminal.

use std::borrow::Cow;

/// Whether to paint. Colour only repeats what the words say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    color: bool,
}

/// What is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// What went wrong.
    Error,
    /// What is odd.
    Warning,
    /// What would help.
    Hint,
}

impl Style {
    /// No colour.
    pub const PLAIN: Self = Self { color: false };

    /// With or without colour.
    pub fn new(color: bool) -> Self {
        Self { color }
    }

    /// Whether there is colour.
    pub fn is_colored(self) -> bool {
        self.color
    }

    /// A line that begins with a painted word: `error: no such backup`.
    ///
    /// The text is made [`printable`].
    pub fn labelled(self, tone: Tone, word: &str, text: &str) -> String {
        let code = match tone {
            Tone::Error => "1;31",
            Tone::Warning => "1;33",
            Tone::Hint => "1;36",
        };
        let (on, off) =
            if self.color { (format!("\x1b[{code}m"), "\x1b[0m") } else { (String::new(), "") };
        format!("{on}{word}{off} {}\n", printable(text))
    }

    /// The line that says what would help.
    pub fn hint(self, text: &str) -> String {
        self.labelled(Tone::Hint, "hint:", text)
    }
}

/// Makes text that others wrote safe to print: one line, and no character that a terminal obeys.
///
/// Names and messages come from archives and servers. An escape sequence in one of them could
/// rewrite what the user sees, and so could a mark that turns the direction of text.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => safe.push(' '),
            c if acts(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Makes many lines safe to print, each [`printable`]; the last one is ended, too.
pub fn printable_lines(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 1);
    for line in text.lines() {
        safe.push_str(&printable(line));
        safe.push('\n');
    }
    safe
}

fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_leaves_the_words_alone() {
        let style = Style::new(true);
        assert_eq!(style.hint("x\ny"), "\x1b[1;36mhint:\x1b[0m x y\n");
        assert_eq!(Style::PLAIN.hint("x\ny"), "hint: x y\n");
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(printable("shop ä"), "shop ä");
        assert_eq!(printable("a\nb\tc"), "a b c");
        assert_eq!(printable("\x1b[2Jgone\u{202e}"), "\\u{1b}[2Jgone\\u{202e}");
        assert_eq!(printable("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(printable_lines(""), "");
        assert_eq!(printable_lines("a\tb\r\n\n\x1bc"), "a b\n\n\\u{1b}c\n");
    }
}

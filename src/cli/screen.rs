//! The terminal's stderr, which the progress bar, messages and the log share.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget};

/// Where messages go. A bar at the bottom, if there is one, steps aside for them.
#[derive(Clone)]
pub struct Screen {
    bar: ProgressBar,
    has_bar: bool,
    out: Arc<Mutex<dyn Write + Send>>,
}

impl Screen {
    /// The process's stderr. A bar shows only on a terminal, and only once it is begun.
    pub fn stderr() -> Self {
        Self { has_bar: true, ..Self::new(io::stderr()) }
    }

    /// Any other place for messages; without a bar.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { bar: ProgressBar::hidden(), has_bar: false, out: Arc::new(Mutex::new(out)) }
    }

    /// The bar, which is hidden until [`Self::show_bar`].
    pub(super) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    /// Lets the bar draw.
    pub(super) fn show_bar(&self) {
        if self.has_bar {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Writes whole lines above the bar.
    ///
    /// That nobody reads stderr any more is no reason to stop a backup.
    pub fn print(&self, text: &str) {
        drop(self.write_all_above(text.as_bytes()));
    }

    fn write_all_above(&self, bytes: &[u8]) -> io::Result<()> {
        self.bar.suspend(|| {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            out.write_all(bytes)?;
            out.flush()
        })
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

/// For the log, which writes each of its lines whole.
impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all_above(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a screen printed, to be looked at.
    #[derive(Clone, Default)]
    pub(in super::super) struct Printed(Arc<Mutex<Vec<u8>>>);

    impl Printed {
        pub(in super::super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Printed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_of_messages_and_of_the_log_come_in_order() {
        let printed = Printed::default();
        let screen = Screen::new(printed.clone());
        let mut log = screen.clone();
        screen.print("one\n");
        log.write_all(b"two\n").unwrap();
        screen.print("three\n");
        assert_eq!(printed.text(), "one\ntwo\nthree\n");
    }
}

//! The log: what the engine notes for those who look for a fault.

use clap::ValueEnum;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use super::Screen;
use super::style::Style;

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Only what failed.
    Error,
    /// What is odd, too.
    Warn,
    /// What is done, too.
    Info,
    /// How it is done, too.
    Debug,
    /// Everything, also of the libraries below.
    Trace,
}

impl LogLevel {
    /// Which part of the program logs how much.
    ///
    /// The libraries stay quiet up to `debug`: theirs are requests and connections by the thousand.
    /// The Kubernetes client has no say at all: each of its failures is tried again, or told by us.
    fn directives(self) -> &'static str {
        match self {
            Self::Error => "error,kube_client=off",
            Self::Warn => "warn,kube_client=off",
            Self::Info => "warn,kube_client=off,bowline=info",
            Self::Debug => "warn,kube_client=off,bowline=debug",
            Self::Trace => "debug,bowline=trace",
        }
    }
}

/// Sends the log of the whole program to the screen. Fails if that was done before.
pub fn start(level: LogLevel, screen: Screen, style: Style) -> Result<(), TryInitError> {
    subscriber(level, screen, style).try_init()
}

fn subscriber(level: LogLevel, screen: Screen, style: Style) -> impl Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level.directives()))
        .with_ansi(style.is_colored())
        .with_writer(move || screen.clone())
        .finish()
}

#[cfg(test)]
mod tests {
    use super::super::screen::tests::Printed;
    use super::*;

    fn logged(level: LogLevel) -> String {
        let printed = Printed::default();
        let subscriber = subscriber(level, Screen::new(printed.clone()), Style::PLAIN);
        let log: [fn(); 5] = [
            || tracing::error!("ours failed"),
            || tracing::info!("ours told"),
            || tracing::debug!(target: "bowline_local::store", "a plugin told"),
            || tracing::info!(target: "hyper", "a library told"),
            || tracing::error!(target: "kube_client::client", "an attempt failed"),
        ];
        tracing::subscriber::with_default(subscriber, || log.iter().for_each(|event| event()));
        printed.text()
    }

    #[test]
    fn each_level_adds_to_the_one_before() {
        for (level, expected) in [
            (LogLevel::Error, vec!["ours failed"]),
            (LogLevel::Warn, vec!["ours failed"]),
            (LogLevel::Info, vec!["ours failed", "ours told"]),
            (LogLevel::Debug, vec!["ours failed", "ours told", "a plugin told"]),
            (
                LogLevel::Trace,
                vec![
                    "ours failed",
                    "ours told",
                    "a plugin told",
                    "a library told",
                    "an attempt failed",
                ],
            ),
        ] {
            let text = logged(level);
            let lines: Vec<_> = text.lines().collect();
            assert_eq!(lines.len(), expected.len(), "{level:?}: {text}");
            let fits = lines.iter().zip(&expected).all(|(line, words)| line.ends_with(words));
            assert!(fits, "{level:?}: {text}");
        }
    }

    #[test]
    fn a_line_names_its_level_and_its_module() {
        assert!(
            logged(LogLevel::Error).contains("ERROR bowline::cli::logging::tests: ours failed")
        );
    }
}

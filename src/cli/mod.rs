//! The command line: arguments, output, exit codes. The only place that prints or reads the
//! environment.

mod advice;
pub mod args;
mod candidates;
mod commands;
mod config;
mod confirmation;
pub mod description;
mod endpoint;
mod environment;
pub mod error;
pub mod exit;
pub mod logging;
pub mod long_table;
mod outlets;
pub mod output;
pub mod page;
mod plugins;
mod problems;
pub mod progress;
#[cfg(test)]
mod reference;
mod run;
mod screen;
mod settings;
pub mod streamed;
pub mod style;
pub mod table;
mod tally;
mod timings;
pub mod units;
mod usage;
mod values;
mod velero;

pub use run::main;
pub use screen::Screen;

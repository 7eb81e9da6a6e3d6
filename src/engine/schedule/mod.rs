//! Backups that run themselves: when they are due, who makes them, and which are kept.

pub mod attempt;
pub mod change;
mod course;
pub mod cron;
pub mod deploy;
pub mod due;
mod earlier;
mod ending;
pub mod expire;
pub mod figures;
pub mod handled;
pub mod hold;
pub mod lease;
pub mod metrics;
pub mod newest;
pub mod notice;
mod recorder;
pub mod retention;
pub mod runner;
pub mod standing;
pub mod template;
mod watched;

pub use cron::Cron;

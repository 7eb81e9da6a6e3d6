//! Backups that run themselves.

mod deploy;

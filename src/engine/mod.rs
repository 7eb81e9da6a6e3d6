//! The engine: all that bowline does, without a terminal, an environment or a home directory.

pub mod archive;
pub mod backup;
pub mod clock;
pub mod cluster;
pub mod context;
pub mod delete;
pub mod download;
pub mod drill;
pub mod event;
pub mod journal;
pub mod location;
pub mod logs;
pub mod model;
pub mod report;
pub mod restore;
pub mod run;
pub mod schedule;
pub mod stop;
pub mod store;
pub mod verify;

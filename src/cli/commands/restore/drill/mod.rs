//! `bowline restore drill`.

mod args;
mod check;
mod page;
mod work;

pub(in crate::cli) use args::Args;
pub(super) use work::run;

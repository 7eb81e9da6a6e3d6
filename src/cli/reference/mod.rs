//! The pages below `docs/reference`, generated from what the program knows of itself.
//!
//! `UPDATE_EXPECT=1 cargo test --no-default-features --lib reference` writes them anew.

mod commands;
mod documents;

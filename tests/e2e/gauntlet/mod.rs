//! What has been seen to break restores, one module per case, each on real control planes and named
//! for what it shows.

mod claims_made_first;
mod clones;
mod existing;
mod graph;
mod hooks;
mod identity;
mod modifiers;
mod operators;
mod plans;
mod resume;
mod site;
mod steps;
mod unchanged;
mod versions;

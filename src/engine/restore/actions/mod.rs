//! What is changed about objects of some kinds, beyond what every object loses: one file per kind.

mod bindings;
mod claims;
mod definitions;
mod deployments;
mod draft;
mod jobs;
mod namespaces;
mod persistent_volumes;
mod pods;
mod secrets;
mod service_accounts;
mod service_references;
mod services;
mod stateful_sets;
mod table;
mod webhooks;

pub(super) use bindings::moves;
pub(super) use draft::{Alteration, Draft};
pub(super) use persistent_volumes::{ORIGINAL_NAME, keep_disk};
pub(super) use services::stay_inside;
pub(super) use table::action;

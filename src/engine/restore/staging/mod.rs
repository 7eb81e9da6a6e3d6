//! The order among what shapes, serves or looks after other objects. Pure.
//!
//! The steps alone do not tell that a sidecar injector has to answer before the pods that it shapes,
//! or that an operator has to find its custom resources and what they own. That follows from what
//! the archive says: who is called (registrations), which pods answer (services and their
//! selectors), and who may write what (roles and bindings).

mod arrange;
mod authority;
mod order;
mod registration;
mod scene;
mod template;
#[cfg(test)]
mod tests;

pub(super) use arrange::arrange;
pub(super) use authority::Authority;
pub(super) use registration::{Service, services};
pub(super) use scene::Stage;
pub(super) use template::PodTemplate;

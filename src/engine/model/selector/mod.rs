//! Label selectors: which objects, by their labels.
//!
//! Read and written as `kubectl -l` takes them (after `labels.Parse` of Kubernetes' apimachinery),
//! and in the JSON form of Velero's files.

mod json;
mod parse;
mod requirement;
#[expect(clippy::module_inception, reason = "the module is named for its main type")]
mod selector;
mod selectors;

pub use parse::Error;
pub use requirement::{Invalid, Operator, Requirement};
pub use selector::Selector;
pub use selectors::Selectors;

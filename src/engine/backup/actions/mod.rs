//! What is changed in an object before it is stored. One file per kind.

mod persistent_volume_claim;

use bowline_api::GroupResource;
use serde_json::{Map, Value};

/// Changes an object before it is stored.
pub(super) type Action = fn(Map<String, Value>) -> Map<String, Value>;

/// The action for this kind of object, if there is one.
pub(super) fn of(resource: &GroupResource) -> Option<Action> {
    (resource.group.is_empty() && resource.resource == "persistentvolumeclaims")
        .then_some(persistent_volume_claim::clean as Action)
}

use std::sync::Arc;

use bowline_api::ItemId;
use serde_json::Value;

use super::conditions::Conditions;
use super::patch::{Patch, Unfit};
use super::read;
use crate::engine::model::policy::{Error, Origin};

/// Rules in order.
#[derive(Clone, Debug, Default)]
pub struct Modifiers {
    rules: Arc<[Rule]>,
}

/// What is changed about the objects for which some conditions hold.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What must hold.
    pub conditions: Conditions,
    /// What is changed, one after the other.
    pub(super) patches: Vec<Patch>,
}

impl Modifiers {
    /// Reads a document, all of which must be understood.
    pub fn read(origin: Origin, yaml: &str) -> Result<Self, Error> {
        match read::rules(yaml) {
            Ok(rules) => Ok(Self { rules: rules.into() }),
            Err(fault) => Err(Error { origin, fault }),
        }
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl Rule {
    /// Changes an object as this rule says: all of it, or nothing where a test does not hold.
    ///
    /// `Ok(None)` is a test that does not hold.
    pub fn apply(&self, id: &ItemId, object: &Value) -> Result<Option<Value>, Unfit> {
        let mut changed = object.clone();
        for (index, patch) in self.patches.iter().enumerate() {
            let is_met = patch.apply(&id.resource, &mut changed).map_err(|mut unfit| {
                unfit.place = format!("{}[{}]", patch.field(), unfit.index.unwrap_or(index));
                unfit
            })?;
            if !is_met {
                return Ok(None);
            }
        }
        Ok(Some(changed))
    }
}

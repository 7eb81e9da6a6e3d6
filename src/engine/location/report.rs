//! What a location can do.

use bowline_api::{Protection, Setting};
use serde::{Serialize, Serializer};

use crate::engine::report::Problem;

/// What a location can do, step by step.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The URL of the location.
    pub location: String,
    /// What was tried, in order.
    pub steps: Vec<Step>,
    /// How it guards its objects.
    pub guard: Guard,
    /// What is odd.
    pub warnings: Vec<Problem>,
    /// What would help, if a step failed.
    pub hint: Option<&'static str>,
}

/// Something that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What was tried, as a verb.
    pub name: &'static str,
    /// Whether it went well.
    pub outcome: Outcome,
    /// What was found, or why it failed or was not tried.
    pub detail: Option<String>,
    /// How long it took.
    pub milliseconds: u64,
}

/// Whether a step went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It did.
    Ok,
    /// It did not.
    Failed,
    /// It needs a step that failed.
    Skipped,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        })
    }
}

/// How a location guards its objects, each in words; none where the store has nothing of the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// Whether earlier versions of objects are kept.
    #[serde(serialize_with = "words")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub versioning: Setting,
    /// Whether objects can be kept from being removed.
    #[serde(serialize_with = "words")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub object_lock: Setting,
    /// How objects are encrypted at rest.
    #[serde(serialize_with = "words")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub encryption: Setting,
}

impl From<Protection> for Guard {
    fn from(protection: Protection) -> Self {
        let Protection { versioning, object_lock, encryption } = protection;
        Self { versioning, object_lock, encryption }
    }
}

impl Guard {
    /// A setting in words.
    pub fn in_words(setting: &Setting) -> Option<String> {
        match setting {
            Setting::NotApplicable => None,
            Setting::Off => Some("off".to_owned()),
            Setting::On(how) if how.is_empty() => Some("on".to_owned()),
            Setting::On(how) => Some(how.clone()),
            Setting::Unknown(why) => Some(format!("unknown: {why}")),
        }
    }
}

fn words<S: Serializer>(setting: &Setting, serializer: S) -> Result<S::Ok, S::Error> {
    Guard::in_words(setting).serialize(serializer)
}

impl CheckReport {
    /// Whether every step went well.
    pub fn is_good(&self) -> bool {
        self.steps.iter().all(|step| step.outcome == Outcome::Ok)
    }
}

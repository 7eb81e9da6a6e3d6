//! What came of a drill.

use serde::Serialize;

use super::scratch::REMARK;
use crate::engine::model::drill::DrillEvidence;
use crate::engine::report::Problem;

/// What came of a drill: what it showed, and what is left of it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DrillReport {
    /// What it showed, as it is kept under the backup's name.
    #[serde(flatten)]
    pub evidence: DrillEvidence,
    /// What is to be known of any drill.
    pub remarks: Vec<&'static str>,
    /// What became of what it had made.
    pub take_down: TakeDown,
}

impl DrillReport {
    pub(super) fn new(evidence: DrillEvidence, take_down: TakeDown) -> Self {
        Self { evidence, remarks: vec![REMARK], take_down }
    }
}

/// What became of what a drill had made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TakeDown {
    /// Whether it is gone.
    pub state: TakeDownState,
    /// What is left.
    pub left: Vec<Problem>,
}

/// Whether what a drill had made is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TakeDownState {
    /// All of it.
    Done,
    /// It was to stay.
    Kept,
    /// Something is left, and named.
    Incomplete,
}

impl TakeDown {
    pub(super) fn of_left(left: Vec<Problem>) -> Self {
        let state = if left.is_empty() { TakeDownState::Done } else { TakeDownState::Incomplete };
        Self { state, left }
    }

    pub(super) fn kept() -> Self {
        Self { state: TakeDownState::Kept, left: Vec::new() }
    }
}

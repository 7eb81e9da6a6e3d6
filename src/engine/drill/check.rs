//! Who looks at what was restored.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::engine::model::drill::Checked;

/// Where a drill restored a backup.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// The identity of the drill.
    pub uid: String,
    /// The backup.
    pub backup: String,
    /// The namespaces of the backup, and those made for them.
    pub namespaces: BTreeMap<String, String>,
}

/// Looks at what was restored, and says whether it is what it should be.
#[async_trait]
pub trait Check: Send + Sync {
    /// Looks. That it could not is a fault in its answer; it need not bound its time.
    async fn run(&self, scratch: &Scratch) -> Checked;

    /// What is recorded of it if it takes too long.
    fn timed_out(&self, after: std::time::Duration) -> Checked;
}

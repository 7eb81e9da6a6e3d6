//! Waiting until an object is as it should be.
//!
//! By asking again, not by watching: every watch would keep a connection of its own, and thousands
//! of objects are waited for at once.

use std::time::Duration;

use tokio::time::Instant;

use super::client::Cluster;
use super::error::Error;
use super::objects::{self, Object};
use super::wire::Call;
use crate::engine::clock::pause;
use crate::engine::model::Kind;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The least time that a question is given, also the last one.
const LEAST_TIMEOUT: Duration = Duration::from_secs(5);

impl Cluster {
    /// Waits until `condition`, shown the object or its absence, yields something.
    ///
    /// Yields nothing when `deadline` passes first. A server that is away for a while is waited
    /// for, too; when it is still away at the deadline, that is the error.
    #[expect(clippy::too_many_arguments, reason = "an object is named by three")]
    pub async fn wait_for<T>(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        deadline: Duration,
        condition: impl Fn(Option<&Object>) -> Option<T> + Send,
    ) -> Result<Option<T>, Error> {
        let call = objects::read(kind, namespace, name)?;
        let started = Instant::now();
        let mut interval = FIRST_PAUSE;
        loop {
            let left = deadline.saturating_sub(started.elapsed());
            let found = match self.look(&call, left).await {
                Ok(object) => condition(object.as_ref()),
                Err(error) if left.is_zero() || !error.is_passing() => return Err(error),
                Err(_) => None,
            };
            if found.is_some() || left.is_zero() {
                return Ok(found);
            }
            pause(interval.min(deadline.saturating_sub(started.elapsed()))).await;
            interval = (interval * 2).min(LONGEST_PAUSE);
        }
    }

    /// Asks once: the waiting itself is the repetition.
    async fn look(&self, call: &Call, left: Duration) -> Result<Option<Object>, Error> {
        let timeout = left.max(LEAST_TIMEOUT).min(self.shared.request_timeout);
        let call = call.clone().once_within(timeout);
        self.find(&call).await?.map(|body| call.parse(&body)).transpose()
    }
}

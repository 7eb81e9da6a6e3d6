//! Waiting for a condition, never for a time.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep, timeout};

const INTERVAL: Duration = Duration::from_millis(50);
const ATTEMPT: Duration = Duration::from_secs(5);

/// Asks until there is an answer, at most for `limit`.
///
/// An attempt that fails or hangs counts as no answer; the last failure is told when time is up.
pub async fn until<T, Ask, Answer>(what: &str, limit: Duration, mut ask: Ask) -> Result<T>
where
    Ask: FnMut() -> Answer,
    Answer: Future<Output = Result<Option<T>>>,
{
    let start = Instant::now();
    loop {
        let failure = match timeout(ATTEMPT, ask()).await {
            Ok(Ok(Some(answer))) => return Ok(answer),
            Ok(Ok(None)) => None,
            Ok(Err(error)) => Some(error),
            Err(elapsed) => Some(elapsed.into()),
        };
        if start.elapsed() > limit {
            let error = failure.unwrap_or_else(|| anyhow::anyhow!("not yet so"));
            return Err(error).with_context(|| format!("gave up after {limit:?}: {what}"));
        }
        sleep(INTERVAL).await;
    }
}

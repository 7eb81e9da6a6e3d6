//! Making something once, though replies get lost.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::fault::{Fault, Kind};

/// How often something is made before the connection counts as broken.
const ATTEMPTS: u32 = 3;

/// When to look for what a lost reply may have been about: EC2 need not show it at once.
const LOOKS: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// Makes something. Where the reply is lost, looks for it before it is made again.
pub(super) async fn once<T, L, M>(
    look: impl Fn() -> L + Send + Sync,
    make: impl Fn() -> M + Send + Sync,
) -> Result<T, Fault>
where
    T: Send,
    L: Future<Output = Result<Option<T>, Fault>> + Send,
    M: Future<Output = Result<T, Fault>> + Send,
{
    let mut attempt = 1;
    loop {
        let fault = match make().await {
            Err(fault) if fault.kind() == Kind::Lost => fault,
            settled => return settled,
        };
        for wait in LOOKS {
            sleep_until(Instant::now() + wait).await;
            if let Some(found) = look().await? {
                return Ok(found);
            }
        }
        if attempt == ATTEMPTS {
            return Err(fault);
        }
        attempt += 1;
    }
}

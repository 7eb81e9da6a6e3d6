//! What the starts of all servers have in common.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anyhow::{Error, Result};

use crate::process::Process;
use crate::wait;

/// How often a start is tried on new ports.
const ATTEMPTS: usize = 3;

/// A port was taken by somebody else between picking and listening.
#[derive(Debug)]
struct AddressInUse;

impl Display for AddressInUse {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("a port is in use")
    }
}

impl std::error::Error for AddressInUse {}

/// Starts a server; once more where another process took one of its ports.
pub(crate) async fn on_free_ports<T>(mut start: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    for _ in 1..ATTEMPTS {
        match start().await {
            Err(error) if error.is::<AddressInUse>() => {}
            other => return other,
        }
    }
    start().await
}

/// Waits for the first of two: the condition, or the end of a process that it needs.
pub(crate) async fn unless_ended(
    processes: &[&Process],
    condition: impl Future<Output = Result<()>>,
) -> Result<()> {
    let ended = wait::until("a component ends", Duration::MAX, async || {
        Ok(processes.iter().find(|process| process.has_ended()))
    });
    tokio::select! {
        result = condition => result,
        process = ended => Err(failure(process?)),
    }
}

fn failure(process: &Process) -> Error {
    // As Go and Python say it.
    if process.log().to_ascii_lowercase().contains("address already in use") {
        AddressInUse.into()
    } else {
        Error::msg(process.log_tail())
    }
}

//! Runs the command of a hook, and tells of it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bowline_api::ItemId;

use super::Context;
use crate::engine::cluster::{Captured, End, Exec, Executed};
use crate::engine::journal::Journal;
use crate::engine::model::hooks::{ExecHook, HookCounts, When};
use crate::engine::report::chain;

/// How much of what a failed command wrote is told with the failure, in characters.
const TOLD: usize = 300;

/// How long a server that is away or busy is asked to run what comes after: an application may be
/// held still until then. As long as its rolls take.
const RELEASE: Duration = Duration::from_mins(2);
/// How many hooks were run so far.
#[derive(Debug, Default)]
pub struct Tally {
    attempted: AtomicU64,
    failed: AtomicU64,
}

impl Tally {
    /// One was tried.
    pub fn note(&self, is_done: bool) {
        self.attempted.fetch_add(1, Relaxed);
        self.failed.fetch_add(u64::from(!is_done), Relaxed);
    }

    /// The numbers so far.
    pub fn counts(&self) -> HookCounts {
        HookCounts { attempted: self.attempted.load(Relaxed), failed: self.failed.load(Relaxed) }
    }
}

/// Runs the command of a hook once, in a container that the hook names; else says what went wrong.
///
/// What it writes goes into the log. Only the opening of its channel is tried again: nobody knows how
/// far a command has come whose end was not told.
pub async fn run(
    context: &Context,
    journal: &Journal,
    pod: &ItemId,
    when: When,
    hook: &ExecHook,
) -> Result<(), String> {
    let moment = when.to_string();
    let patience = match when {
        When::Pre => hook.timeout,
        When::Post => RELEASE.max(hook.timeout),
    };
    let container = hook.container.as_deref().unwrap_or_default();
    let command = words(&hook.command);
    if let Some(fault) = &hook.fault {
        return Err(format!("{moment} hook was not run: {fault}"));
    }
    journal.about(pod, &format!("{moment} hook in container {container}: {command}"));
    let namespace = pod.namespace.as_deref().unwrap_or_default();
    let exec = Exec {
        namespace,
        pod: &pod.name,
        container,
        command: &hook.command,
        timeout: hook.timeout,
        patience,
    };
    let executed = context.cluster.exec(&exec).await;
    let failure = match &executed {
        Ok(executed) => {
            output(journal, pod, &moment, executed);
            failure(executed, hook)
        }
        Err(error) => Some(chain(error)),
    };
    match failure {
        None => {
            journal.about(pod, &format!("{moment} hook in container {container} is done"));
            Ok(())
        }
        Some(failure) => {
            Err(format!("{moment} hook ({}) in container {container}: {failure}", hook.source))
        }
    }
}

fn words(command: &[String]) -> String {
    serde_json::to_string(command).unwrap_or_default()
}

fn output(journal: &Journal, pod: &ItemId, moment: &str, executed: &Executed) {
    for (stream, captured) in [("stdout", &executed.stdout), ("stderr", &executed.stderr)] {
        let text = captured.text();
        if !text.is_empty() {
            let more = more(captured);
            journal.log_about(pod, &format!("{moment} hook {stream}: {}{more}", text.trim_end()));
        }
    }
}

fn more(captured: &Captured) -> String {
    match captured.dropped {
        0 => String::new(),
        dropped => format!(" ... and {dropped} bytes more"),
    }
}

fn failure(executed: &Executed, hook: &ExecHook) -> Option<String> {
    let failure = match &executed.end {
        End::Succeeded => return None,
        End::Exited(code) => format!("exit code {code}"),
        End::Failed(reason) => reason.clone(),
        End::TimedOut => {
            let seconds = hook.timeout.as_secs_f64();
            format!("not over within {seconds} s; it may be running still")
        }
        End::Lost => "the connection closed before it was over; it may be running still".to_owned(),
    };
    let said = [&executed.stderr, &executed.stdout].map(Captured::text);
    let said = said.iter().map(|it| it.trim()).find(|it| !it.is_empty());
    Some(match said {
        Some(said) => format!("{failure}: {}", said.chars().take(TOLD).collect::<String>()),
        None => failure,
    })
}

//! The steps of a check, and what each needs.

use std::time::Instant;

use bowline_api::StoreError;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::probe::{Probe, Verdict, some_of};
use super::report::{CheckReport, Guard, Outcome, Step};
use crate::engine::clock::Clock;
use crate::engine::report::{Problem, chain};
use crate::engine::store::{BackupStore, ProbeKeys, is_foreign};

/// A step: its name, the step that it needs, and what it does.
type Planned<'a> = (&'static str, Option<&'static str>, BoxFuture<'a, Verdict>);

/// The step in which the location is reached.
const REACH: &str = "reach";
/// The step in which the probe is written.
const WRITE: &str = "write";

/// Tries all that backups need of a location, with a probe that is removed again.
pub async fn check(store: &BackupStore, clock: Clock) -> CheckReport {
    let uid = Uuid::new_v4().to_string();
    let probe = Probe { objects: store.objects(), keys: ProbeKeys(&uid) };
    let steps = try_all(planned(probe)).await;
    let mut warnings = Vec::new();
    let mut guard = Guard::default();
    if is_ok(&steps, REACH) {
        warnings.extend(foreign(store).await);
        if let Err(error) = clear(probe, clock).await {
            let message =
                format!("a probe may be left below {}: {}", probe.keys.prefix(), chain(&error));
            warnings.push(Problem::of_run("delete", message));
        }
        match store.objects().protection().await {
            Ok(protection) => guard = protection.into(),
            Err(error) => warnings.push(Problem::of_run("describe", chain(&error))),
        }
    }
    let notices = store.objects().take_notices();
    warnings.extend(notices.into_iter().map(|notice| Problem::of_run("check", notice)));
    let hint = hint(&steps);
    CheckReport { location: store.url().to_owned(), steps, guard, warnings, hint }
}

/// One failure is not the end of it: what is left behind costs money.
async fn clear(probe: Probe<'_>, clock: Clock) -> Result<(), StoreError> {
    match probe.clear(clock.now()).await {
        Err(_) => probe.clear(clock.now()).await,
        cleared => cleared,
    }
}

fn planned(probe: Probe<'_>) -> [Planned<'_>; 9] {
    [
        (REACH, None, probe.reach().boxed()),
        (WRITE, Some(REACH), probe.write().boxed()),
        ("refuse a second write", Some(WRITE), probe.create_only().boxed()),
        ("replace what is unchanged", Some(WRITE), probe.conditional().boxed()),
        ("read", Some(WRITE), probe.read().boxed()),
        ("read a range", Some(WRITE), probe.read_range().boxed()),
        ("upload in parts", Some(WRITE), probe.upload().boxed()),
        ("list", Some(WRITE), probe.list().boxed()),
        ("delete", Some(WRITE), probe.delete().boxed()),
    ]
}

async fn try_all(planned: [Planned<'_>; 9]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (name, needs, attempt) in planned {
        let missing = needs.filter(|needed| !is_ok(&steps, needed));
        let began = Instant::now();
        let (outcome, detail) = match missing {
            Some(needed) => (Outcome::Skipped, Some(format!("\"{needed}\" has to work first"))),
            None => match attempt.await {
                Ok(detail) => (Outcome::Ok, detail),
                Err(reason) => (Outcome::Failed, Some(reason)),
            },
        };
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        steps.push(Step { name, outcome, detail, milliseconds });
    }
    steps
}

/// What would help the first step that failed.
fn hint(steps: &[Step]) -> Option<&'static str> {
    let failed = steps.iter().find(|step| step.outcome == Outcome::Failed)?;
    Some(match failed.name {
        REACH => {
            "check the URL; for a bucket also region and endpoint (region=, endpoint= in the URL) and \
             credentials (profile= in the URL, AWS_PROFILE), which must be allowed to list it"
        }
        WRITE => "check that you may write there (docs/guides/aws.md has a policy for buckets)",
        _ => {
            "backups rely on that: check your rights there (docs/guides/aws.md has a policy for \
             buckets), or choose another store"
        }
    })
}

fn is_ok(steps: &[Step], name: &str) -> bool {
    steps.iter().any(|step| step.name == name && step.outcome == Outcome::Ok)
}

/// A warning about directories with which a Velero takes the location out of service.
async fn foreign(store: &BackupStore) -> Option<Problem> {
    let found = store.objects().list_directories("").await.ok()?;
    let foreign: Vec<_> = found.into_iter().filter(|directory| is_foreign(directory)).collect();
    if foreign.is_empty() {
        return None;
    }
    let message = format!(
        "at its root there is {}: a Velero would find the location Unavailable",
        some_of(&foreign)
    );
    let hint = "choose a prefix of its own for backups, such as s3://bucket/backups";
    Some(Problem::of_run("list", message).with_hint(hint))
}

impl CheckReport {
    /// Whether the location could be reached and written to.
    pub fn is_usable(&self) -> bool {
        is_ok(&self.steps, WRITE)
    }
}

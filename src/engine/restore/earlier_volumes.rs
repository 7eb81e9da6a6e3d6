//! Persistent volumes of the target that were there before: those that the backup was made of, and those of
//! earlier restores.
//!
//! They are known by identity and passed by at once: this restore makes volumes of its own, under names of
//! its own. None of them is waited for, bound or deleted.

use std::collections::BTreeMap;

use bowline_api::GroupResource;
use futures::TryStreamExt as _;
use serde_json::Value;

use super::error::Error;
use super::plan::{Plan, Verdict};
use super::preflight::Ready;
use super::prepare::{RESTORE_LABEL, RESTORE_UID_LABEL};
use crate::engine::cluster::{self, ListScope};
use crate::engine::context::Context;
use crate::engine::report::{Problem, chain};

/// What is remembered of a live volume.
struct Live {
    phase: String,
    /// The restore that made it, its name and its identity.
    restore: Option<(String, String)>,
    /// The claim that it is for.
    claim: (String, String),
}

/// Adds to the plan which volumes are there already and left as they are.
pub(super) async fn tell(
    context: &Context,
    ready: &Ready,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    if plan.claims.is_empty() {
        return Ok(());
    }
    let live = match list(context, ready).await {
        Ok(live) => live,
        Err(error) if error.status() == Some(403) => {
            let message =
                format!("volumes that are there already are not known: {}", chain(&error));
            plan.warnings.push(Problem::of_run("plan", message));
            return Ok(());
        }
        Err(error) => return Err(Error::Cluster(error)),
    };
    let Plan { rows, claims, preparation, .. } = plan;
    for claim in claims.iter().filter(|claim| claim.source.is_some()) {
        let target = preparation.target(&rows[claim.row].entry.id());
        let key = (target.namespace.unwrap_or_default(), target.name);
        let notes = notes(&live, claim.volume.name(), &key, &preparation.restore_uid);
        let row = &mut rows[claim.volume_row];
        if row.verdict == Verdict::Create && !notes.is_empty() {
            row.explain(format!("{}; {}", row.reason(), notes.join("; ")));
        }
    }
    Ok(())
}

/// What is there of a volume that was backed up.
fn notes(
    live: &BTreeMap<String, Live>,
    recorded: &str,
    claim: &(String, String),
    restore_uid: &str,
) -> Vec<String> {
    let original = live
        .get(recorded)
        .map(|it| format!("the target's {recorded} ({}) is left as it is", it.phase));
    let earlier = live.iter().filter_map(|(name, it)| {
        let (restore, uid) = it.restore.as_ref()?;
        let left = it.phase == "Available" || it.phase == "Released";
        (left && it.claim == *claim && uid != restore_uid)
            .then(|| format!("{name} ({}) of restore {restore} is left as it is", it.phase))
    });
    original.into_iter().chain(earlier).collect()
}

async fn list(context: &Context, ready: &Ready) -> Result<BTreeMap<String, Live>, cluster::Error> {
    let mut found = BTreeMap::new();
    let Some(kind) = ready.catalog.get(&GroupResource::core("persistentvolumes")) else {
        return Ok(found);
    };
    let scope = ListScope::default();
    let mut pages = context.cluster.list(kind, &scope);
    while let Some(page) = pages.try_next().await? {
        for listed in &page.items {
            let volume: Value = serde_json::from_slice(&listed.json).unwrap_or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let uid = listed.meta.labels.get(RESTORE_UID_LABEL).cloned();
            let name = listed.meta.labels.get(RESTORE_LABEL).cloned().unwrap_or_default();
            let claim = &volume["spec"]["claimRef"];
            let live = Live {
                phase: text(&volume["status"]["phase"]),
                restore: uid.map(|uid| (name, uid)),
                claim: (text(&claim["namespace"]), text(&claim["name"])),
            };
            found.insert(listed.meta.name.clone(), live);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_and_what_earlier_restores_left_are_told_and_nothing_else() {
        let claim = ("shop".to_owned(), "data".to_owned());
        let live = |phase: &str, restore: Option<&str>, name: &str| Live {
            phase: phase.to_owned(),
            restore: restore.map(|uid| ("first".to_owned(), uid.to_owned())),
            claim: ("shop".to_owned(), name.to_owned()),
        };
        let all = BTreeMap::from([
            ("pvc-1".to_owned(), live("Released", None, "data")),
            ("pvc-2".to_owned(), live("Bound", None, "data")),
            ("bowline-a".to_owned(), live("Released", Some("u1"), "data")),
            ("bowline-b".to_owned(), live("Bound", Some("u2"), "data")),
            ("bowline-c".to_owned(), live("Available", Some("u3"), "other")),
            ("bowline-d".to_owned(), live("Released", Some("ours"), "data")),
        ]);
        assert_eq!(
            notes(&all, "pvc-1", &claim, "ours"),
            [
                "the target's pvc-1 (Released) is left as it is",
                "bowline-a (Released) of restore first is left as it is"
            ]
        );
        assert_eq!(notes(&all, "pvc-9", &("other".to_owned(), "x".to_owned()), "ours"), [""; 0]);
    }
}

//! Claims that are there already: whose data they have.

use serde_json::{Map, Value};

use super::plan::{EMPTY, Plan, Verdict};
use crate::engine::model::fields::text_at;
use crate::engine::model::volume::tags;

/// Where a claim names its volume.
pub(super) const VOLUME_NAME: &[&str] = &["spec", "volumeName"];

/// What becomes of a claim that exists, if its volume decides that.
pub(super) fn judge(
    ours: bool,
    recorded: Option<&str>,
    prepared: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Option<(Verdict, String)> {
    judge_empty(ours, prepared, live)
        .or_else(|| judge_doomed(prepared, live))
        .or_else(|| judge_claim(prepared, live))
        .or_else(|| judge_data(recorded, prepared, live))
}

/// Whether a claim is bound to this volume.
pub(super) fn has_volume(live: &Map<String, Value>, volume: Option<&str>) -> bool {
    let is_bound = text_at(live, &["status", "phase"]) == Some("Bound");
    is_bound && volume.is_some() && text_at(live, VOLUME_NAME) == volume
}

/// A claim that an interrupted run of this restore made without its data: not for the volume that it
/// would be reserved for.
fn judge_empty(
    ours: bool,
    prepared: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Option<(Verdict, String)> {
    let wanted = text_at(prepared, VOLUME_NAME)?;
    (ours && text_at(live, VOLUME_NAME) != Some(wanted))
        .then(|| (Verdict::Unchanged, format!("{EMPTY}: this restore made it without its data")))
}

/// A claim that goes away cannot be the one that is waited for.
fn judge_doomed(
    prepared: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Option<(Verdict, String)> {
    text_at(prepared, VOLUME_NAME)?;
    text_at(live, &["metadata", "deletionTimestamp"])?;
    Some((Verdict::Refuse, "it is being deleted".to_owned()))
}

/// A claim that is there but not bound is either ours, from an interrupted run, or in the way.
fn judge_claim(ours: &Map<String, Value>, live: &Map<String, Value>) -> Option<(Verdict, String)> {
    let text = |object: &Map<String, Value>, part: &str, key: &str| {
        Some(object.get(part)?.get(key)?.as_str()?.to_owned())
    };
    if text(live, "status", "phase").as_deref() == Some("Bound") {
        return None;
    }
    let wanted = text(ours, "spec", "volumeName")?;
    let reserved = text(live, "spec", "volumeName").filter(|name| !name.is_empty());
    Some(match reserved {
        Some(reserved) if reserved == wanted => (Verdict::Create, "it is reserved already".into()),
        Some(reserved) => (
            Verdict::Refuse,
            format!("it exists and waits for volume {reserved}, of another restore perhaps"),
        ),
        None => (Verdict::Refuse, "it exists and is not bound".to_owned()),
    })
}

/// A bound claim has the backup's data if it is on the disk that was backed up, was restored from this
/// backup, or got the volume that an interrupted run made, whoever made the claim. Any other may be empty: a `StatefulSet` makes a fresh one where its claim is missing.
fn judge_data(
    recorded: Option<&str>,
    ours: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Option<(Verdict, String)> {
    let wanted = text_at(ours, VOLUME_NAME)?;
    let volume = text_at(live, VOLUME_NAME)?;
    let backup = ["metadata", "annotations", tags::BACKUP_UID];
    let restored = text_at(ours, &backup).is_some_and(|uid| text_at(live, &backup) == Some(uid));
    (!restored && recorded != Some(volume) && wanted != volume).then(|| {
        let reason =
            format!("it exists and is bound to {volume}, which was not made of this backup");
        (Verdict::Refuse, reason)
    })
}

/// No volume is made for a claim that is there.
pub(super) fn leave_claims_that_are_there(plan: &mut Plan<'_>) {
    let Plan { rows, claims, preparation, .. } = plan;
    claims.retain(|claim| {
        // A claim that this very restore made is Bound to its volume or waits for it.
        let row = &rows[claim.row];
        let makes = matches!(row.verdict, Verdict::Create | Verdict::Recreate);
        let keep = makes || row.ours && !row.is_empty();
        if !keep {
            rows[claim.volume_row].verdict = Verdict::Skip;
            rows[claim.volume_row].explain("its claim exists already");
            preparation.renamed.remove(claim.volume.name());
        }
        keep
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(phase: &str, volume: Option<&str>) -> Map<String, Value> {
        let claim = json!({"spec": {"volumeName": volume}, "status": {"phase": phase}});
        claim.as_object().cloned().unwrap()
    }

    #[test]
    fn only_a_claim_that_waits_for_our_own_volume_is_not_in_the_way() {
        let ours = claim("", Some("bowline-1"));
        let verdict = |live| judge_claim(&ours, &live).map(|(verdict, _)| verdict);
        assert_eq!(verdict(claim("Pending", Some("bowline-1"))), Some(Verdict::Create));
        assert_eq!(verdict(claim("Pending", Some("bowline-2"))), Some(Verdict::Refuse));
        assert_eq!(verdict(claim("Pending", None)), Some(Verdict::Refuse));
        assert_eq!(verdict(claim("Lost", Some("bowline-2"))), Some(Verdict::Refuse));
        assert_eq!(verdict(claim("Bound", Some("pvc-1"))), None);
    }

    #[test]
    fn a_bound_claim_has_the_data_if_it_is_on_the_old_volume_or_on_the_one_made_for_it() {
        let ours = claim("", Some("bowline-1"));
        let verdict = |volume| {
            let judged = judge(false, Some("pvc-1"), &ours, &claim("Bound", Some(volume)));
            judged.map(|(verdict, _)| verdict)
        };
        assert_eq!((verdict("pvc-1"), verdict("bowline-1")), (None, None));
        assert_eq!(verdict("pvc-2"), Some(Verdict::Refuse));
    }

    #[test]
    fn a_claim_that_goes_away_is_in_the_way_whatever_it_is_bound_to() {
        let mut live = claim("Bound", Some("bowline-1"));
        live.insert("metadata".to_owned(), json!({"deletionTimestamp": "2026-03-01T01:00:00Z"}));
        let judged = judge(false, None, &claim("", Some("bowline-1")), &live);
        assert_eq!(judged.map(|(verdict, _)| verdict), Some(Verdict::Refuse));
        assert_eq!(judge(false, None, &claim("", None), &live), None, "nothing is made for it");
    }
}

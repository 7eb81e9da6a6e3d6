//! Service accounts that exist already get what the backup's have beyond them.
//!
//! Every namespace comes with a `default` account before anybody can restore it. Left as it is, it
//! would lack the image pull secrets that pods of the namespace rely on. As in Velero, nothing is
//! taken from the live account; what it says otherwise is changed only where that is asked for.

use bowline_api::GroupResource;
use serde_json::{Map, Value, json};

use super::compare::{self, Compared};
use super::error::Cause;
use super::execute::{Execution, Outcome};
use super::merge;
use super::plan::Verdict;
use super::prepare::Prepared;
use super::row::Row;
use crate::engine::model::difference::Difference;
use crate::engine::model::restore::ExistingResourcePolicy;
use crate::engine::model::{Kind, Object};
use crate::engine::report::Problem;

/// Lists of references, of which an account has those of both.
const LISTS: [&str; 2] = ["secrets", "imagePullSecrets"];

/// What to merge into a live account; nothing if it has all that ours has.
pub(super) fn additions(ours: &Object, live: &Object) -> Option<Value> {
    let mut patch = Map::new();
    for list in LISTS {
        if let Some(all) = union(ours.get(list), live.get(list)) {
            patch.insert(list.to_owned(), all);
        }
    }
    let metadata: Map<String, Value> = ["labels", "annotations"]
        .into_iter()
        .filter_map(|map| {
            Some((map.to_owned(), missing(metadata(ours, map), metadata(live, map))?))
        })
        .collect();
    if !metadata.is_empty() {
        patch.insert("metadata".to_owned(), Value::Object(metadata));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Where a live account says something else than ours; that it says more is no such place.
pub(super) fn contradictions(differences: &[Difference]) -> Vec<String> {
    let against = differences.iter().filter(|it| is_against(it));
    against.map(|it| it.path.clone()).collect()
}

fn is_against(it: &Difference) -> bool {
    !it.backup.is_null() && !is_in_list(it) && !is_missing_word(it)
}

/// Whether an update changes this, where what says otherwise is replaced or left.
pub(super) fn is_made_good(it: &Difference, is_replaced: bool) -> bool {
    let is_missing_entry = is_in_list(it) && !it.backup.is_null();
    is_missing_entry || is_missing_word(it) || is_replaced && is_against(it)
}

fn is_in_list(it: &Difference) -> bool {
    LISTS.iter().any(|list| it.path[1..].starts_with(list))
}

fn is_missing_word(it: &Difference) -> bool {
    it.cluster.is_null() && !it.backup.is_null() && it.path.starts_with("/metadata/")
}

/// What to merge into a live account so that it says in these places what ours does, and has all that
/// ours has.
fn change(ours: &Object, live: &Object, against: &[String]) -> Result<Value, String> {
    let mut patch = merge::patch(&GroupResource::core("serviceaccounts"), ours, live, against)?;
    json_patch::merge(&mut patch, &additions(ours, live).unwrap_or_else(|| json!({})));
    Ok(patch)
}

impl Execution<'_> {
    /// Adds to a live account what the backup's has beyond it, and changes what the plan says.
    pub(super) async fn complete_account(
        &self,
        row: &Row<'_>,
        kind: &Kind,
        prepared: &Prepared,
        live: &Object,
    ) -> Result<Outcome, Cause> {
        let (id, ours) = (&prepared.id, &prepared.object);
        let Compared { differences, marks } = compare::compared(id, ours, live);
        let against = contradictions(&differences);
        let policy = self.request.spec.existing_resource_policy.unwrap_or_default();
        let is_changed = row.verdict == Verdict::Update && policy == ExistingResourcePolicy::Update;
        let patch = match against.is_empty() {
            true => additions(ours, live),
            false if is_changed => {
                let mut both = differences.iter().zip(&marks);
                if both.any(|(it, mark)| is_against(it) && !row.has_seen(mark)) {
                    return Ok(self.not_updated(id, "it was changed since it was compared"));
                }
                match change(ours, live, &against) {
                    Ok(patch) => Some(patch),
                    Err(why) => return Ok(self.not_updated(id, why)),
                }
            }
            false => {
                let message = format!("it differs in {}, which stays", compare::named(&against));
                self.journal.warn(Problem::of_item(id, "compare", message));
                additions(ours, live)
            }
        };
        let Some(patch) = patch else {
            return Ok(if against.is_empty() { Outcome::Unchanged } else { Outcome::Differs });
        };
        let cluster = &self.context.cluster;
        let patched = cluster.merge_patch(kind, id.namespace.as_deref(), &id.name, &patch).await;
        Ok(self.settle(patched, id)?.map_or(Outcome::Failed, |_| Outcome::Updated))
    }
}

fn metadata<'a>(account: &'a Object, map: &str) -> Option<&'a Map<String, Value>> {
    account.get("metadata")?.get(map)?.as_object()
}

/// All references of both lists, if ours has one more; a merge patch replaces whole lists.
fn union(ours: Option<&Value>, live: Option<&Value>) -> Option<Value> {
    let live = live.and_then(Value::as_array).cloned().unwrap_or_default();
    let known = |reference: &&Value| live.iter().any(|l| l.get("name") == reference.get("name"));
    let ours = ours.and_then(Value::as_array)?;
    let added: Vec<Value> = ours.iter().filter(|reference| !known(reference)).cloned().collect();
    (!added.is_empty()).then(|| json!([live, added].concat()))
}

/// The entries of ours whose keys the live map lacks; labels of a restore are no difference.
fn missing(ours: Option<&Map<String, Value>>, live: Option<&Map<String, Value>>) -> Option<Value> {
    let ignored = |key: &str| key.starts_with("velero.io/") || key.starts_with("bowline.io/");
    let known = |key: &str| live.is_some_and(|live| live.contains_key(key));
    let added: Map<String, Value> = ours?
        .iter()
        .filter(|(key, _)| !known(key) && !ignored(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    (!added.is_empty()).then_some(Value::Object(added))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads better with json! as the argument")]
    fn object(value: Value) -> Object {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn pull_secrets_of_both_are_kept() {
        let ours = object(json!({"imagePullSecrets": [{"name": "registry"}]}));
        let live = object(json!({"imagePullSecrets": [{"name": "mirror"}]}));
        let all = json!({"imagePullSecrets": [{"name": "mirror"}, {"name": "registry"}]});
        assert_eq!(additions(&ours, &live), Some(all));
    }

    #[test]
    fn a_live_annotation_is_never_overwritten() {
        let ours = object(json!({"metadata": {"annotations": {"role": "old", "team": "web"}}}));
        let live = object(json!({"metadata": {"annotations": {"role": "new"}}}));
        let team = json!({"metadata": {"annotations": {"team": "web"}}});
        assert_eq!(additions(&ours, &live), Some(team));
    }

    #[test]
    fn a_change_makes_an_account_say_the_same_and_keeps_what_it_has_beyond() {
        let ours = object(json!({"metadata": {"annotations": {"role": "old", "team": "web"}},
            "automountServiceAccountToken": false}));
        let live = object(json!({"metadata": {"resourceVersion": "7",
            "annotations": {"role": "new", "more": "1"}}, "secrets": [{"name": "a"}]}));
        let id = "serviceaccounts/shop/web".parse().unwrap();
        let against = contradictions(&compare::differences(&id, &ours, &live));
        assert_eq!(against, ["/automountServiceAccountToken", "/metadata/annotations/role"]);
        let expected = json!({"metadata": {"resourceVersion": "7",
            "annotations": {"role": "old", "team": "web"}}, "automountServiceAccountToken": false});
        assert_eq!(change(&ours, &live, &against).unwrap(), expected);
    }

    #[test]
    fn an_account_that_has_everything_is_left_alone() {
        let ours = object(json!({"secrets": [{"name": "a"}],
            "metadata": {"labels": {"velero.io/restore-name": "r1"}}}));
        let live = object(json!({"secrets": [{"name": "a"}, {"name": "b"}]}));
        assert_eq!(additions(&ours, &live), None);
    }
}

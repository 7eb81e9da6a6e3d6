//! What becomes of an object that is there already. Pure.

use std::collections::BTreeSet;

use bowline_api::{GroupResource, ItemId};

use super::compare::Compared;
use super::plan::Verdict;
use super::{accounts, compare, fixed, recreate};
use crate::engine::model::difference::Difference;
use crate::engine::model::fields::{maps_at, text_at};
use crate::engine::model::restore::ExistingResourcePolicy;
use crate::engine::model::{Object, kinds};

/// How to have an object changed that is not on the list of those that may be made anew.
pub(super) const UPDATE: &str =
    "it was left as it is; --existing-resource-policy=update changes it";
/// How to have an object made anew that cannot be changed.
pub(super) const RECREATE: &str =
    "it was left as it is; --existing-resource-policy=recreate deletes it and makes it anew";

/// How many differences of one object are told; all of them decide.
pub(super) const TOLD: usize = 100;

/// What becomes of an object that is there, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub verdict: Verdict,
    pub reason: String,
    /// What would help, where nothing is done.
    pub hint: Option<&'static str>,
    /// Where it differs, as far as that is told.
    pub differences: Vec<Difference>,
    /// The marks of all that differs: an update or a recreation may meet nothing else.
    pub seen: BTreeSet<String>,
}

impl Judgement {
    pub(super) fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        let (differences, seen) = (Vec::new(), BTreeSet::new());
        Self { verdict, reason: reason.into(), hint: None, differences, seen }
    }

    fn hinted(self, hint: Option<&'static str>) -> Self {
        Self { hint, ..self }
    }
}

/// Judges a live object by what would be made in its place.
pub(super) fn judge(
    policy: ExistingResourcePolicy,
    target: &ItemId,
    ours: &Object,
    live: &Object,
) -> Judgement {
    let Compared { mut differences, marks } = compare::compared(target, ours, live);
    let judged = judge_differences(policy, target, ours, live, &differences);
    let is_changed = matches!(judged.verdict, Verdict::Update | Verdict::Recreate);
    if is_account(target) && judged.verdict == Verdict::Update {
        let is_replaced = policy == ExistingResourcePolicy::Update;
        differences.retain(|it| accounts::is_made_good(it, is_replaced));
    }
    differences.truncate(TOLD);
    let seen = marks.into_iter().filter(|_| is_changed).collect();
    Judgement { differences, seen, ..judged }
}

fn judge_differences(
    policy: ExistingResourcePolicy,
    target: &ItemId,
    ours: &Object,
    live: &Object,
    differences: &[Difference],
) -> Judgement {
    if differences.is_empty() {
        return Judgement::new(Verdict::Unchanged, "");
    }
    if is_account(target) {
        return judge_account(policy, ours, live, differences);
    }
    by_policy(policy, target, ours, live, &compare::pointers(differences))
}

fn is_account(id: &ItemId) -> bool {
    id.resource == GroupResource::core("serviceaccounts")
}

/// An account gets what it lacks whatever the policy; what it says otherwise is changed by the policy only.
fn judge_account(
    policy: ExistingResourcePolicy,
    ours: &Object,
    live: &Object,
    differences: &[Difference],
) -> Judgement {
    let against = accounts::contradictions(differences);
    let differs = || format!("it exists and differs in {}", compare::named(&against));
    match (accounts::additions(ours, live).is_some(), against.is_empty()) {
        (true, true) => Judgement::new(Verdict::Update, "what it lacks is added"),
        (false, true) => Judgement::new(Verdict::Unchanged, "it has more than the backup's"),
        _ if policy == ExistingResourcePolicy::Update => Judgement::new(Verdict::Update, differs()),
        (true, false) => {
            let reason = format!("what it lacks is added; {}, which stays", differs());
            Judgement::new(Verdict::Update, reason)
        }
        (false, false) => Judgement::new(Verdict::Differs, differs()).hinted(Some(UPDATE)),
    }
}

fn by_policy(
    policy: ExistingResourcePolicy,
    target: &ItemId,
    ours: &Object,
    live: &Object,
    differing: &[String],
) -> Judgement {
    let differs = format!("it exists and differs in {}", compare::named(differing));
    if let Some(maker) = maker(target, live).filter(|_| policy != ExistingResourcePolicy::None) {
        return Judgement::new(
            Verdict::Differs,
            format!("{differs}; left to {maker}, which makes it"),
        );
    }
    match policy {
        ExistingResourcePolicy::None => Judgement::new(Verdict::Differs, differs),
        ExistingResourcePolicy::Update => match fixed::obstacle(target, ours, live, differing) {
            None => Judgement::new(Verdict::Update, differs),
            Some(why) => {
                let hint = recreate::is_listed(&target.resource).then_some(RECREATE);
                Judgement::new(Verdict::Differs, format!("{differs}; not updated: {why}"))
                    .hinted(hint)
            }
        },
        ExistingResourcePolicy::Recreate => match recreate::obstacle(target, ours, live, differing)
        {
            None => Judgement::new(Verdict::Recreate, differs),
            Some(why) => {
                let hint = fixed::obstacle(target, ours, live, differing).is_none();
                Judgement::new(Verdict::Differs, format!("{differs}; not recreated: {why}"))
                    .hinted(hint.then_some(UPDATE))
            }
        },
    }
}

/// The controller that makes an object as it wants it, whatever anybody changes: of a built-in kind.
fn maker(target: &ItemId, live: &Object) -> Option<String> {
    let mut owners = maps_at(live, &["metadata", "ownerReferences"]);
    let owner = owners.find(|owner| owner.get("controller") == Some(&true.into()))?;
    let text = |key| text_at(owner, &[key]).unwrap_or_default();
    kinds::is_remade(&target.resource).then(|| format!("{} {}", text("kind"), text("name")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::Preparation;
    use super::super::prepare::prepare;
    use super::super::samples::object;
    use super::ExistingResourcePolicy::{None as Leave, Recreate, Update};
    use super::*;

    fn judged(policy: ExistingResourcePolicy, id: &str, ours: Value, live: Value) -> Judgement {
        let id: ItemId = id.parse().unwrap();
        let ours = prepare(&id, object(ours), &Preparation::default()).object;
        judge(policy, &id, &ours, &object(live))
    }

    fn data(value: &str) -> Value {
        json!({"metadata": {}, "data": {"a": value}})
    }

    #[test]
    fn the_policy_decides_about_what_differs_and_about_nothing_else() {
        let id = "configmaps/shop/c";
        for (policy, verdict) in
            [(Leave, Verdict::Differs), (Update, Verdict::Update), (Recreate, Verdict::Recreate)]
        {
            let judgement = judged(policy, id, data("1"), data("2"));
            assert_eq!(judgement.verdict, verdict);
            assert_eq!(judgement.reason, "it exists and differs in /data/a");
            assert_eq!(compare::pointers(&judgement.differences), ["/data/a"]);
            assert_eq!(judged(policy, id, data("1"), data("1")).verdict, Verdict::Unchanged);
        }
    }

    #[test]
    fn an_update_that_cannot_be_is_told_with_what_could_be_instead() {
        let selector = |app: &str| json!({"spec": {"selector": {"matchLabels": {"app": app}}}});
        for (id, hint) in
            [("deployments.apps/shop/web", Some(RECREATE)), ("replicasets.apps/shop/web", None)]
        {
            let judgement = judged(Update, id, selector("a"), selector("b"));
            assert_eq!(judgement.verdict, Verdict::Differs);
            let why = "not updated: /spec/selector/matchLabels/app cannot be changed";
            assert!(judgement.reason.ends_with(why), "{}", judgement.reason);
            assert_eq!(judgement.hint, hint);
        }
    }

    #[test]
    fn what_is_not_made_anew_may_be_updated() {
        let widget = |size: u8| json!({"spec": {"size": size}});
        let judgement = judged(Recreate, "widgets.example.com/shop/w", widget(1), widget(2));
        assert_eq!((judgement.verdict, judgement.hint), (Verdict::Differs, Some(UPDATE)));
        assert!(judgement.reason.contains("not recreated: "), "{}", judgement.reason);
    }

    #[test]
    fn what_a_controller_makes_is_left_to_it() {
        let set = |replicas: u8| {
            json!({"metadata": {"ownerReferences": [{"kind": "Deployment", "name": "web",
                "controller": true}]}, "spec": {"replicas": replicas}})
        };
        for (id, verdict) in [
            ("replicasets.apps/shop/web-7d9f", Verdict::Differs),
            ("configmaps/shop/settings", Verdict::Update),
        ] {
            let judgement = judged(Update, id, set(1), set(2));
            assert_eq!(judgement.verdict, verdict, "{}", judgement.reason);
        }
        let judgement = judged(Recreate, "jobs.batch/shop/j", set(1), set(2));
        assert!(judgement.reason.ends_with("left to Deployment web, which makes it"));
    }

    #[test]
    fn an_account_that_says_something_else_is_no_account_that_has_more() {
        let id = "serviceaccounts/shop/web";
        let of = |role: &str| {
            json!({"metadata": {"annotations": {"role": role}},
                "automountServiceAccountToken": role == "x"})
        };
        for (policy, verdict) in
            [(Leave, Verdict::Differs), (Recreate, Verdict::Differs), (Update, Verdict::Update)]
        {
            let judgement = judged(policy, id, of("x"), of("y"));
            assert_eq!(judgement.verdict, verdict);
            for field in ["/metadata/annotations/role", "/automountServiceAccountToken"] {
                assert!(judgement.reason.contains(field), "{}", judgement.reason);
            }
        }
        let more = json!({"metadata": {"annotations": {"role": "x", "more": "1"}},
            "automountServiceAccountToken": true});
        assert_eq!(judged(Leave, id, of("x"), more).verdict, Verdict::Unchanged);
    }

    #[test]
    fn of_an_account_only_what_is_changed_is_told() {
        let id = "serviceaccounts/shop/default";
        let of = |annotations: Value, pull: Value| json!({"metadata": {"annotations": annotations}, "imagePullSecrets": pull});
        let ours = of(json!({"role": "a", "team": "web"}), json!([{"name": "registry"}]));
        let live = of(json!({"role": "b", "own": "1"}), json!([{"name": "mirror"}]));
        let (lacks, role) = (
            ["/imagePullSecrets[name=registry]", "/metadata/annotations/team"],
            "/metadata/annotations/role",
        );
        for (policy, more) in [(Leave, None), (Update, Some(role))] {
            let judgement = judged(policy, id, ours.clone(), live.clone());
            assert_eq!(judgement.verdict, Verdict::Update);
            let mut told = compare::pointers(&judgement.differences);
            told.sort();
            let mut expected: Vec<&str> = lacks.into_iter().chain(more).collect();
            expected.sort_unstable();
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn many_differences_are_not_all_told_but_all_are_seen() {
        let data = |n: usize, value: &str| {
            let data: Map<String, Value> =
                (0..n).map(|n| (format!("k{n}"), json!(value))).collect();
            json!({"metadata": {}, "data": data})
        };
        let judgement = judged(Update, "configmaps/shop/c", data(1500, "a"), data(1500, "b"));
        assert_eq!((judgement.differences.len(), judgement.seen.len()), (TOLD, 1500));
        assert!(judgement.reason.ends_with(" and 1492 more"), "{}", judgement.reason);
    }
}

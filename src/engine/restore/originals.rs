//! What the whole cluster has once, and a clone's original has already. Pure.

use bowline_api::ItemId;

use super::Preparation;
use super::judgement::Judgement;
use super::plan::Verdict;
use super::staging::services;
use crate::engine::model::Object;

/// How to have both.
const HOW: &str = "it was left as it is, or the original would lose it; a clone needs one under a name \
     of its own";

/// Leaves a live webhook, conversion or aggregated API to the original that it leads to.
///
/// The clone's leads into another namespace: changed to that, it would be taken from the original.
pub(super) fn leave(
    preparation: &Preparation,
    id: &ItemId,
    live: &Object,
    judgement: Judgement,
) -> Judgement {
    let is_changed =
        matches!(judgement.verdict, Verdict::Differs | Verdict::Update | Verdict::Recreate);
    let mut called = services(id, live).into_iter();
    let original = called.find(|(namespace, _)| preparation.is_mapped(namespace));
    match original.filter(|_| is_changed) {
        None => judgement,
        Some((namespace, name)) => {
            let reason = format!(
                "it exists and leads to service {namespace}/{name}: left to the original of the clone"
            );
            Judgement { verdict: Verdict::Differs, reason, hint: Some(HOW), ..judgement }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::samples::object;
    use super::*;

    #[test]
    fn what_leads_to_the_original_is_left_to_it() {
        let namespaces = [("shop".to_owned(), "copy".to_owned())].into();
        let preparation = Preparation { namespaces, ..Preparation::default() };
        let verdict = |id: &str, live: Value, verdict| {
            let judgement = Judgement::new(verdict, "x");
            leave(&preparation, &id.parse().unwrap(), &object(live), judgement).verdict
        };
        let service = |namespace: &str| json!({"name": "api", "namespace": namespace});
        let api = |namespace: &str| json!({"spec": {"service": service(namespace)}});
        let hook = |namespace: &str| {
            json!({"webhooks": [{"clientConfig": {"url": "https://x"}},
                {"clientConfig": {"service": service(namespace)}}]})
        };
        let definition = |namespace: &str| {
            json!({"spec": {"conversion": {"webhook": {"clientConfig":
                {"service": service(namespace)}}}}})
        };
        for (id, live) in [
            ("apiservices.apiregistration.k8s.io/v1.shop", &api as &dyn Fn(&str) -> Value),
            ("validatingwebhookconfigurations.admissionregistration.k8s.io/shop", &hook),
            ("customresourcedefinitions.apiextensions.k8s.io/w.shop", &definition),
        ] {
            for changed in [Verdict::Update, Verdict::Recreate] {
                assert_eq!(verdict(id, live("shop"), changed), Verdict::Differs, "{id}");
                assert_eq!(verdict(id, live("copy"), changed), changed, "{id}");
            }
            assert_eq!(verdict(id, live("shop"), Verdict::Unchanged), Verdict::Unchanged);
        }
    }
}

//! What the API server calls, as webhook configurations, aggregated APIs and definitions say.

use std::collections::BTreeMap;

use bowline_api::ItemId;
use serde_json::Value;

use super::PodTemplate;
use crate::engine::model::Object;
use crate::engine::model::fields::{at, map_at, maps_at, text_at};
use crate::engine::model::selector::Selector;

/// A service by its namespace and name.
pub(in super::super) type Service = (String, String);

/// The labels of namespaces, by name.
pub(super) type NamespaceLabels = BTreeMap<String, BTreeMap<String, String>>;

const CONVERSION: &[&str] = &["spec", "conversion", "webhook", "clientConfig", "service"];

/// An object that makes the API server call somebody.
#[derive(Debug)]
pub(super) struct Registration {
    /// Its name in the archive.
    pub id: ItemId,
    /// Whom it calls, in the target.
    pub services: Vec<Service>,
    /// Those of its webhooks that shape pods when they are made.
    injectors: Vec<Injector>,
    /// The group and version that an aggregated API serves.
    pub api: Option<(String, String)>,
}

/// A webhook that changes pods on their way.
#[derive(Debug)]
struct Injector {
    fails_closed: bool,
    namespaces: Selector,
    objects: Selector,
}

impl Registration {
    /// What is registered by an object, which is prepared for the target; none if nobody is called.
    pub(super) fn read(id: &ItemId, object: &Object) -> Option<Self> {
        let services = services(id, object);
        let injectors = match id.resource.resource.as_str() {
            "mutatingwebhookconfigurations" => injectors(object),
            _ => Vec::new(),
        };
        let text = |key| text_at(object, &["spec", key]).map(str::to_owned);
        let api = match (id.resource.resource.as_str(), services.is_empty()) {
            ("apiservices", false) => text("group").zip(text("version")),
            _ => None,
        };
        let called = !services.is_empty() || is_webhook(id);
        called.then(|| Self { id: id.clone(), services, injectors, api })
    }

    /// Whether it only makes the API server call somebody: a definition is needed for itself.
    pub(super) fn is_installed(&self) -> bool {
        self.id.resource.resource != "customresourcedefinitions"
    }

    /// Whether the pods of this template, in this namespace, are changed when they are made; and if
    /// so, whether they are refused where it does not answer.
    pub(super) fn shapes(
        &self,
        namespace: &str,
        pods: &PodTemplate,
        labels: &NamespaceLabels,
    ) -> Option<bool> {
        let name = ("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
        let mut place = labels.get(namespace).cloned().unwrap_or_default();
        place.extend([name]);
        let matching = self.injectors.iter().filter(|injector| {
            injector.namespaces.matches(&place) && injector.objects.matches(&pods.labels)
        });
        matching.map(|injector| injector.fails_closed).reduce(|one, other| one || other)
    }
}

/// The services that an object has the API server call.
pub(in super::super) fn services(id: &ItemId, object: &Object) -> Vec<Service> {
    let service = |service: &Object| {
        let text = |key| text_at(service, &[key]).map(str::to_owned);
        text("namespace").zip(text("name"))
    };
    let at_path = |path| map_at(object, path).and_then(service).into_iter().collect();
    match id.resource.resource.as_str() {
        "apiservices" => at_path(&["spec", "service"]),
        "customresourcedefinitions" => at_path(CONVERSION),
        _ if is_webhook(id) => {
            let webhooks = maps_at(object, &["webhooks"]);
            let called = webhooks.filter_map(|it| map_at(it, &["clientConfig", "service"]));
            let mut services: Vec<Service> = called.filter_map(service).collect();
            services.sort();
            services.dedup();
            services
        }
        _ => Vec::new(),
    }
}

fn is_webhook(id: &ItemId) -> bool {
    id.resource.group == "admissionregistration.k8s.io"
        && id.resource.resource.ends_with("webhookconfigurations")
}

fn injectors(object: &Object) -> Vec<Injector> {
    let webhooks = maps_at(object, &["webhooks"]).filter(|webhook| takes_new_pods(webhook));
    let injector = |webhook: &Object| Injector {
        // What is not said is `Fail` since v1.
        fails_closed: text_at(webhook, &["failurePolicy"]) != Some("Ignore"),
        namespaces: selector(webhook, "namespaceSelector"),
        objects: selector(webhook, "objectSelector"),
    };
    webhooks.map(injector).collect()
}

/// A selector; one that says nothing, or cannot be read, selects everything.
fn selector(webhook: &Object, key: &str) -> Selector {
    let said = webhook.get(key).cloned().unwrap_or_default();
    serde_json::from_value(said).unwrap_or_default()
}

fn takes_new_pods(webhook: &Object) -> bool {
    maps_at(webhook, &["rules"]).any(|rule| {
        let lists = |key: &str, words: &[&str]| {
            let listed = at(rule, &[key]).and_then(Value::as_array);
            let listed = listed.into_iter().flatten().filter_map(Value::as_str);
            listed.into_iter().any(|word| words.contains(&word))
        };
        lists("apiGroups", &["", "*"])
            && lists("resources", &["pods", "*", "*/*"])
            && lists("operations", &["CREATE", "*"])
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::samples::object;
    use super::*;

    const MUTATING: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io/injector";

    fn registration(id: &str, value: Value) -> Option<Registration> {
        Registration::read(&id.parse().unwrap(), &object(value))
    }

    fn injector(changes: Value) -> Registration {
        let mut webhook = json!({"clientConfig": {"url": "https://example.com"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}]});
        for (key, value) in object(changes) {
            webhook[key] = value;
        }
        registration(MUTATING, json!({"webhooks": [webhook]})).unwrap()
    }

    /// Whether it shapes pods with the label `app=web` in namespace `shop`, of team `red`.
    fn shapes(changes: Value) -> Option<bool> {
        let pods = PodTemplate {
            labels: [("app".to_owned(), "web".to_owned())].into(),
            ..PodTemplate::default()
        };
        let red = [("team".to_owned(), "red".to_owned())].into();
        injector(changes).shapes("shop", &pods, &[("shop".to_owned(), red)].into())
    }

    #[test]
    fn the_services_behind_webhooks_aggregated_apis_and_conversion_are_called() {
        let service = |name: &str| json!({"namespace": "certs", "name": name});
        let webhooks = json!({"webhooks": [{"clientConfig": {"service": service("webhook")}},
            {"clientConfig": {"service": service("webhook")}},
            {"clientConfig": {"url": "https://example.com"}}]});
        let api = json!({"spec": {"service": service("webhook"), "group": "g", "version": "v1"}});
        let definition = json!({"spec": {"conversion": {"strategy": "Webhook", "webhook":
            {"clientConfig": {"service": service("webhook")}}}}});
        for (id, value) in [
            ("validatingwebhookconfigurations.admissionregistration.k8s.io/x", webhooks),
            ("apiservices.apiregistration.k8s.io/v1.g", api),
            ("customresourcedefinitions.apiextensions.k8s.io/widgets.example.com", definition),
        ] {
            let found = registration(id, value).unwrap().services;
            assert_eq!(found, [("certs".to_owned(), "webhook".to_owned())], "{id}");
        }
        let local = registration("apiservices.apiregistration.k8s.io/v1.g", json!({"spec": {}}));
        assert!(local.is_none());
    }

    #[test]
    fn a_webhook_shapes_the_pods_that_its_selectors_select() {
        assert_eq!(shapes(json!({})), Some(true), "it fails closed unless it says otherwise");
        assert_eq!(shapes(json!({"failurePolicy": "Ignore"})), Some(false));
        for (key, label, value, expected) in [
            ("namespaceSelector", "team", "red", Some(true)),
            ("namespaceSelector", "team", "blue", None),
            ("namespaceSelector", "kubernetes.io/metadata.name", "shop", Some(true)),
            ("objectSelector", "app", "web", Some(true)),
            ("objectSelector", "app", "db", None),
        ] {
            let selector = json!({key: {"matchLabels": {label: value}}});
            assert_eq!(shapes(selector.clone()), expected, "{selector}");
        }
    }

    #[test]
    fn a_webhook_that_is_not_called_for_new_pods_shapes_none() {
        let rule = |groups: &str, resources: &str, operations: &str| {
            json!({"rules": [{"apiGroups": [groups], "resources": [resources],
                "operations": [operations]}]})
        };
        assert_eq!(shapes(rule("*", "*", "*")), Some(true));
        assert_eq!(shapes(rule("apps", "*", "*")), None);
        assert_eq!(shapes(rule("", "configmaps", "*")), None);
        assert_eq!(shapes(rule("", "pods", "UPDATE")), None);
    }

    #[test]
    fn a_webhook_that_only_judges_shapes_nothing() {
        let id = "validatingwebhookconfigurations.admissionregistration.k8s.io/x";
        let rule = json!({"apiGroups": ["*"], "resources": ["*"], "operations": ["*"]});
        let judge = registration(id, json!({"webhooks": [{"rules": [rule]}]})).unwrap();
        assert_eq!(judge.shapes("shop", &PodTemplate::default(), &<_>::default()), None);
    }
}

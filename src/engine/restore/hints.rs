//! What still names a namespace by its old name, although that is mapped: told, never changed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_api::GroupResource;
use serde_json::Value;

use super::Preparation;
use super::actions::Draft;
use crate::engine::model::entries::escaped;
use crate::engine::model::fields::map_at;

/// How many places are told of one object.
const TOLD: usize = 5;
/// Texts that are longer are not looked at: certificates, programs, data.
const LONGEST: usize = 64 * 1024;
/// The label by which a selector names a namespace.
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";
/// What was applied last is not what is in use.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Finds what still names a namespace by its old name.
pub(super) fn of(draft: &Draft<'_>) -> Vec<String> {
    let mapped = draft.context.namespaces.keys().filter(|old| draft.context.is_mapped(old));
    if mapped.clone().next().is_none() {
        return Vec::new();
    }
    let is_secret = draft.id.resource == GroupResource::core("secrets");
    let mut scan = Scan { context: draft.context, is_secret, found: Vec::new() };
    for (key, value) in &draft.object {
        match key.as_str() {
            "metadata" => scan.annotations(draft),
            "data" if is_secret => scan.encoded(value),
            _ => scan.value(&format!("/{}", escaped(key)), key, value),
        }
    }
    let more = scan.found.len().saturating_sub(TOLD);
    scan.found.truncate(TOLD);
    if more > 0 {
        scan.found.push(format!("and {more} more places"));
    }
    scan.found
}

struct Scan<'a> {
    context: &'a Preparation,
    /// Whether what is found must not be told, but only where.
    is_secret: bool,
    found: Vec<String>,
}

impl Scan<'_> {
    fn annotations(&mut self, draft: &Draft<'_>) {
        let annotations = map_at(&draft.object, &["metadata", "annotations"]);
        for (key, value) in
            annotations.into_iter().flatten().filter(|(key, _)| *key != LAST_APPLIED)
        {
            self.value(&format!("/metadata/annotations/{}", escaped(key)), key, value);
        }
    }

    /// The data of a Secret, in Base64.
    fn encoded(&mut self, data: &Value) {
        for (key, value) in data.as_object().into_iter().flatten() {
            let decoded = value.as_str().and_then(|text| STANDARD.decode(text).ok());
            if let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
                self.text(&format!("/data/{}", escaped(key)), key, &text);
            }
        }
    }

    fn value(&mut self, path: &str, key: &str, value: &Value) {
        match value {
            Value::String(text) => self.text(path, key, text),
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    self.value(&format!("{path}/{index}"), key, value);
                }
            }
            Value::Object(map) => {
                // Of `{name: POD_NAMESPACE, value: shop}` the name says what the value is.
                let name = map.get("name").and_then(Value::as_str);
                let selects = map.get("key").and_then(Value::as_str);
                for (key, value) in map {
                    let meaning = match key.as_str() {
                        "value" => name.unwrap_or(key),
                        "values" => selects.unwrap_or(key),
                        _ => key,
                    };
                    self.value(&format!("{path}/{}", escaped(key)), meaning, value);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, path: &str, key: &str, text: &str) {
        if text.len() > LONGEST {
            return;
        }
        let Some((old, what)) = self.named(key, text) else { return };
        self.found.push(match what {
            Some(what) if !self.is_secret => format!("{path} still names {old} ({what})"),
            _ => format!("{path} still names {old}"),
        });
    }

    /// Which old name a text holds, and as part of what.
    fn named(&self, key: &str, text: &str) -> Option<(String, Option<String>)> {
        let mapped = || self.context.namespaces.keys().filter(|old| self.context.is_mapped(old));
        let means_namespace =
            key == NAMESPACE_LABEL || key.to_ascii_lowercase().contains("namespace");
        if means_namespace && let Some(old) = mapped().find(|old| *old == text.trim()) {
            return Some((old.clone(), None));
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        let mut words = text.split(|c| !is_part(c)).filter(|word| word.contains('.'));
        let host = words.find_map(|word| {
            let word = word.trim_matches('.');
            Some((mapped().find(|old| self.is_host_in(word, old))?.clone(), Some(word.to_owned())))
        });
        host.or_else(|| {
            let old = mapped().find(|old| is_told_as_namespace(text, old))?;
            Some((old.clone(), Some(format!("namespace {old}"))))
        })
    }

    /// Whether this is the name of a service, or of one of its pods, in DNS: `db.shop`,
    /// `db-0.db.shop.svc`. Without `svc` it must be a service of the backup: `shop` may be a domain, too.
    fn is_host_in(&self, host: &str, namespace: &str) -> bool {
        let labels: Vec<&str> = host.split('.').collect();
        let at = |index: usize| labels.get(index).copied().unwrap_or_default();
        (0..labels.len()).filter(|index| labels[*index] == namespace).any(|index| {
            let is_last = index + 1 == labels.len();
            at(index + 1) == "svc"
                || is_last
                    && index > 0
                    && self
                        .context
                        .services
                        .contains(&(namespace.to_owned(), at(index - 1).to_owned()))
        })
    }
}

/// Whether a text has the namespace as an argument or a setting: `--namespace=shop`, `namespace: shop`.
fn is_told_as_namespace(text: &str, namespace: &str) -> bool {
    text.match_indices("namespace").any(|(index, word)| {
        let rest = &text[index + word.len()..];
        let value = rest.trim_start_matches(['=', ':', ' ', '"', '\'']);
        let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'));
        value.len() < rest.len() && value[..end.unwrap_or(value.len())] == *namespace
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::prepare::prepare;
    use super::super::samples::object;
    use super::*;

    fn hints(id: &str, recorded: Value) -> Vec<String> {
        let context = Preparation {
            namespaces: [("shop".to_owned(), "copy".to_owned())].into(),
            services: [("shop".to_owned(), "db".to_owned())].into(),
            ..Preparation::default()
        };
        prepare(&id.parse().unwrap(), object(recorded), &context).hints
    }

    #[test]
    fn the_dns_names_of_services_are_found_in_whatever_text_they_stand() {
        let data = json!({"data": {
            "a": "postgres://user@db.shop:5432/x", "b": "db.shop.svc", "c": "db-0.db.shop.svc.cluster.local",
            "d": "see www.my.shop or shop.example.com", "e": "db.shopping.svc", "f": "shop"}});
        assert_eq!(
            hints("configmaps/shop/c", data),
            [
                "/data/a still names shop (db.shop)",
                "/data/b still names shop (db.shop.svc)",
                "/data/c still names shop (db-0.db.shop.svc.cluster.local)",
            ]
        );
    }

    #[test]
    fn variables_arguments_and_selectors_are_found_and_what_was_led_over_is_not() {
        let pod = json!({"metadata": {"namespace": "shop", "annotations": {LAST_APPLIED: "db.shop.svc"}},
            "spec": {"containers": [{"name": "shop", "args": ["--namespace=shop", "--namespace-x=shop2"],
                "env": [{"name": "POD_NAMESPACE", "value": "shop"}, {"name": "APP", "value": "shop"}]}]}});
        let expected = [
            "/spec/containers/0/args/0 still names shop (namespace shop)",
            "/spec/containers/0/env/0/value still names shop",
        ];
        assert_eq!(hints("pods/shop/web", pod), expected);
        let policy = json!({"spec": {"ingress": [{"from": [
            {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "shop"}}},
            {"namespaceSelector": {"matchExpressions": [
                {"key": NAMESPACE_LABEL, "operator": "In", "values": ["a", "shop"]}]}}]}]}});
        assert_eq!(hints("networkpolicies.networking.k8s.io/other/p", policy).len(), 2);
        let binding =
            json!({"subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]});
        let id = "clusterrolebindings.rbac.authorization.k8s.io/web";
        assert_eq!(hints(id, binding), [""; 0]);
    }

    #[test]
    fn of_a_secret_the_key_is_told_and_never_the_value() {
        let url = STANDARD.encode("postgres://ann:hunter2@db.shop.svc/x");
        let secret =
            json!({"data": {"url": url, "other": "AA=="}, "stringData": {"u": "db.shop.svc"}});
        let expected = ["/data/url still names shop", "/stringData/u still names shop"];
        assert_eq!(hints("secrets/shop/s", secret), expected);
    }

    #[test]
    fn not_more_is_told_than_anybody_reads() {
        let data: serde_json::Map<_, _> =
            (0..9).map(|key| (key.to_string(), "db.shop.svc".into())).collect();
        let found = hints("configmaps/shop/c", json!({"data": data}));
        assert_eq!((found.len(), found[TOLD].as_str()), (TOLD + 1, "and 4 more places"));
    }
}

//! How the API server converts the objects of a custom kind from one version into another.

use super::fields::{Object, at, maps_at, text_at};

/// What the definition of a custom kind says of its versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// The webhook that converts its objects, in words; none where nothing has to be asked.
    pub webhook: Option<String>,
    /// The version that its objects are stored in.
    pub stored: Option<String>,
}

impl Conversion {
    /// Reads a `CustomResourceDefinition`.
    pub fn of(definition: &Object) -> Self {
        let mut versions = maps_at(definition, &["spec", "versions"]);
        let stored = versions.find(|it| at(it, &["storage"]) == Some(&true.into()));
        Self {
            webhook: webhook(definition),
            stored: stored.and_then(|it| text_at(it, &["name"])).map(str::to_owned),
        }
    }

    /// The version in which objects are read and made although the webhook does not answer.
    pub fn without_webhook(&self) -> Option<&str> {
        self.webhook.as_ref().and(self.stored.as_deref())
    }
}

fn webhook(definition: &Object) -> Option<String> {
    let conversion = ["spec", "conversion"];
    if text_at(definition, &[&conversion[..], &["strategy"]].concat()) != Some("Webhook") {
        return None;
    }
    let config = [&conversion[..], &["webhook", "clientConfig"]].concat();
    let text = |path: &[&str]| text_at(definition, &[&config[..], path].concat());
    Some(match (text(&["service", "namespace"]), text(&["service", "name"]), text(&["url"])) {
        (Some(namespace), Some(name), _) => format!("service {namespace}/{name}"),
        (_, _, Some(url)) => url.to_owned(),
        _ => "a webhook".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(conversion: &Value) -> Conversion {
        let definition = json!({"spec": {"conversion": conversion, "versions": [
            {"name": "v2", "served": true, "storage": false},
            {"name": "v1", "served": true, "storage": true}]}});
        Conversion::of(definition.as_object().unwrap())
    }

    #[test]
    fn only_a_webhook_has_to_be_asked() {
        let webhook = |config: Value| {
            read(&json!({"strategy": "Webhook", "webhook": {"clientConfig": config}})).webhook
        };
        let service = json!({"service": {"namespace": "shop", "name": "convert", "port": 1}});
        assert_eq!(webhook(service).as_deref(), Some("service shop/convert"));
        let url = json!({"url": "https://127.0.0.1:1/convert"});
        assert_eq!(webhook(url).as_deref(), Some("https://127.0.0.1:1/convert"));
        assert_eq!(webhook(json!({})).as_deref(), Some("a webhook"));
        for none in [json!({"strategy": "None"}), json!(null)] {
            assert_eq!(read(&none), Conversion { webhook: None, stored: Some("v1".to_owned()) });
        }
    }

    #[test]
    fn the_stored_version_needs_no_webhook() {
        assert_eq!(read(&json!({"strategy": "Webhook"})).without_webhook(), Some("v1"));
        assert_eq!(read(&json!({"strategy": "None"})).without_webhook(), None);
    }
}

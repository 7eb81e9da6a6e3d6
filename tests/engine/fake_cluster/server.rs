//! The API of the fake cluster: from a request to its reply.

use std::fmt;

use serde_json::{Value, json};

use super::kinds::{Served, discovery};
use super::objects::{Objects, Reply, not_found, status};

/// A request, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: String,
    path: Vec<String>,
    query: Vec<(String, String)>,
    body: Value,
}

/// What a path leads to.
struct Target {
    kind: Served,
    namespace: Option<String>,
    name: Option<String>,
    /// Whether it leads to the status of an object.
    status: bool,
}

impl Call {
    pub(super) fn new(method: &str, uri: &http::Uri, body: &[u8]) -> Self {
        let query = uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let path = uri.path().split('/').filter(|part| !part.is_empty()).map(decode).collect();
        let body = serde_json::from_slice(body).unwrap_or_default();
        Self { method: method.to_owned(), path, query, body }
    }

    /// Whether it changes something; a review of rights is a question.
    pub(super) fn changes(&self) -> bool {
        let is_review = self.path.iter().any(|part| part == "authorization.k8s.io");
        self.method != "GET" && !is_review && !self.is_dry_run()
    }

    /// Whether it is only to be checked.
    fn is_dry_run(&self) -> bool {
        self.query("dryRun") == Some("All")
    }

    fn query(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The reply to it.
    pub(super) fn answer(&self, objects: &mut Objects) -> Reply {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match path[..] {
            ["version"] => (200, json!({"major": "1", "minor": "35", "gitVersion": "v1.35.4"})),
            ["api"] => (200, discovery(&objects.served, true)),
            ["apis"] => (200, discovery(&objects.served, false)),
            ["apis", "authorization.k8s.io", ..] => self.review(objects),
            _ => match self.target(objects) {
                Some(target) => self.carry_out(objects, &target),
                None => (404, json!("404 page not found")),
            },
        }
    }

    /// Tells whether a right is granted; all rights are if none is denied.
    fn review(&self, objects: &mut Objects) -> Reply {
        let asked = &self.body["spec"]["resourceAttributes"];
        let text = |key: &str| asked[key].as_str().unwrap_or_default();
        let name = match text("subresource") {
            "" => text("resource").to_owned(),
            subresource => format!("{}/{subresource}", text("resource")),
        };
        let resource = match text("group") {
            "" => name,
            group => format!("{name}.{group}"),
        };
        let right = format!("{} {resource}", text("verb"));
        objects.reviews.push(match text("namespace") {
            "" => right.clone(),
            namespace => format!("{right} in {namespace}"),
        });
        if objects.denied.contains("review") {
            return status(403, "Forbidden", "no reviews here", "");
        }
        let all = right == "* *.*";
        let allowed =
            if all { objects.denied.is_empty() } else { !objects.denied.contains(&right) };
        (201, json!({"status": {"allowed": allowed}}))
    }

    fn target(&self, objects: &Objects) -> Option<Target> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let (group, version, rest) = match &path[..] {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            rest => (None, rest),
        };
        let (resource, name, status) = match rest {
            [resource] => (*resource, None, false),
            [resource, name] => (*resource, Some((*name).to_owned()), false),
            [resource, name, "status"] => (*resource, Some((*name).to_owned()), true),
            _ => return None,
        };
        let serves = |kind: &&Served| {
            (kind.group.as_str(), kind.version.as_str(), kind.resource.as_str())
                == (group, version, resource)
        };
        let kind = objects.served.iter().find(serves)?.clone();
        let is_served = kind.status || !status;
        let namespace = namespace.map(str::to_owned);
        is_served.then_some(Target { kind, namespace, name, status })
    }

    fn carry_out(&self, objects: &mut Objects, target: &Target) -> Reply {
        let resource = target.kind.name();
        if self.changes() {
            objects.changes.push(self.to_string());
        }
        if objects.silent.contains(&resource) {
            let message = "the server is currently unable to handle the request";
            return status(503, "ServiceUnavailable", message, "");
        }
        let version = format!("{resource} {}", target.kind.version);
        let within = target.namespace.as_ref().map(|it| format!("{version} in {it}"));
        let mut broken = [Some(version), within].into_iter().flatten();
        if broken.any(|it| objects.unconverted.contains(&it)) {
            let message = "conversion webhook failed: connection refused";
            return status(500, "InternalError", message, "");
        }
        match (self.method.as_str(), target.key()) {
            ("GET", None) => self.list(objects, target),
            ("GET", Some(key)) if objects.forbidden.contains(&format!("{resource}/{key}")) => {
                status(403, "Forbidden", &format!("{key} is forbidden"), "")
            }
            ("GET", Some(key)) => {
                objects.look(&resource, &key);
                match objects.get(&resource, &key) {
                    Some(object) => (200, target.kind.converted(object)),
                    None => not_found(&resource, &key),
                }
            }
            ("POST", None) => {
                let mut object = self.body.clone();
                if let Some(namespace) = &target.namespace {
                    object["metadata"]["namespace"] = json!(namespace);
                }
                if self.is_dry_run() {
                    objects.dry_runs += 1;
                    return objects.clone().create(&target.kind, object);
                }
                objects.create(&target.kind, object)
            }
            ("PATCH", Some(key)) if target.status => {
                let manager = self.query("fieldManager").unwrap_or_default();
                objects.patch_status(&resource, &key, manager, &self.body)
            }
            ("PATCH", Some(key)) => objects.patch(&resource, &key, &self.body),
            ("DELETE", Some(key)) => {
                if self.body["propagationPolicy"] == "Orphan" {
                    objects.orphan(&resource, &key);
                }
                objects.delete(&resource, &key, &self.body["preconditions"])
            }
            _ => status(405, "MethodNotAllowed", "not here", ""),
        }
    }

    fn list(&self, objects: &Objects, target: &Target) -> Reply {
        let resource = target.kind.name();
        if objects.forbidden.contains(&resource) {
            let message = format!("{resource} is forbidden: User \"tester\" cannot list it");
            return status(403, "Forbidden", &message, "");
        }
        let within = target.namespace.as_ref().map(|namespace| format!("{namespace}/"));
        let limit = self.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
        let after = self.query("continue").and_then(|token| token.strip_prefix("after "));
        let selector = self.query("labelSelector").unwrap_or_default();
        let mut wanted = objects
            .all(&resource)
            .filter(|(key, _)| within.as_ref().is_none_or(|within| key.starts_with(within)))
            .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after))
            .filter(|(_, object)| selects(selector, object));
        let page: Vec<_> = wanted.by_ref().take(limit).collect();
        let last = page.last().map(|(key, _)| format!("after {key}"));
        let next = wanted.next().and(last);
        let items: Vec<Value> = page.iter().map(|(_, object)| target.kind.listed(object)).collect();
        let reply = json!({"kind": format!("{}List", target.kind.kind),
            "apiVersion": target.kind.api_version(),
            "metadata": {"resourceVersion": "1", "continue": next}, "items": items});
        (200, reply)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} /{}", self.method, self.path.join("/"))?;
        match self.body["metadata"]["name"].as_str() {
            Some(name) if self.method == "POST" => write!(f, "/{name}"),
            _ => Ok(()),
        }
    }
}

impl Target {
    fn key(&self) -> Option<String> {
        let name = self.name.as_ref()?;
        Some(match &self.namespace {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.clone(),
        })
    }
}

impl Served {
    /// An object in this version.
    fn converted(&self, object: &Value) -> Value {
        let mut converted = object.clone();
        converted["apiVersion"] = json!(self.api_version());
        converted
    }

    /// An object as it stands in a list.
    fn listed(&self, object: &Value) -> Value {
        let mut listed = self.converted(object);
        if let Some(listed) = listed.as_object_mut().filter(|_| !self.custom) {
            listed.remove("apiVersion");
            listed.remove("kind");
        }
        listed
    }
}

/// Whether a selector of equalities, `a=b,c`, selects an object.
fn selects(selector: &str, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    selector.split(',').filter(|term| !term.is_empty()).all(|term| match term.split_once('=') {
        Some((key, value)) => labels[key] == *value.trim_start_matches('='),
        None => !labels[term].is_null(),
    })
}

fn decode(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| std::str::from_utf8(tail.get(..2)?).ok()).flatten();
        let byte = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

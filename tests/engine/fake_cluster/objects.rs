//! The objects of the fake cluster, and the rules by which they are changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::controllers;
use super::kinds::Served;

/// A status code and a body.
pub(super) type Reply = (u16, Value);

const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// All that the cluster knows.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    /// Tells the UIDs of clusters apart.
    cluster: String,
    pub(super) served: Vec<Served>,
    /// By resource, then by `namespace/name`: the order of lists.
    by_resource: BTreeMap<String, BTreeMap<String, Value>>,
    version: u64,
    made: u64,
    /// Resources whose lists are refused.
    pub(super) forbidden: BTreeSet<String>,
    /// Resources whose objects are not converted: `widgets.example.com v2`.
    pub(super) unconverted: BTreeSet<String>,
    /// Resources that are served, and whose server does not answer.
    pub(super) silent: BTreeSet<String>,
    /// How often a new definition is looked at until it is established.
    pub(super) looks: usize,
    /// Definitions that are not established yet, and how often they are looked at until then.
    establishing: BTreeMap<String, usize>,
    /// Resources of which nothing can be created.
    pub(super) uncreatable: BTreeSet<String>,
    /// Objects that nobody may change, by `configmaps/shop/c`.
    pub(super) unchangeable: BTreeSet<String>,
    /// Rights that are not granted: `create secrets`; `review` for none that is told.
    pub(super) denied: BTreeSet<String>,
    /// Rights that clients asked for: `create secrets in shop`.
    pub(super) reviews: Vec<String>,
    /// Changes that clients made: `POST configmaps shop/c`.
    pub(super) changes: Vec<String>,
    /// How many objects were sent to be checked and not kept.
    pub(super) dry_runs: usize,
    /// Why no pod is scheduled; without it, pods run once their claims are bound.
    pub(super) unscheduled: Option<String>,
    /// How many empty volumes the provisioner made.
    pub(super) provisioned: usize,
    /// What the garbage collector took.
    pub(super) collected: Vec<String>,
    /// Claims that an operator makes where they are missing, and how often it does.
    pub(super) operated: Vec<(Value, usize)>,
    /// Volumes that were deleted with the claim that had them.
    pub(super) destroyed: Vec<String>,
}

impl Objects {
    pub(super) fn new(cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            served: Served::built_in(),
            by_resource: BTreeMap::new(),
            version: 100,
            made: 0,
            forbidden: BTreeSet::new(),
            unconverted: BTreeSet::new(),
            silent: BTreeSet::new(),
            looks: 0,
            establishing: BTreeMap::new(),
            uncreatable: BTreeSet::new(),
            unchangeable: BTreeSet::new(),
            denied: BTreeSet::new(),
            reviews: Vec::new(),
            changes: Vec::new(),
            dry_runs: 0,
            unscheduled: None,
            provisioned: 0,
            collected: Vec::new(),
            operated: Vec::new(),
            destroyed: Vec::new(),
        }
    }

    pub(super) fn kind(&self, resource: &str) -> Option<&Served> {
        self.served.iter().find(|kind| kind.name() == resource)
    }

    /// The kind that an object says it is of.
    pub(super) fn kind_of(&self, object: &Value) -> Option<&Served> {
        self.served
            .iter()
            .find(|kind| kind.kind == object["kind"] && kind.api_version() == object["apiVersion"])
    }

    pub(super) fn get(&self, resource: &str, key: &str) -> Option<&Value> {
        self.by_resource.get(resource)?.get(key)
    }

    pub(super) fn all(&self, resource: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.by_resource.get(resource).into_iter().flatten()
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = &String> {
        self.by_resource.keys()
    }

    /// Whether an object of this UID exists.
    pub(super) fn exists(&self, uid: &str) -> bool {
        self.by_resource.values().flat_map(BTreeMap::values).any(|it| it["metadata"]["uid"] == uid)
    }

    /// Creates an object as a client would, and lets the controllers see it.
    pub(super) fn create(&mut self, kind: &Served, object: Value) -> Reply {
        let key = key_of(&object["metadata"]);
        if let Some(refusal) = self.refuses(kind, &key, &object) {
            return refusal;
        }
        self.insert(kind, object);
        controllers::settle(self);
        match self.get(&kind.name(), &key) {
            Some(object) => (201, object.clone()),
            None => not_found(&kind.name(), &key),
        }
    }

    /// Stores a new object; its status is for controllers to set.
    pub(super) fn insert(&mut self, kind: &Served, mut object: Value) {
        let (key, resource) = (key_of(&object["metadata"]), kind.name());
        if resource == DEFINITIONS && self.looks > 0 {
            self.establishing.insert(key.clone(), self.looks);
        }
        self.made += 1;
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(format!("{}-{:04}", self.cluster, self.made));
        metadata["creationTimestamp"] = json!("2026-03-01T01:00:00Z");
        metadata["generation"] = json!(1);
        if let Some(object) = object.as_object_mut() {
            object.remove("status");
        }
        self.put(&resource, &key, object);
    }

    pub(super) fn refuses(&self, kind: &Served, key: &str, object: &Value) -> Option<Reply> {
        let resource = kind.name();
        if self.uncreatable.contains(&resource) {
            return Some(status(403, "Forbidden", "no creating here", key));
        }
        if self.get(&resource, key).is_some() {
            return Some(status(
                409,
                "AlreadyExists",
                &format!("{resource} {key} already exists"),
                key,
            ));
        }
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        if kind.namespaced && self.get("namespaces", namespace).is_none() {
            return Some(not_found("namespaces", namespace));
        }
        let port = node_ports(object).into_iter().find(|port| self.has_node_port(*port))?;
        let message = format!(
            "spec.ports[0].nodePort: Invalid value: {port}: provided port is already allocated"
        );
        Some(status(422, "Invalid", &message, key))
    }

    pub(super) fn has_node_port(&self, port: i64) -> bool {
        self.all("services").any(|(_, service)| node_ports(service).contains(&port))
    }

    /// Stores an object under a new version, if it differs from what is there.
    pub(super) fn put(&mut self, resource: &str, key: &str, mut object: Value) {
        let objects = self.by_resource.entry(resource.to_owned()).or_default();
        if objects.get(key) == Some(&object) {
            return;
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if resource == DEFINITIONS && !self.establishing.contains_key(key) {
            self.served.retain(|it| !it.custom || it.name() != key);
            self.served.extend(Served::defined_by(&object));
        }
        objects.insert(key.to_owned(), object);
    }

    pub(super) fn is_establishing(&self, definition: &str) -> bool {
        self.establishing.contains_key(definition)
    }

    /// Somebody looks at an object: once it is looked at often enough, a definition is established.
    pub(super) fn look(&mut self, resource: &str, key: &str) {
        if resource != DEFINITIONS {
            return;
        }
        let Some(left) = self.establishing.get_mut(key) else { return };
        *left -= 1;
        if *left == 0 {
            self.establishing.remove(key);
            self.changes.push(format!("established {key}"));
            controllers::settle(self);
        }
    }

    /// Merges a patch into an object (RFC 7386).
    pub(super) fn patch(&mut self, resource: &str, key: &str, patch: &Value) -> Reply {
        let Some(live) = self.get(resource, key) else { return not_found(resource, key) };
        if self.unchangeable.contains(&format!("{resource}/{key}")) {
            return status(403, "Forbidden", "no changing this", key);
        }
        let expected = &patch["metadata"]["resourceVersion"];
        if !expected.is_null() && *expected != live["metadata"]["resourceVersion"] {
            return status(409, "Conflict", "the object has been modified", key);
        }
        let mut changed = live.clone();
        merge(&mut changed, patch);
        if changed["spec"] != live["spec"] {
            let generation = live["metadata"]["generation"].as_u64().unwrap_or_default();
            changed["metadata"]["generation"] = json!(generation + 1);
        }
        self.put(resource, key, changed);
        controllers::settle(self);
        match self.get(resource, key) {
            Some(object) => (200, object.clone()),
            None => not_found(resource, key),
        }
    }

    /// Merges a patch into the status of an object, and nowhere else.
    pub(super) fn patch_status(
        &mut self,
        resource: &str,
        key: &str,
        manager: &str,
        patch: &Value,
    ) -> Reply {
        let Some(live) = self.get(resource, key) else { return not_found(resource, key) };
        let mut changed = live.clone();
        merge(&mut changed["status"], &patch["status"]);
        let entry = json!({"manager": manager, "operation": "Update", "subresource": "status"});
        let managers = &mut changed["metadata"]["managedFields"];
        match managers.as_array_mut() {
            Some(managers) if !managers.contains(&entry) => managers.push(entry),
            Some(_) => {}
            None => *managers = json!([entry]),
        }
        self.put(resource, key, changed.clone());
        (200, changed)
    }

    /// Deletes an object and what it owns; one with finalizers stays until they are gone.
    pub(super) fn delete(&mut self, resource: &str, key: &str, preconditions: &Value) -> Reply {
        let Some(live) = self.get(resource, key) else { return not_found(resource, key) };
        for field in ["uid", "resourceVersion"] {
            let wanted = &preconditions[field];
            if !wanted.is_null() && live["metadata"][field] != *wanted {
                return status(409, "Conflict", &format!("the {field} differs"), key);
            }
        }
        let mut doomed = live.clone();
        let is_held = resource == "namespaces" && !self.empty(key);
        if is_held || doomed["metadata"]["finalizers"].as_array().is_some_and(|it| !it.is_empty()) {
            doomed["metadata"]["deletionTimestamp"] = json!("2026-03-01T01:00:00Z");
            self.put(resource, key, doomed);
        } else {
            self.remove(resource, key);
        }
        controllers::settle(self);
        (200, json!({"kind": "Status", "status": "Success"}))
    }

    /// Removes what is in a namespace; tells whether nothing is left that has finalizers.
    fn empty(&mut self, namespace: &str) -> bool {
        let is_within = |it: &Value| it["metadata"]["namespace"] == namespace;
        let is_held = |it: &Value| it["metadata"]["finalizers"][0].is_string();
        for objects in self.by_resource.values_mut() {
            objects.retain(|_, it| !is_within(it) || is_held(it));
        }
        !self.by_resource.values().flat_map(BTreeMap::values).any(is_within)
    }

    /// Takes the references to an object out of what it owns.
    pub(super) fn orphan(&mut self, resource: &str, key: &str) {
        let uid = self.get(resource, key).map(|owner| owner["metadata"]["uid"].clone());
        let all: Vec<(String, String, Value)> = self
            .by_resource
            .iter()
            .flat_map(|(resource, objects)| {
                objects.iter().map(move |(key, it)| (resource.clone(), key.clone(), it.clone()))
            })
            .collect();
        for (resource, key, mut object) in all {
            let metadata = object["metadata"].as_object_mut().unwrap();
            let owners = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut);
            let Some(owners) = owners else { continue };
            owners.retain(|owner| Some(&owner["uid"]) != uid.as_ref());
            if owners.is_empty() {
                metadata.remove("ownerReferences");
            }
            self.put(&resource, &key, object);
        }
    }

    pub(super) fn remove(&mut self, resource: &str, key: &str) {
        if let Some(objects) = self.by_resource.get_mut(resource) {
            objects.remove(key);
        }
    }
}

/// Where an object lies, relative to its kind.
pub(super) fn key_of(metadata: &Value) -> String {
    let name = metadata["name"].as_str().unwrap_or_default();
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

pub(super) fn status(code: u16, reason: &str, message: &str, name: &str) -> Reply {
    let details = json!({"name": name});
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": message, "details": details});
    (code, status)
}

pub(super) fn not_found(resource: &str, name: &str) -> Reply {
    status(404, "NotFound", &format!("{resource} {name} not found"), name)
}

pub(super) fn node_ports(service: &Value) -> Vec<i64> {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    ports.filter_map(|port| port["nodePort"].as_i64()).collect()
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            if let Some(target) = target.as_object_mut() {
                target.remove(key);
            }
        } else {
            merge(&mut target[key], value);
        }
    }
}

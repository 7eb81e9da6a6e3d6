//! Who may write what, by roles and bindings.

use std::collections::HashMap;
use std::sync::Arc;

use bowline_api::{GroupResource, ItemId};
use serde_json::{Value, json};

use crate::engine::model::Object;
use crate::engine::model::fields::{at, maps_at, text_at};
use crate::engine::model::relations::binding_names_account;

/// The verbs that change something.
const WRITES: [&str; 5] = ["*", "create", "update", "patch", "delete"];

/// Roles that every cluster has and no backup needs to hold, with what they let write.
const BUILT_IN: [(&str, &str); 3] = [
    ("cluster-admin", "*"),
    ("admin", "persistentvolumeclaims"),
    ("edit", "persistentvolumeclaims"),
];

/// What service accounts may write.
#[derive(Debug)]
pub(in super::super) struct Authority {
    /// What each role lets write, if anything, by namespace and name.
    roles: HashMap<(Option<String>, String), Arc<[Rule]>>,
    grants: Vec<Grant>,
}

#[derive(Debug)]
struct Grant {
    /// Where it holds; none for everywhere.
    namespace: Option<String>,
    subjects: Object,
    rules: Arc<[Rule]>,
}

/// A rule that lets something be written.
#[derive(Clone, Debug)]
struct Rule {
    groups: Vec<String>,
    resources: Vec<String>,
    creates: bool,
}

impl Default for Authority {
    /// What is allowed before any role or binding is read.
    fn default() -> Self {
        let built_in = BUILT_IN.map(|(name, resource)| {
            let rules: Arc<[Rule]> = Arc::new([Rule::of(resource)]);
            ((None, name.to_owned()), rules)
        });
        Self { roles: built_in.into(), grants: Vec::new() }
    }
}

impl Authority {
    /// Reads a role or a binding, of the cluster or of a namespace; the roles come first.
    pub(in super::super) fn read(&mut self, id: ItemId, object: Object) {
        if id.resource.resource.ends_with("bindings") {
            self.grants.extend(self.grant(id, object));
            return;
        }
        let rules: Arc<[Rule]> = maps_at(&object, &["rules"]).filter_map(Rule::read).collect();
        if !rules.is_empty() {
            self.roles.insert((id.namespace, id.name), rules);
        }
    }

    /// What a binding lets somebody write, if anything.
    fn grant(&self, id: ItemId, mut binding: Object) -> Option<Grant> {
        let role = text_at(&binding, &["roleRef", "name"])?.to_owned();
        let is_local = text_at(&binding, &["roleRef", "kind"]) == Some("Role");
        let home = id.namespace.clone().filter(|_| is_local);
        let rules = Arc::clone(self.roles.get(&(home, role))?);
        // Nothing is kept but whom it names, and where these live unless it says so.
        binding.retain(|key, _| key == "subjects");
        if let Some(namespace) = &id.namespace {
            binding.insert("metadata".to_owned(), json!({"namespace": namespace}));
        }
        Some(Grant { namespace: id.namespace, subjects: binding, rules })
    }

    /// Whether a service account may write objects of this kind, in this namespace or everywhere;
    /// of claims, whether it may make any.
    pub(in super::super) fn writes(
        &self,
        (home, account): (&str, &str),
        resource: &GroupResource,
        namespace: Option<&str>,
    ) -> bool {
        let is_claim = *resource == GroupResource::core("persistentvolumeclaims");
        self.grants.iter().any(|grant| {
            let holds = grant.namespace.is_none() || grant.namespace.as_deref() == namespace;
            holds
                && grant.rules.iter().any(|it| it.covers(resource) && (it.creates || !is_claim))
                && binding_names_account(&grant.subjects, home, account)
        })
    }
}

impl Rule {
    /// A rule, if it lets anything be written.
    fn read(rule: &Object) -> Option<Self> {
        let verbs = words(rule, "verbs");
        let writes = verbs.iter().any(|verb| WRITES.contains(&verb.as_str()));
        writes.then(|| Self {
            groups: words(rule, "apiGroups"),
            resources: words(rule, "resources"),
            creates: verbs.iter().any(|verb| verb == "*" || verb == "create"),
        })
    }

    /// A rule that lets this be done with everything, or with one kind of the core group.
    fn of(resource: &str) -> Self {
        let group = if resource == "*" { "*" } else { "" };
        Self { groups: vec![group.to_owned()], resources: vec![resource.to_owned()], creates: true }
    }

    /// Whether it is about this kind, or about a part of its objects such as their status.
    fn covers(&self, resource: &GroupResource) -> bool {
        let of_kind = |word: &String| {
            let (kind, _) = word.split_once('/').unwrap_or((word, ""));
            kind == "*" || kind == resource.resource
        };
        self.groups.iter().any(|group| group == "*" || *group == resource.group)
            && self.resources.iter().any(of_kind)
    }
}

fn words(rule: &Object, key: &str) -> Vec<String> {
    let listed = at(rule, &[key]).and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::object;
    use super::*;

    const RBAC: &str = "rbac.authorization.k8s.io";

    /// What account `ops/operator` may write, by one rule under this role, bound like this.
    fn writes(rule: &Value, grant: &str, binding: &str, resource: &str, namespace: &str) -> bool {
        let (kind, name) = grant.rsplit_once('/').unwrap();
        let reference = if kind.starts_with("clusterroles") { "ClusterRole" } else { "Role" };
        let mut authority = Authority::default();
        authority.read(role_id(kind, name), object(json!({"rules": [rule]})));
        let subject = json!({"kind": "ServiceAccount", "namespace": "ops", "name": "operator"});
        let bound = json!({"subjects": [subject], "roleRef": {"kind": reference, "name": name}});
        let (kind, name) = binding.rsplit_once('/').unwrap();
        authority.read(role_id(kind, name), object(bound));
        authority.writes(("ops", "operator"), &resource.parse().unwrap(), Some(namespace))
    }

    fn role_id(place: &str, name: &str) -> ItemId {
        match place.split_once('/') {
            Some((kind, namespace)) => {
                ItemId::namespaced(GroupResource::new(RBAC, kind), namespace, name)
            }
            None => ItemId::cluster(GroupResource::new(RBAC, place), name),
        }
    }

    fn rule(group: &str, resource: &str, verb: &str) -> Value {
        json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]})
    }

    fn everywhere(rule: &Value, resource: &str) -> bool {
        writes(rule, "clusterroles/op", "clusterrolebindings/op", resource, "shop")
    }

    #[test]
    fn an_account_writes_what_a_rule_lets_it_change_its_status_too() {
        let widgets = "widgets.example.com";
        for (group, resource, verb, expected) in [
            ("example.com", "widgets", "update", true),
            ("example.com", "widgets/status", "patch", true),
            ("example.com", "*", "*", true),
            ("*", "*", "*", true),
            ("example.com", "widgets", "watch", false),
            ("example.com", "gadgets", "update", false),
            ("other.com", "widgets", "update", false),
        ] {
            let rule = rule(group, resource, verb);
            assert_eq!(everywhere(&rule, widgets), expected, "{rule}");
        }
    }

    #[test]
    fn only_who_may_create_claims_counts_for_claims() {
        let claims = "persistentvolumeclaims";
        assert!(everywhere(&rule("", claims, "create"), claims));
        assert!(!everywhere(&rule("", claims, "update"), claims));
    }

    #[test]
    fn a_role_holds_where_it_is_bound() {
        let rule = rule("example.com", "widgets", "*");
        let widgets = "widgets.example.com";
        let bound = |grant: &str, binding: &str, namespace: &str| {
            writes(&rule, grant, binding, widgets, namespace)
        };
        assert!(bound("clusterroles/op", "rolebindings/shop/op", "shop"));
        assert!(!bound("clusterroles/op", "rolebindings/shop/op", "other"));
        assert!(bound("roles/shop/op", "rolebindings/shop/op", "shop"));
        assert!(!bound("roles/other/op", "rolebindings/shop/op", "shop"), "another's role");
    }

    #[test]
    fn the_administrator_of_a_cluster_writes_everything_although_no_backup_holds_that_role() {
        let subject = json!({"kind": "ServiceAccount", "namespace": "ops", "name": "operator"});
        let reference = json!({"kind": "ClusterRole", "name": "cluster-admin"});
        let bound = object(json!({"subjects": [subject], "roleRef": reference}));
        let mut authority = Authority::default();
        authority.read(role_id("clusterrolebindings", "op"), bound);
        let widgets = "widgets.example.com".parse().unwrap();
        assert!(authority.writes(("ops", "operator"), &widgets, None));
        assert!(!authority.writes(("ops", "other"), &widgets, None));
    }
}

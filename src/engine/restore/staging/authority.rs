//! Who may write what, by roles and bindings.

use std::collections::HashMap;
use std::sync::Arc;

use bowline_api::{GroupResource, ItemId};
use serde_json::Value;

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
#[derive(Debug, Default)]
pub(in super::super) struct Authority(Vec<Grant>);

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

impl Authority {
    /// Reads roles and bindings, of the cluster and of namespaces.
    pub(in super::super) fn new(
        roles: impl Iterator<Item = (ItemId, Object)>,
        bindings: impl Iterator<Item = (ItemId, Object)>,
    ) -> Self {
        let read = |role: &Object| maps_at(role, &["rules"]).filter_map(Rule::read).collect();
        let mut known: HashMap<(Option<String>, String), Arc<[Rule]>> = HashMap::new();
        for (name, resource) in BUILT_IN {
            known.insert((None, name.to_owned()), Arc::new([Rule::of(resource)]));
        }
        known.extend(roles.map(|(id, role)| ((id.namespace, id.name), read(&role))));
        let granted = bindings.filter_map(|(id, subjects)| {
            let role = text_at(&subjects, &["roleRef", "name"])?.to_owned();
            let is_local = text_at(&subjects, &["roleRef", "kind"]) == Some("Role");
            let home = id.namespace.clone().filter(|_| is_local);
            let granted = Arc::clone(known.get(&(home, role))?);
            (!granted.is_empty()).then_some(Grant {
                namespace: id.namespace,
                subjects,
                rules: granted,
            })
        });
        Self(granted.collect())
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
        self.0.iter().any(|grant| {
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
    use serde_json::json;

    use super::super::super::samples::object;
    use super::*;

    const RBAC: &str = "rbac.authorization.k8s.io";

    /// What account `ops/operator` may write, by one rule under this role, bound like this.
    fn writes(rule: &Value, grant: &str, binding: &str, resource: &str, namespace: &str) -> bool {
        let (kind, name) = grant.rsplit_once('/').unwrap();
        let reference = if kind.starts_with("clusterroles") { "ClusterRole" } else { "Role" };
        let roles = [(role_id(kind, name), object(json!({"rules": [rule]})))];
        let subject = json!({"kind": "ServiceAccount", "namespace": "ops", "name": "operator"});
        let bound = json!({"subjects": [subject], "roleRef": {"kind": reference, "name": name}});
        let (kind, name) = binding.rsplit_once('/').unwrap();
        let bindings = [(role_id(kind, name), object(bound))];
        let authority = Authority::new(roles.into_iter(), bindings.into_iter());
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
        let bindings = [(role_id("clusterrolebindings", "op"), bound)];
        let authority = Authority::new(std::iter::empty(), bindings.into_iter());
        let widgets = "widgets.example.com".parse().unwrap();
        assert!(authority.writes(("ops", "operator"), &widgets, None));
        assert!(!authority.writes(("ops", "other"), &widgets, None));
    }
}

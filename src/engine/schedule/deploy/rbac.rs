//! The rights of the account: what its backups need, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::engine::backup::Need;

/// The API group of roles and bindings.
pub(super) const GROUP: &str = "rbac.authorization.k8s.io";

/// What may be done with the same resources of a group.
type Verbs = BTreeSet<&'static str>;

/// A role and its binding for the cluster, and for each namespace in which something is needed.
///
/// `account` is the namespace and the name of the account.
pub(super) fn of(name: &str, account: (&str, &str), needs: &BTreeSet<Need>) -> Vec<Value> {
    let mut places: BTreeMap<Option<&str>, Vec<&Need>> = BTreeMap::new();
    for need in needs {
        places.entry(need.namespace.as_deref()).or_default().push(need);
    }
    let mut objects = Vec::new();
    for (namespace, needs) in places {
        let prefix = if namespace.is_some() { "" } else { "Cluster" };
        let metadata = || match namespace {
            Some(namespace) => json!({"name": name, "namespace": namespace}),
            None => json!({"name": name}),
        };
        let role = format!("{prefix}Role");
        objects.push(json!({"kind": role, "metadata": metadata(), "rules": rules(&needs)}));
        objects.push(json!({
            "kind": format!("{role}Binding"),
            "metadata": metadata(),
            "roleRef": {"apiGroup": GROUP, "kind": role, "name": name},
            "subjects": [{"kind": "ServiceAccount", "namespace": account.0, "name": account.1}],
        }));
    }
    objects
}

/// One rule for all resources of a group that are needed alike.
fn rules(needs: &[&Need]) -> Vec<Value> {
    let mut verbs: BTreeMap<(&str, Option<&str>, &str), Verbs> = BTreeMap::new();
    for need in needs {
        let key = (&*need.resource.group, need.name.as_deref(), &*need.resource.resource);
        verbs.entry(key).or_default().insert(need.verb);
    }
    let mut rules: BTreeMap<(&str, Option<&str>, Verbs), Vec<&str>> = BTreeMap::new();
    for ((group, name, resource), verbs) in verbs {
        rules.entry((group, name, verbs)).or_default().push(resource);
    }
    let rule = |((group, name, verbs), resources): ((&str, Option<&str>, Verbs), Vec<&str>)| {
        let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        if let Some(name) = name {
            rule["resourceNames"] = json!([name]);
        }
        rule
    };
    rules.into_iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(verb: &'static str, resource: &str, namespace: Option<&str>) -> Need {
        let (resource, namespace) = (resource.parse().unwrap(), namespace.map(str::to_owned));
        Need { namespace, resource, name: None, verb }
    }

    #[test]
    fn each_place_has_one_role_with_one_rule_for_all_that_is_needed_alike() {
        let kube_system =
            Need { name: Some("kube-system".to_owned()), ..need("get", "namespaces", None) };
        let needs = BTreeSet::from([
            kube_system,
            need("list", "namespaces", None),
            need("list", "nodes", None),
            need("list", "pods", Some("shop")),
            need("get", "pods", Some("shop")),
            need("list", "secrets", Some("shop")),
            need("list", "deployments.apps", Some("shop")),
        ]);
        let objects = of("bowline-nightly", ("bowline", "runner"), &needs);
        let kinds: Vec<_> = objects.iter().map(|it| it["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
        assert_eq!(
            objects[0]["rules"],
            json!([
                {"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": ["list"]},
                {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"],
                 "resourceNames": ["kube-system"]},
            ])
        );
        assert_eq!(
            objects[2]["rules"],
            json!([
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
                {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
            ])
        );
        let subject = json!([{"kind": "ServiceAccount", "namespace": "bowline", "name": "runner"}]);
        assert_eq!(objects[3]["subjects"], subject);
        assert_eq!(objects[3]["metadata"]["namespace"], "shop");
    }
}

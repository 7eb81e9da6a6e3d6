//! What an object needs beside it to be worth anything: what a backup takes along and a restore asks for.

use bowline_api::{GroupResource, ItemId};

use super::fields::{Object, at, maps_at, text_at};

/// Something that belongs with an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// Another object, by name. Nobody has checked that it exists.
    Item(ItemId),
    /// The bindings that allow this service account something: found by listing, see
    /// [`binding_names_account`].
    BindingsOf {
        /// The namespace of the account.
        namespace: String,
        /// Its name.
        account: String,
    },
}

/// Finds what an object of some kind needs.
type Finder = fn(&ItemId, &Object) -> Vec<Relation>;

/// Every kind that needs something beyond its namespace and its definition.
const FINDERS: &[(&str, &str, Finder)] = &[
    ("", "pods", |id, pod| of_pod_spec(id, pod, &["spec"])),
    ("", "replicationcontrollers", |id, it| of_pod_spec(id, it, TEMPLATE)),
    ("apps", "deployments", |id, it| of_pod_spec(id, it, TEMPLATE)),
    ("apps", "replicasets", |id, it| of_pod_spec(id, it, TEMPLATE)),
    ("apps", "daemonsets", |id, it| of_pod_spec(id, it, TEMPLATE)),
    ("apps", "statefulsets", of_stateful_set),
    ("batch", "jobs", |id, it| of_pod_spec(id, it, TEMPLATE)),
    ("batch", "cronjobs", |id, it| of_pod_spec(id, it, JOB_TEMPLATE)),
    ("", "persistentvolumeclaims", |_, claim| of_claim(claim)),
    ("", "persistentvolumes", |_, volume| classes_of(volume)),
    ("", "serviceaccounts", |id, _| of_account(id)),
    ("rbac.authorization.k8s.io", "rolebindings", of_binding),
    ("rbac.authorization.k8s.io", "clusterrolebindings", of_binding),
    ("networking.k8s.io", "ingresses", |_, ingress| of_ingress(ingress)),
];

const TEMPLATE: &[&str] = &["spec", "template", "spec"];
const JOB_TEMPLATE: &[&str] = &["spec", "jobTemplate", "spec", "template", "spec"];

/// Whether [`relations`] may find anything for this kind; if not, an object need not be parsed.
pub fn has_relations(resource: &GroupResource) -> bool {
    finder(resource).is_some()
}

/// The kinds of what this kind may need, as [`relations`] finds it; of bindings those that are found
/// outside of namespaces, where no list has brought them.
pub fn targets(resource: &GroupResource) -> Vec<GroupResource> {
    let (rbac, storage) = ("rbac.authorization.k8s.io", "storage.k8s.io");
    let classes: &[_] = &[(storage, "storageclasses"), (storage, "volumeattributesclasses")];
    let of_pods: &[_] = &[
        ("", "persistentvolumeclaims"),
        ("", "serviceaccounts"),
        ("scheduling.k8s.io", "priorityclasses"),
        ("node.k8s.io", "runtimeclasses"),
    ];
    let lists: &[&[(&str, &str)]] = match (&*resource.group, &*resource.resource) {
        ("", "persistentvolumeclaims") => &[&[("", "persistentvolumes")], classes],
        ("", "persistentvolumes") => &[classes],
        ("", "serviceaccounts") => &[&[(rbac, "clusterrolebindings")]],
        (_, "rolebindings") if resource.group == rbac => {
            &[&[(rbac, "roles"), (rbac, "clusterroles")]]
        }
        (_, "clusterrolebindings") if resource.group == rbac => &[&[(rbac, "clusterroles")]],
        ("networking.k8s.io", "ingresses") => &[&[("networking.k8s.io", "ingressclasses")]],
        ("apps", "statefulsets") => &[of_pods, classes],
        _ if may_use_claims(resource) => &[of_pods],
        _ => &[],
    };
    let named = lists.iter().copied().flatten();
    named.map(|(group, resource)| GroupResource::new(*group, *resource)).collect()
}

/// Whether objects of this kind may name claims: those that run pods do.
pub fn may_use_claims(resource: &GroupResource) -> bool {
    let is_core = ["pods", "replicationcontrollers"].contains(&resource.resource.as_str());
    has_relations(resource)
        && match resource.group.as_str() {
            "" => is_core,
            group => ["apps", "batch"].contains(&group),
        }
}

/// What this object needs, beyond its namespace and the definition of its kind.
///
/// Without duplicates, in a fixed order. A claim comes before what its pod needs otherwise.
pub fn relations(id: &ItemId, object: &Object) -> Vec<Relation> {
    let mut found = finder(&id.resource).map(|find| find(id, object)).unwrap_or_default();
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|relation| seen.insert(relation.clone()));
    found
}

fn finder(resource: &GroupResource) -> Option<Finder> {
    FINDERS
        .iter()
        .find(|(group, plural, _)| *group == resource.group && *plural == resource.resource)
        .map(|(_, _, find)| *find)
}

/// The Namespace object of a namespaced object.
pub fn namespace_of(id: &ItemId) -> Option<ItemId> {
    let namespace = id.namespace.as_deref()?;
    Some(ItemId::cluster(GroupResource::core("namespaces"), namespace))
}

/// The definition of a custom kind: `<plural>.<group>`.
pub fn definition_of(resource: &GroupResource) -> ItemId {
    let definitions = GroupResource::new("apiextensions.k8s.io", "customresourcedefinitions");
    ItemId::cluster(definitions, resource.to_string())
}

/// Whether a binding allows this service account something: by name, as a user, or through the group of
/// all accounts of its namespace.
///
/// The group of all accounts everywhere is nobody's in particular.
pub fn binding_names_account(binding: &Object, namespace: &str, account: &str) -> bool {
    maps_at(binding, &["subjects"]).any(|subject| {
        let name = text_at(subject, &["name"]).unwrap_or_default();
        match text_at(subject, &["kind"]) {
            Some("ServiceAccount") => {
                // A role binding may leave the namespace out; it is the binding's own then.
                let home = text_at(subject, &["namespace"])
                    .or_else(|| text_at(binding, &["metadata", "namespace"]));
                name == account && home == Some(namespace)
            }
            Some("User") => name == format!("system:serviceaccount:{namespace}:{account}"),
            Some("Group") => name == format!("system:serviceaccounts:{namespace}"),
            _ => false,
        }
    })
}

fn of_pod_spec(id: &ItemId, object: &Object, path: &[&str]) -> Vec<Relation> {
    let Some(spec) = at(object, path).and_then(serde_json::Value::as_object) else {
        return Vec::new();
    };
    let namespace = id.namespace.as_deref().unwrap_or_default();
    let claims = maps_at(spec, &["volumes"])
        .filter_map(|volume| text_at(volume, &["persistentVolumeClaim", "claimName"]))
        .map(|claim| namespaced("persistentvolumeclaims", namespace, claim));
    let account = text_at(spec, &["serviceAccountName"])
        .filter(|account| *account != "default")
        .map(|account| namespaced("serviceaccounts", namespace, account));
    claims
        .chain(cluster(spec, &["priorityClassName"], "scheduling.k8s.io", "priorityclasses"))
        .chain(cluster(spec, &["runtimeClassName"], "node.k8s.io", "runtimeclasses"))
        .chain(account)
        .collect()
}

fn of_stateful_set(id: &ItemId, object: &Object) -> Vec<Relation> {
    let mut found = of_pod_spec(id, object, TEMPLATE);
    found.extend(maps_at(object, &["spec", "volumeClaimTemplates"]).flat_map(classes_of));
    found
}

fn of_claim(claim: &Object) -> Vec<Relation> {
    let volume = cluster(claim, &["spec", "volumeName"], "", "persistentvolumes");
    volume.into_iter().chain(classes_of(claim)).collect()
}

fn classes_of(object: &Object) -> Vec<Relation> {
    let group = "storage.k8s.io";
    [
        cluster(object, &["spec", "storageClassName"], group, "storageclasses"),
        cluster(object, &["spec", "volumeAttributesClassName"], group, "volumeattributesclasses"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_account(id: &ItemId) -> Vec<Relation> {
    let namespace = id.namespace.clone().unwrap_or_default();
    vec![Relation::BindingsOf { namespace, account: id.name.clone() }]
}

fn of_binding(id: &ItemId, binding: &Object) -> Vec<Relation> {
    let group = "rbac.authorization.k8s.io";
    let Some(name) = text_at(binding, &["roleRef", "name"]) else { return Vec::new() };
    let role = match (text_at(binding, &["roleRef", "kind"]), &id.namespace) {
        (Some("ClusterRole"), _) => {
            ItemId::cluster(GroupResource::new(group, "clusterroles"), name)
        }
        (Some("Role"), Some(namespace)) => {
            ItemId::namespaced(GroupResource::new(group, "roles"), namespace, name)
        }
        _ => return Vec::new(),
    };
    vec![Relation::Item(role)]
}

fn of_ingress(ingress: &Object) -> Vec<Relation> {
    let class = |path: &[&str]| cluster(ingress, path, "networking.k8s.io", "ingressclasses");
    class(&["spec", "ingressClassName"])
        .or_else(|| class(&["metadata", "annotations", "kubernetes.io/ingress.class"]))
        .into_iter()
        .collect()
}

fn namespaced(resource: &str, namespace: &str, name: &str) -> Relation {
    Relation::Item(ItemId::namespaced(GroupResource::core(resource), namespace, name))
}

fn cluster(object: &Object, path: &[&str], group: &str, resource: &str) -> Option<Relation> {
    let name = text_at(object, path)?;
    Some(Relation::Item(ItemId::cluster(GroupResource::new(group, resource), name)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(id: &str, object: &Value) -> Vec<String> {
        relations(&id.parse().unwrap(), object.as_object().unwrap())
            .into_iter()
            .map(|relation| match relation {
                Relation::Item(id) => id.to_string(),
                Relation::BindingsOf { namespace, account } => {
                    format!("bindings of {namespace}/{account}")
                }
            })
            .collect()
    }

    #[test]
    fn what_a_kind_may_need_is_told_of_every_kind_that_needs_something() {
        for (group, resource, _) in FINDERS {
            assert!(!targets(&GroupResource::new(*group, *resource)).is_empty(), "{resource}");
        }
        let spec = json!({
            "volumes": [{"persistentVolumeClaim": {"claimName": "a"}}],
            "serviceAccountName": "a", "priorityClassName": "a", "runtimeClassName": "a",
            "storageClassName": "a", "volumeAttributesClassName": "a", "volumeName": "a",
            "ingressClassName": "a",
        });
        let mut whole = spec.clone();
        whole["template"]["spec"] = spec.clone();
        whole["jobTemplate"]["spec"]["template"]["spec"] = spec.clone();
        whole["volumeClaimTemplates"] = json!([{"spec": spec}]);
        let object = |kind: &str| json!({"spec": whole, "roleRef": {"kind": kind, "name": "a"}});
        let objects = ["Role", "ClusterRole"].map(object);
        let pairs = FINDERS.iter().flat_map(|finder| objects.iter().map(move |it| (finder, it)));
        let mut seen = 0;
        for ((group, resource, find), object) in pairs {
            let kind = GroupResource::new(*group, *resource);
            let id = match *resource {
                "clusterrolebindings" => ItemId::cluster(kind, "a"),
                _ => ItemId::namespaced(kind, "shop", "a"),
            };
            let found = find(&id, object.as_object().unwrap());
            seen += found.len();
            let targets = targets(&id.resource);
            let is_told = |relation: &Relation| match relation {
                Relation::Item(found) => targets.contains(&found.resource),
                Relation::BindingsOf { .. } => true,
            };
            assert!(found.iter().all(is_told), "{id}: {found:?}");
        }
        assert!(seen > 60, "{seen}");
    }

    #[test]
    fn a_pod_needs_its_claims_its_classes_and_its_account() {
        let pod = json!({"spec": {
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-nginx-ss-0"}},
                {"name": "again", "persistentVolumeClaim": {"claimName": "data-nginx-ss-0"}},
                {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
                {"name": "cfg", "configMap": {"name": "web-config"}}],
            "priorityClassName": "shop-high", "runtimeClassName": "gvisor",
            "serviceAccountName": "web"}});
        assert_eq!(
            found("pods/shop/nginx-ss-0", &pod),
            [
                "persistentvolumeclaims/shop/data-nginx-ss-0",
                "priorityclasses.scheduling.k8s.io/shop-high",
                "runtimeclasses.node.k8s.io/gvisor",
                "serviceaccounts/shop/web",
            ]
        );
    }

    #[test]
    fn a_workload_needs_what_its_pods_will_need() {
        let spec = json!({"priorityClassName": "shop-high", "serviceAccountName": "default"});
        let template = json!({"spec": {"template": {"spec": spec}}});
        let expected = ["priorityclasses.scheduling.k8s.io/shop-high"];
        assert_eq!(found("deployments.apps/shop/web", &template), expected);
        let cron = json!({"spec": {"jobTemplate": template}});
        assert_eq!(found("cronjobs.batch/shop/nightly", &cron), expected);
        let set = json!({"spec": {"template": {"spec": {}}, "volumeClaimTemplates":
            [{"spec": {"storageClassName": "standard"}}]}});
        assert_eq!(
            found("statefulsets.apps/shop/db", &set),
            ["storageclasses.storage.k8s.io/standard"]
        );
    }

    #[test]
    fn a_claim_needs_its_volume_and_its_classes() {
        let claim = json!({"spec": {"volumeName": "pvc-0000", "storageClassName": "standard",
            "volumeAttributesClassName": "fast"}});
        assert_eq!(
            found("persistentvolumeclaims/shop/data", &claim),
            [
                "persistentvolumes/pvc-0000",
                "storageclasses.storage.k8s.io/standard",
                "volumeattributesclasses.storage.k8s.io/fast",
            ]
        );
        let unbound = json!({"spec": {"storageClassName": ""}});
        assert!(found("persistentvolumeclaims/shop/data", &unbound).is_empty());
    }

    #[test]
    fn an_account_needs_its_bindings_and_a_binding_its_role() {
        assert_eq!(found("serviceaccounts/shop/web", &json!({})), ["bindings of shop/web"]);
        let binding = |kind: &str| json!({"roleRef": {"kind": kind, "name": "reader"}});
        let in_shop = "rolebindings.rbac.authorization.k8s.io/shop/web";
        assert_eq!(
            found(in_shop, &binding("Role")),
            ["roles.rbac.authorization.k8s.io/shop/reader"]
        );
        assert_eq!(
            found(in_shop, &binding("ClusterRole")),
            ["clusterroles.rbac.authorization.k8s.io/reader"]
        );
        let everywhere = "clusterrolebindings.rbac.authorization.k8s.io/web";
        assert!(found(everywhere, &binding("Role")).is_empty());
    }

    #[test]
    fn an_ingress_needs_its_class_by_field_or_by_the_old_annotation() {
        let expected = ["ingressclasses.networking.k8s.io/nginx"];
        let field = json!({"spec": {"ingressClassName": "nginx"}});
        let annotation = json!({"metadata": {"annotations":
            {"kubernetes.io/ingress.class": "nginx"}}});
        assert_eq!(found("ingresses.networking.k8s.io/shop/web", &field), expected);
        assert_eq!(found("ingresses.networking.k8s.io/shop/web", &annotation), expected);
    }

    #[test]
    fn kinds_without_relations_need_not_be_parsed() {
        let has = |resource: &str| has_relations(&resource.parse().unwrap());
        assert!(has("pods") && has("ingresses.networking.k8s.io"));
        assert!(!has("configmaps") && !has("pods.metrics.k8s.io") && !has("widgets.example.com"));
        assert!(found("widgets.example.com/shop/w", &json!({"spec": {}})).is_empty());
    }

    #[test]
    fn objects_of_an_unexpected_shape_need_nothing() {
        for odd in [json!({}), json!({"spec": []}), json!({"spec": {"volumes": {"a": 1}}})] {
            assert!(found("pods/shop/web", &odd).is_empty(), "{odd}");
        }
    }

    #[test]
    fn a_namespaced_object_has_a_namespace_and_a_custom_kind_a_definition() {
        let widget: ItemId = "widgets.example.com/shop/main".parse().unwrap();
        assert_eq!(namespace_of(&widget).unwrap().to_string(), "namespaces/shop");
        assert_eq!(namespace_of(&"namespaces/shop".parse().unwrap()), None);
        assert_eq!(
            definition_of(&widget.resource).to_string(),
            "customresourcedefinitions.apiextensions.k8s.io/widgets.example.com"
        );
    }

    #[test]
    fn a_binding_names_an_account_directly_as_a_user_or_by_its_namespace() {
        let names = |subject: Value| {
            let binding = json!({"metadata": {"namespace": "shop"}, "subjects": [subject]});
            binding_names_account(binding.as_object().unwrap(), "shop", "web")
        };
        for subject in [
            json!({"kind": "ServiceAccount", "name": "web", "namespace": "shop"}),
            json!({"kind": "ServiceAccount", "name": "web"}),
            json!({"kind": "User", "name": "system:serviceaccount:shop:web"}),
            json!({"kind": "Group", "name": "system:serviceaccounts:shop"}),
        ] {
            assert!(names(subject.clone()), "{subject}");
        }
        for subject in [
            json!({"kind": "ServiceAccount", "name": "web", "namespace": "other"}),
            json!({"kind": "ServiceAccount", "name": "api", "namespace": "shop"}),
            json!({"kind": "User", "name": "web"}),
            json!({"kind": "Group", "name": "system:serviceaccounts"}),
        ] {
            assert!(!names(subject.clone()), "{subject}");
        }
    }
}

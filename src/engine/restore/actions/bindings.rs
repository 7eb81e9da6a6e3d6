use serde_json::Value;

use super::Draft;
use crate::engine::model::Object;
use crate::engine::model::fields::{maps_at_mut, retain, text_at};
use crate::engine::restore::Preparation;

const USER: &str = "system:serviceaccount:";
const GROUP: &str = "system:serviceaccounts:";

/// Binds the accounts where they are restored to: by name, as a user, or as the group of a namespace.
///
/// Where the target has the binding already, for the original's accounts, the clone's get one of their
/// own: nobody else's subjects come into that.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    let context = draft.context;
    let mut changes = Vec::new();
    if let Some(name) = context.bindings.get(draft.id) {
        retain(&mut draft.object, &["subjects"], |subject| moves(subject, context));
        changes.push(format!("name {} -> {name}, for the clone's subjects alone", draft.id.name));
    }
    for subject in maps_at_mut(&mut draft.object, &["subjects"]) {
        if let Some((key, value)) = remapped(subject, context) {
            let old = text_at(subject, &[key]).unwrap_or_default();
            changes.push(format!("subject {key} {old} -> {value}"));
            subject.insert(key.to_owned(), value.into());
        }
    }
    draft.changes.extend(changes);
}

/// Whether this subject is an account, or all of them, of a namespace that is mapped.
pub(in crate::engine::restore) fn moves(subject: &Value, context: &Preparation) -> bool {
    subject.as_object().is_some_and(|subject| remapped(subject, context).is_some())
}

/// The field of a subject that has to change, and to what.
fn remapped(subject: &Object, context: &Preparation) -> Option<(&'static str, String)> {
    let name = text_at(subject, &["name"])?;
    let (field, prefix, namespace, suffix) = match text_at(subject, &["kind"])? {
        "ServiceAccount" => ("namespace", "", text_at(subject, &["namespace"])?, ""),
        "User" => {
            let rest = name.strip_prefix(USER)?;
            let (namespace, account) = rest.split_at(rest.find(':')?);
            ("name", USER, namespace, account)
        }
        "Group" => ("name", GROUP, name.strip_prefix(GROUP)?, ""),
        _ => return None,
    };
    let target = context.namespace(namespace);
    (target != namespace).then(|| (field, format!("{prefix}{target}{suffix}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::draft::{into_copy, prepared};
    use crate::engine::restore::Preparation;

    #[test]
    fn subjects_follow_their_accounts_however_they_are_named() {
        let binding = json!({"subjects": [
            {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
            {"kind": "User", "name": "system:serviceaccount:shop:web"},
            {"kind": "Group", "name": "system:serviceaccounts:shop"},
            {"kind": "ServiceAccount", "name": "shop", "namespace": "other"},
            {"kind": "User", "name": "shop"}, {"kind": "Group", "name": "shop"}]});
        let id = "clusterrolebindings.rbac.authorization.k8s.io/web";
        let (object, changes) = prepared(id, binding, &into_copy());
        let expected = json!([
            {"kind": "ServiceAccount", "name": "web", "namespace": "copy"},
            {"kind": "User", "name": "system:serviceaccount:copy:web"},
            {"kind": "Group", "name": "system:serviceaccounts:copy"},
            {"kind": "ServiceAccount", "name": "shop", "namespace": "other"},
            {"kind": "User", "name": "shop"}, {"kind": "Group", "name": "shop"}]);
        assert_eq!(object["subjects"], expected);
        assert_eq!(changes[0], "subject namespace shop -> copy");
        assert_eq!(changes.len(), 3);
    }

    #[test]
    fn beside_the_original_a_binding_of_its_own_has_the_clones_subjects_alone() {
        let binding = json!({"roleRef": {"kind": "ClusterRole", "name": "reader"}, "subjects": [
            {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
            {"kind": "ServiceAccount", "name": "web", "namespace": "other"},
            {"kind": "User", "name": "ann"}]});
        let id = "clusterrolebindings.rbac.authorization.k8s.io/web";
        let bindings = [(id.parse().unwrap(), "web-copy".to_owned())].into();
        let context = Preparation { bindings, ..into_copy() };
        let (object, changes) = prepared(id, binding, &context);
        let subjects = json!([{"kind": "ServiceAccount", "name": "web", "namespace": "copy"}]);
        assert_eq!(object["subjects"], subjects);
        assert_eq!(object["roleRef"]["name"], "reader");
        assert_eq!(object["metadata"]["name"], "web-copy");
        assert_eq!(object["metadata"]["labels"]["velero.io/restore-name"], "rescue");
        assert_eq!(changes[0], "name web -> web-copy, for the clone's subjects alone");
    }

    #[test]
    fn a_binding_in_another_namespace_follows_the_account_too() {
        let binding =
            json!({"subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]});
        let id = "rolebindings.rbac.authorization.k8s.io/other/web";
        let (object, _) = prepared(id, binding, &into_copy());
        assert_eq!(object["subjects"][0]["namespace"], "copy");
        assert_eq!(object["metadata"]["namespace"], "other");
    }
}

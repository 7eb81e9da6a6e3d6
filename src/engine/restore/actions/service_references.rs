use super::Draft;
use crate::engine::model::Object;
use crate::engine::model::fields::{map_at_mut, text_at};
use crate::engine::restore::Preparation;

/// Leads an `APIService` to where its backend is restored.
pub(super) fn prepare_api_service(draft: &mut Draft<'_>) {
    let change = remap(&mut draft.object, &["spec", "service"], draft.context);
    draft.changes.extend(change);
}

/// Leads the reference to a Service at this path to the target namespace; tells so, if it had to.
pub(super) fn remap(object: &mut Object, path: &[&str], context: &Preparation) -> Option<String> {
    let service = map_at_mut(object, path)?;
    let old = text_at(service, &["namespace"])?.to_owned();
    let new = context.namespace(&old);
    if new == old {
        return None;
    }
    service.insert("namespace".to_owned(), new.into());
    let name = text_at(service, &["name"]).unwrap_or_default();
    Some(format!("backend {old}/{name} -> {new}/{name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::draft::{into_copy, prepared};

    #[test]
    fn an_api_service_follows_its_backend() {
        let service = json!({"spec": {"group": "shop.example.com",
            "service": {"name": "api", "namespace": "shop", "port": 443}}});
        let id = "apiservices.apiregistration.k8s.io/v1.shop.example.com";
        let (object, changes) = prepared(id, service, &into_copy());
        let expected = json!({"name": "api", "namespace": "copy", "port": 443});
        assert_eq!(object["spec"]["service"], expected);
        assert_eq!(changes, ["backend shop/api -> copy/api"]);
    }
}

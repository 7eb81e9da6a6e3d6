use super::Draft;
use crate::engine::model::fields::{remove, text_at};

/// Empties a token that somebody asked for: the token controller fills it for the new account.
///
/// It fills in what is absent only: the namespace of a clone's original would stay.
///
/// With the old account's uid it would be deleted instead. Tokens that the cluster made by itself are not
/// restored at all.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    if text_at(&draft.object, &["type"]) != Some("kubernetes.io/service-account-token") {
        return;
    }
    let mut emptied = draft.drop_annotations(&["kubernetes.io/service-account.uid"]);
    for key in ["token", "ca.crt", "namespace"] {
        emptied |= remove(&mut draft.object, &["data", key]).is_some();
    }
    if emptied {
        draft.note("token left to the token controller");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::draft::prepared;
    use crate::engine::restore::Preparation;

    #[test]
    fn a_token_is_emptied_and_its_account_stays_named() {
        let token = json!({"type": "kubernetes.io/service-account-token",
            "metadata": {"annotations": {"kubernetes.io/service-account.name": "web",
                "kubernetes.io/service-account.uid": "540b8b0a"}},
            "data": {"token": "c2VjcmV0", "ca.crt": "Y2E=", "namespace": "c2hvcA==", "own": "eA=="}});
        let (object, changes) = prepared("secrets/shop/web-token", token, &Preparation::default());
        assert_eq!(object["data"], json!({"own": "eA=="}));
        let annotations = json!({"kubernetes.io/service-account.name": "web"});
        assert_eq!(object["metadata"]["annotations"], annotations);
        assert_eq!(changes, ["token left to the token controller"]);
    }

    #[test]
    fn other_secrets_keep_a_key_of_that_name() {
        let secret = json!({"type": "Opaque", "data": {"token": "c2VjcmV0", "ca.crt": "Y2E="}});
        let (object, changes) =
            prepared("secrets/shop/web", secret.clone(), &Preparation::default());
        assert_eq!(object["data"], secret["data"]);
        assert!(changes.is_empty());
    }
}

use super::Draft;
use crate::engine::model::kinds::is_generated_token;

/// Drops the references to tokens that the old cluster made; they are not restored.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    let account = &draft.id.name;
    let tokens = draft.drop_named(&["secrets"], |name| is_generated_token(account, name));
    for token in tokens {
        draft.note(format!("generated token {token} dropped"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::draft::prepared;
    use crate::engine::restore::Preparation;

    #[test]
    fn only_generated_tokens_are_dropped() {
        let account = json!({"metadata": {"name": "web"}, "secrets": [
            {"name": "web-token-x7f2k"}, {"name": "web-token-zzzzz"}, {"name": "web-token-manual"},
            {"name": "pull"}], "imagePullSecrets": [{"name": "registry"}]});
        let (object, changes) =
            prepared("serviceaccounts/shop/web", account, &Preparation::default());
        assert_eq!(object["secrets"], json!([{"name": "web-token-manual"}, {"name": "pull"}]));
        assert_eq!(object["imagePullSecrets"], json!([{"name": "registry"}]));
        assert_eq!(changes.len(), 2);
    }

    #[test]
    fn a_list_of_nothing_but_generated_tokens_goes_whole() {
        let account = json!({"secrets": [{"name": "web-token-x7f2k"}]});
        let (object, _) = prepared("serviceaccounts/shop/web", account, &Preparation::default());
        assert_eq!(object.get("secrets"), None);
    }
}

use super::Draft;

/// Drops the number of the rollout: the deployment controller counts anew.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    draft.drop_annotations(&["deployment.kubernetes.io/revision"]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::draft::prepared;
    use crate::engine::restore::Preparation;

    #[test]
    fn a_deployment_starts_with_its_first_rollout() {
        let deployment = json!({"metadata": {"annotations": {
            "deployment.kubernetes.io/revision": "7", "kubernetes.io/change-cause": "new image"}}});
        let (object, _) =
            prepared("deployments.apps/shop/web", deployment, &Preparation::default());
        let annotations = json!({"kubernetes.io/change-cause": "new image"});
        assert_eq!(object["metadata"]["annotations"], annotations);
    }
}

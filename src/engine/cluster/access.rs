//! What we may do.

use bowline_api::GroupResource;
use serde::Deserialize;
use serde_json::json;

use super::client::Cluster;
use super::error::Error;
use super::wire::Call;

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// What the API server says of a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Whether it is granted.
    pub allowed: bool,
    /// Why, where the server tells.
    pub reason: Option<String>,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    status: ReviewStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReviewStatus {
    allowed: bool,
    reason: String,
    evaluation_error: String,
}

impl Cluster {
    /// Whether we may do `verb` to the objects of a kind: in one namespace, or (`None`) everywhere.
    ///
    /// A subresource is asked for as `pods/exec`, and `*` stands for all verbs, groups or resources.
    /// Admission may still refuse what this allows.
    pub async fn can_i(
        &self,
        verb: &str,
        resource: &GroupResource,
        namespace: Option<&str>,
    ) -> Result<Review, Error> {
        let (name, subresource) =
            resource.resource.split_once('/').unwrap_or((&resource.resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": verb,
                "group": resource.group,
                "resource": name,
                "subresource": subresource,
                "namespace": namespace.unwrap_or_default(),
            }},
        });
        let request = format!("ask whether we may {verb} {resource}");
        let call = Call::post(REVIEWS.to_owned(), request, review.to_string().into());
        // A review is a question: it creates nothing.
        let Reply { status } = self.ask(&call.repeated_freely()).await?;
        let reason = [status.reason, status.evaluation_error].into_iter().find(|it| !it.is_empty());
        Ok(Review { allowed: status.allowed, reason })
    }
}

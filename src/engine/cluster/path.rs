//! The addresses of collections and objects.
//!
//! See <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris>.

use std::fmt::Write as _;

use url::form_urlencoded;

use super::error::Error;
use crate::engine::model::Kind;

/// The path of the objects of a kind: in one namespace, or (`None`) in all of the cluster.
pub(super) fn collection(kind: &Kind, namespace: Option<&str>) -> Result<String, Error> {
    let mut path = group_version(&kind.resource.group, &kind.version);
    if let Some(namespace) = namespace.filter(|_| kind.namespaced) {
        path.push_str("/namespaces/");
        path.push_str(&segment(kind, namespace)?);
    }
    path.push('/');
    path.push_str(&encode(&kind.resource.resource));
    Ok(path)
}

/// The path at which objects are created.
pub(super) fn new_object(kind: &Kind, namespace: Option<&str>) -> Result<String, Error> {
    collection(kind, kind.namespaced.then(|| namespace.unwrap_or_default()))
}

/// The path of one object. A namespace is ignored where the kind has none.
pub(super) fn object(kind: &Kind, namespace: Option<&str>, name: &str) -> Result<String, Error> {
    Ok(format!("{}/{}", new_object(kind, namespace)?, segment(kind, name)?))
}

/// The path of the status of one object.
pub(super) fn status(kind: &Kind, namespace: Option<&str>, name: &str) -> Result<String, Error> {
    Ok(object(kind, namespace, name)? + "/status")
}

/// The path of a group in one version.
pub(super) fn group_version(group: &str, version: &str) -> String {
    match group {
        "" => format!("/api/{}", encode(version)),
        group => format!("/apis/{}/{}", encode(group), encode(version)),
    }
}

/// The path with a query, where there is any.
pub(super) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

/// A name as part of a path.
///
/// The server decodes before it splits, so an encoded slash would still begin a new segment. Names
/// come from archives, which are not to be trusted; no valid name has these characters
/// (`IsValidPathSegmentName` in apimachinery).
fn segment(kind: &Kind, name: &str) -> Result<String, Error> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '%']) {
        return Err(Error::InvalidName { resource: kind.resource.clone(), name: name.to_owned() });
    }
    Ok(encode(name))
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::super::fake::kind;
    use super::*;

    #[test]
    fn a_path_names_group_version_namespace_and_name() {
        let pods = kind("", "v1", "pods", "Pod", true);
        let roles = kind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false);
        assert_eq!(collection(&pods, None).unwrap(), "/api/v1/pods");
        assert_eq!(collection(&pods, Some("shop")).unwrap(), "/api/v1/namespaces/shop/pods");
        assert_eq!(object(&pods, Some("a"), "b").unwrap(), "/api/v1/namespaces/a/pods/b");
        assert_eq!(
            object(&roles, Some("ignored"), "system:node").unwrap(),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode"
        );
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_name() {
        let pods = kind("", "v1", "pods", "Pod", true);
        for name in ["", ".", "..", "web/status", "../../secrets/x", "web%2Fstatus"] {
            assert!(object(&pods, Some("shop"), name).is_err(), "{name}");
            assert!(object(&pods, Some(name), "web").is_err(), "{name}");
        }
        assert!(object(&pods, None, "web").is_err());
        let odd = object(&pods, Some("shop"), "a?b#c d").unwrap();
        assert_eq!(odd, "/api/v1/namespaces/shop/pods/a%3Fb%23c%20d");
    }

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(with_query("/x", &[]), "/x");
        assert_eq!(with_query("/x", &[("a", "b=c,d"), ("e", "1")]), "/x?a=b%3Dc%2Cd&e=1");
    }
}

//! Objects of our own, made and kept as they should be.

use super::client::Cluster;
use super::error::Error;
use super::objects::{FIELD_MANAGER, Object, describe};
use super::path;
use super::wire::Call;
use crate::engine::model::Kind;

impl Cluster {
    /// Makes an object as it is given, or changes what of it is ours, and returns what came of it.
    ///
    /// Server-side apply: doing it twice is doing it once, and what others have added stays. Fields
    /// that others have changed are taken back.
    pub async fn apply(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        object: &Object,
    ) -> Result<Object, Error> {
        let query = [("fieldManager", FIELD_MANAGER), ("force", "true")];
        let url = path::with_query(&path::object(kind, namespace, name)?, &query);
        let request = describe("apply", kind, namespace, name);
        let body = serde_json::to_vec(object)
            .map_err(|source| Error::Decode { request: request.clone(), source: source.into() })?;
        self.ask(&Call::apply(url, request, body.into())).await
    }
}

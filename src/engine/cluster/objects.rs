//! Single objects: read, create, change, delete.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::client::Cluster;
use super::error::Error;
use super::page;
use super::path;
use super::retry::{Repeat, Retries};
use super::wire::Call;
use crate::engine::clock::pause;
use crate::engine::model::Kind;

/// An object as JSON, with all its fields.
pub type Object = Map<String, Value>;

/// Whose changes ours are, in the objects' managed fields.
pub const FIELD_MANAGER: &str = "bowline";
const AS_FIELD_MANAGER: (&str, &str) = ("fieldManager", FIELD_MANAGER);

/// How to create an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Creation<'a> {
    /// Let the server check everything, admission included, and create nothing.
    pub dry_run: bool,
    /// The key of a label of the object whose value no other attempt uses.
    ///
    /// If a reply is lost, what exists is ours if it carries the same value.
    pub mark: Option<&'a str>,
}

/// What became of a create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The object as it was stored.
    Created(Object),
    /// An object of that name was there before; nothing was changed.
    Exists,
}

/// How to delete an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletion<'a> {
    /// Delete it only if it is the one with this UID; else the server answers with a conflict.
    pub uid: Option<&'a str>,
    /// Delete it only if nobody changed it since it had this version; else the same.
    pub resource_version: Option<&'a str>,
    /// What becomes of the objects that it owns.
    pub propagation: Propagation,
}

/// What becomes of the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted some time later.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay, without owner.
    Orphan,
}

impl Propagation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

impl Cluster {
    /// Reads an object; none if it does not exist.
    pub async fn get(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Object>, Error> {
        let call = read(kind, namespace, name)?;
        self.find(&call).await?.map(|body| call.parse(&body)).transpose()
    }

    /// Reads an object as the server writes it; none if it does not exist.
    pub async fn get_raw(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Bytes>, Error> {
        let call = read(kind, namespace, name)?;
        let undecodable = |source: serde_json::Error| Error::Decode {
            request: call.request(),
            source: source.into(),
        };
        let body = self.find(&call).await?;
        body.map(|body| page::complete(kind, &body).map_err(undecodable)).transpose()
    }

    /// Creates an object that does not exist yet.
    ///
    /// A request that may have been carried out is not repeated blindly: what exists is looked at
    /// first, so that [`Created::Exists`] never means an object of this very call, provided it
    /// carries a [`Creation::mark`].
    pub async fn create(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        object: &Object,
        creation: &Creation<'_>,
    ) -> Result<Created, Error> {
        let call = post(kind, namespace, object, creation)?;
        let mut retries = Retries::new(self.shared.patience);
        let mut in_doubt = false;
        loop {
            let failure = match self.call(&call).await {
                Ok(reply) => return Ok(Created::Created(call.parse(&reply)?)),
                Err(failure) => failure,
            };
            let exists = failure.error.is_already_exists();
            if exists && !in_doubt {
                return Ok(Created::Exists);
            }
            if creation.dry_run || !(exists || failure.error.leaves_doubt()) {
                return Err(failure.error);
            }
            in_doubt = true;
            match self.get(kind, namespace, name_of(object)).await {
                Ok(Some(found)) => return Ok(settle(object, found, creation.mark)),
                Ok(None) => {}
                Err(_) => return Err(failure.error),
            }
            match retries.next(Repeat::Freely, &failure, self.was_reached()) {
                Some(delay) if failure.error.status() != Some(500) => pause(delay).await,
                _ => return Err(failure.error),
            }
        }
    }

    /// Merges `patch` into an object (RFC 7386) and returns what came of it.
    ///
    /// A `metadata.resourceVersion` in the patch is a precondition. The reply to a patch that was
    /// carried out can be lost; with a precondition its repetition is then a conflict, so a caller
    /// that gets one reads the object again and compares.
    pub async fn merge_patch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
    ) -> Result<Object, Error> {
        let url = path::with_query(&path::object(kind, namespace, name)?, &[AS_FIELD_MANAGER]);
        let request = describe("patch", kind, namespace, name);
        self.ask(&Call::merge_patch(url, request, patch.to_string().into())).await
    }

    /// Merges `patch` into the status of an object, which its kind must serve as a subresource.
    ///
    /// Whatever else the patch says is ignored by the server.
    pub async fn patch_status(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
    ) -> Result<Object, Error> {
        let url = path::with_query(&path::status(kind, namespace, name)?, &[AS_FIELD_MANAGER]);
        let request = describe("patch status of", kind, namespace, name);
        self.ask(&Call::merge_patch(url, request, patch.to_string().into())).await
    }

    /// Orders the deletion of an object; one that does not exist is deleted already.
    ///
    /// It may stay for a while, or for ever, until its finalizers are done.
    pub async fn delete(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        deletion: &Deletion<'_>,
    ) -> Result<(), Error> {
        let path = path::object(kind, namespace, name)?;
        let request = describe("delete", kind, namespace, name);
        let mut body = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": deletion.propagation.as_str(),
        });
        for (key, value) in [("uid", deletion.uid), ("resourceVersion", deletion.resource_version)]
        {
            if let Some(value) = value {
                body["preconditions"][key] = value.into();
            }
        }
        self.find(&Call::delete(path, request, body.to_string().into())).await.map(drop)
    }

    /// Makes a call about an object that may not exist.
    pub(super) async fn find(&self, call: &Call) -> Result<Option<Bytes>, Error> {
        match self.call(call).await {
            Ok(body) => Ok(Some(body)),
            Err(failure) if failure.error.status() == Some(404) => Ok(None),
            Err(failure) => Err(failure.error),
        }
    }
}

/// Whether what exists is what this call made, or was there before.
fn settle(sent: &Object, found: Object, mark: Option<&str>) -> Created {
    let ours = mark.is_some_and(|key| {
        let value = label(sent, key);
        value.is_some() && value == label(&found, key)
    });
    if ours { Created::Created(found) } else { Created::Exists }
}

fn label<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

fn name_of(object: &Object) -> &str {
    let name = object.get("metadata").and_then(|metadata| metadata.get("name"));
    name.and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn read(kind: &Kind, namespace: Option<&str>, name: &str) -> Result<Call, Error> {
    let path = path::object(kind, namespace, name)?;
    Ok(Call::get(path, describe("read", kind, namespace, name)))
}

fn post(
    kind: &Kind,
    namespace: Option<&str>,
    object: &Object,
    creation: &Creation<'_>,
) -> Result<Call, Error> {
    let mut query = vec![AS_FIELD_MANAGER];
    query.extend(creation.dry_run.then_some(("dryRun", "All")));
    let path = path::with_query(&path::new_object(kind, namespace)?, &query);
    let request = describe("create", kind, namespace, name_of(object));
    let body = serde_json::to_vec(object)
        .map_err(|source| Error::Decode { request: request.clone(), source: source.into() })?;
    let call = Call::post(path, request, body.into());
    Ok(if creation.dry_run { call.repeated_freely() } else { call })
}

/// A request in words: `create deployments.apps/shop/web`.
pub(super) fn describe(verb: &str, kind: &Kind, namespace: Option<&str>, name: &str) -> String {
    let namespace = namespace.filter(|_| kind.namespaced);
    let place = namespace.map(|name| format!("{name}/")).unwrap_or_default();
    format!("{verb} {}/{place}{name}", kind.resource)
}

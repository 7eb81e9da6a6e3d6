//! What an operation needs to be allowed, asked before anything is changed.

use std::collections::BTreeSet;
use std::fmt;

use bowline_api::{GroupResource, Operation, VolumeSnapshotter};
use futures::{StreamExt as _, stream};
use serde::Serialize;

use super::Context;
use crate::engine::report::chain;

/// Something that an operation needs to be allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Right {
    /// What it is to do: `create deployments.apps in shop`, `ec2:CreateSnapshot`.
    pub action: String,
    /// Whether it may.
    pub granted: Granted,
    /// Why not, or why nobody knows, as far as that was told.
    pub reason: Option<String>,
}

/// Whether something is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Granted {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// It could not be found out. No operation is refused for that.
    Unknown,
}

impl Granted {
    /// The word that plans print.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// A kind of request that an operation makes to the API server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// `list`, `create`.
    pub verb: &'static str,
    /// What is listed or created.
    pub resource: GroupResource,
    /// Where; none for the whole cluster.
    pub namespace: Option<String>,
}

impl Access {
    /// What running commands in the pods of a namespace needs.
    ///
    /// The channel is opened with a GET; servers from 1.35 on ask for the other one besides, for
    /// older clients it is the only one.
    pub fn to_exec(namespace: &str) -> [Self; 2] {
        ["create", "get"].map(|verb| Self {
            verb,
            resource: GroupResource::core("pods/exec"),
            namespace: Some(namespace.to_owned()),
        })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        match &self.namespace {
            Some(namespace) => write!(f, " in {namespace}"),
            None => Ok(()),
        }
    }
}

impl Right {
    /// The rights that are not granted, of all that are needed.
    pub fn missing(rights: &[Self]) -> Vec<Self> {
        rights.iter().filter(|right| right.granted == Granted::No).cloned().collect()
    }

    fn granted(action: String) -> Self {
        Self { action, granted: Granted::Yes, reason: None }
    }

    fn unknown(action: String, reason: String) -> Self {
        Self { action, granted: Granted::Unknown, reason: Some(reason) }
    }
}

/// Asks the API server for all of these rights.
///
/// Who may do anything anywhere, as most who restore a cluster may, is asked about nothing else; a
/// server that answers no such question is asked no other.
pub async fn of_cluster(context: &Context, needed: BTreeSet<Access>) -> Vec<Right> {
    if needed.is_empty() {
        return Vec::new();
    }
    let everything = GroupResource::new("*", "*");
    let actions = needed.iter().map(ToString::to_string);
    match context.cluster.can_i("*", &everything, None).await {
        Ok(review) if review.allowed => actions.map(Right::granted).collect(),
        Err(error) => actions.map(|action| Right::unknown(action, chain(&error))).collect(),
        Ok(_) => {
            stream::iter(needed)
                .map(|access| async move { review(context, &access).await })
                .buffered(context.limits.lists)
                .collect()
                .await
        }
    }
}

async fn review(context: &Context, access: &Access) -> Right {
    let action = access.to_string();
    let namespace = access.namespace.as_deref();
    match context.cluster.can_i(access.verb, &access.resource, namespace).await {
        Ok(review) if review.allowed => Right::granted(action),
        Ok(review) => Right { action, granted: Granted::No, reason: review.reason },
        Err(error) => Right::unknown(action, chain(&error)),
    }
}

/// Asks a provider for what an operation needs of it.
///
/// `subject` is what the operation is about, for providers that ask for it: a volume, a snapshot.
pub async fn of_provider(
    snapshotter: &dyn VolumeSnapshotter,
    operation: Operation,
    subject: Option<&str>,
) -> Vec<Right> {
    match snapshotter.rights(operation, subject).await {
        Ok(rights) => rights.into_iter().map(told).collect(),
        Err(error) => {
            let action = format!("what {} is asked to do", snapshotter.provider());
            vec![Right::unknown(action, chain(&error))]
        }
    }
}

fn told(right: bowline_api::Right) -> Right {
    match right.refusal {
        None => Right::granted(right.action),
        reason => Right { action: right.action, granted: Granted::No, reason },
    }
}

/// How many rights a message names.
const NAMED: usize = 8;

/// Names rights in a message; of many, the first.
pub fn names(rights: &[Right]) -> String {
    let named: Vec<&str> = rights.iter().take(NAMED).map(|right| right.action.as_str()).collect();
    match rights.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_is_named_with_its_place_if_it_has_one() {
        let resource: GroupResource = "deployments.apps".parse().unwrap();
        let namespace = Some("shop".to_owned());
        let mut access = Access { verb: "create", resource, namespace };
        assert_eq!(access.to_string(), "create deployments.apps in shop");
        access.namespace = None;
        assert_eq!(access.to_string(), "create deployments.apps");
    }

    #[test]
    fn a_message_names_no_more_rights_than_can_be_read() {
        let rights: Vec<_> = (0..10).map(|n| Right::granted(format!("a{n}"))).collect();
        assert_eq!(names(&rights[..2]), "a0, a1");
        assert_eq!(names(&rights), "a0, a1, a2, a3, a4, a5, a6, a7 and 2 more");
    }
}

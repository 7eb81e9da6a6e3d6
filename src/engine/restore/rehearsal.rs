//! Server-side dry runs: what admission and schemas say to each object, before anything is made.

use std::collections::BTreeMap;

use bowline_api::GroupResource;
use serde::Serialize;

use super::error::Error;
use super::execute::bare_namespace;
use super::jobs;
use super::plan::{Plan, Verdict, kind_of};
use super::preflight::Ready;
use super::prepare::Prepared;
use super::row::Row;
use super::wording::{guarded, said};
use crate::engine::cluster::{self, Cluster, Created, Creation};
use crate::engine::model::kinds::Step;
use crate::engine::model::{Kind, Object};

/// How thoroughly a plan is tried out. In `kubectl`'s words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DryRun {
    /// What exists is looked at, and nothing is sent.
    #[default]
    Client,
    /// What would be made is sent, to be checked and not kept.
    Server,
}

/// What the API server said to an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rehearsal {
    /// Whether it would take it.
    pub status: RehearsalStatus,
    /// In its words, or why it was not asked. Never more than a status of a Secret.
    pub message: Option<String>,
}

/// Whether the API server would take an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum RehearsalStatus {
    /// It would.
    Accepted,
    /// It would not.
    Refused,
    /// That can't be known before something else is there.
    NotAsked,
}

/// How many objects the API server would take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RehearsalCounts {
    /// How many it would take.
    pub accepted: u64,
    /// How many it would not.
    pub refused: u64,
    /// Of how many that can't be known yet.
    pub not_asked: u64,
}

impl RehearsalCounts {
    pub(super) fn count(&mut self, status: RehearsalStatus) {
        *match status {
            RehearsalStatus::Accepted => &mut self.accepted,
            RehearsalStatus::Refused => &mut self.refused,
            RehearsalStatus::NotAsked => &mut self.not_asked,
        } += 1;
    }
}

impl RehearsalStatus {
    /// The words that plans print.
    pub fn words(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::NotAsked => "not asked",
        }
    }
}

impl Rehearsal {
    fn new(status: RehearsalStatus, message: impl Into<String>) -> Self {
        Self { status, message: Some(message.into()) }
    }

    fn not_asked(why: impl Into<String>) -> Self {
        Self::new(RehearsalStatus::NotAsked, why)
    }

    pub(super) fn is_refused(&self) -> bool {
        self.status == RehearsalStatus::Refused
    }
}

/// Kinds that others name, and that must be there when these are checked.
const LOOKED_UP: &[&str] = &[
    "clusterroles.rbac.authorization.k8s.io",
    "namespaces",
    "priorityclasses.scheduling.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "runtimeclasses.node.k8s.io",
    "serviceaccounts",
    "storageclasses.storage.k8s.io",
];

const NAMESPACE: &str = "Namespace";

/// How a webhook that must not be called for a dry run is told of.
const NO_DRY_RUN: &str = "does not support dry run";

/// Names of objects that the plan makes, with their kind.
type Awaited = BTreeMap<String, String>;

/// Where objects are tried out.
#[derive(Debug)]
pub(super) struct Rehearsals<'a> {
    cluster: &'a Cluster,
    ready: &'a Ready,
    /// What the plan makes and others are checked against: by name, as what.
    awaited: Awaited,
}

impl<'a> Rehearsals<'a> {
    pub(super) fn new(cluster: &'a Cluster, ready: &'a Ready, plan: &Plan<'_>) -> Self {
        let is_looked_up =
            |resource: &GroupResource| LOOKED_UP.contains(&resource.to_string().as_str());
        let made = plan.rows.iter().filter(|row| row.verdict == Verdict::Create);
        let made = made.filter(|row| is_looked_up(row.entry.resource()));
        let made = made.map(|row| {
            let kind = ready.catalog.get(row.entry.resource());
            let kind = kind.map_or_else(|| row.entry.resource().to_string(), |it| it.kind.clone());
            (plan.preparation.target(&row.entry.id()).name, kind)
        });
        let bare = plan.bare_namespaces.iter().map(|name| (name.clone(), NAMESPACE.to_owned()));
        let mut awaited: Awaited = made.collect();
        // What lies in a namespace that is not there is refused for that before anything else.
        awaited.extend(bare);
        Self { cluster, ready, awaited }
    }

    /// Sends an object to be checked and not kept; fails only if nobody answers.
    ///
    /// What is there already is sent as if it were not: the server checks all before it looks.
    pub(super) async fn rehearse(
        &self,
        row: &Row<'_>,
        mut prepared: Prepared,
    ) -> Result<Rehearsal, Error> {
        if row.ours {
            return Ok(Rehearsal::not_asked("this restore has made it"));
        }
        if row.step == Step::Volumes {
            return Ok(Rehearsal::not_asked("its volume is made first"));
        }
        let Some(kind) = kind_of(&self.ready.catalog, &row.entry) else {
            return Ok(Rehearsal::not_asked("its definition is not there yet"));
        };
        jobs::hold(&prepared.id, &mut prepared.object);
        self.send(&kind, prepared.id.namespace.as_deref(), &prepared.object).await
    }

    /// The same for a namespace that the backup does not hold.
    pub(super) async fn rehearse_namespace(&self, name: &str) -> Result<Rehearsal, Error> {
        let resource = GroupResource::core("namespaces");
        match self.ready.catalog.get(&resource) {
            Some(kind) => self.send(kind, None, &bare_namespace(name)).await,
            None => Ok(Rehearsal::not_asked("the target does not serve namespaces")),
        }
    }

    async fn send(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        object: &Object,
    ) -> Result<Rehearsal, Error> {
        let creation = Creation { dry_run: true, mark: None };
        match self.cluster.create(kind, namespace, object, &creation).await {
            Ok(Created::Created(_)) => {
                Ok(Rehearsal { status: RehearsalStatus::Accepted, message: None })
            }
            Ok(Created::Exists) => {
                Ok(Rehearsal::new(RehearsalStatus::Accepted, "asked as if it were not there"))
            }
            Err(error) if error.is_unreachable() => Err(Error::Cluster(error)),
            Err(error) => Ok(judge(&kind.resource, &error, &self.awaited)),
        }
    }
}

/// Whether a refusal is one, or only says that something is not there yet which the plan makes.
fn judge(resource: &GroupResource, error: &cluster::Error, awaited: &Awaited) -> Rehearsal {
    let message = said(error);
    if message.contains(NO_DRY_RUN) {
        return Rehearsal::not_asked(guarded(resource, error, || message));
    }
    if let Some((name, kind)) = lacks(error, &message, awaited) {
        return Rehearsal::not_asked(format!("{kind} \"{name}\" is not there yet"));
    }
    if matches!(error, cluster::Error::NotServed { .. }) {
        return Rehearsal::not_asked("its definition is not there yet");
    }
    Rehearsal::new(RehearsalStatus::Refused, guarded(resource, error, || message))
}

/// What an object is refused for the lack of, if the plan makes that.
fn lacks<'a>(
    error: &cluster::Error,
    message: &str,
    awaited: &'a Awaited,
) -> Option<(&'a String, &'a String)> {
    let is_lacking = matches!(error.status(), Some(403 | 404))
        && (message.contains("not found") || message.contains("was found"));
    if !is_lacking {
        return None;
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
    let mut words = message.split(|c| !is_part(c));
    words.find_map(|word| awaited.get_key_value(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(resource: &str, code: u16, reason: &str, message: &str) -> Rehearsal {
        let request = "create it".to_owned();
        let message = message.to_owned();
        let error = match code {
            403 => cluster::Error::Forbidden { request, message },
            code => cluster::Error::Api { request, code, reason: reason.to_owned(), message },
        };
        let awaited =
            [("shop", NAMESPACE), ("web", "ServiceAccount"), ("system:high", "PriorityClass")];
        let awaited = awaited.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into();
        judge(&resource.parse().unwrap(), &error, &awaited)
    }

    #[test]
    fn what_the_plan_makes_first_is_no_refusal() {
        for (code, message, expected) in [
            (404, "namespaces \"shop\" not found", "Namespace \"shop\""),
            (
                403,
                "pods \"p\" is forbidden: error looking up service account other/web: serviceaccount \"web\" not found",
                "ServiceAccount \"web\"",
            ),
            (
                403,
                "pods \"p\" is forbidden: no PriorityClass with name system:high was found",
                "PriorityClass \"system:high\"",
            ),
        ] {
            let found = judged("pods", code, "NotFound", message);
            assert_eq!(found.status, RehearsalStatus::NotAsked, "{message}");
            assert_eq!(found.message.unwrap(), format!("{expected} is not there yet"));
        }
    }

    #[test]
    fn what_nobody_makes_is_a_refusal_in_the_servers_words() {
        for (code, message) in [
            (404, "namespaces \"shop-2\" not found"),
            (403, "no PriorityClass with name high was found"),
            (403, "admission webhook \"deny.web\" denied the request: no web in shop"),
            (422, "spec.replicas: Invalid value: -1"),
            (500, "failed calling webhook \"web\": service \"web\" not found"),
        ] {
            let found = judged("pods", code, "", message);
            let expected = Rehearsal::new(RehearsalStatus::Refused, message);
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_webhook_that_is_not_to_be_called_is_not_asked() {
        let message = "admission webhook \"a\" does not support dry run";
        assert_eq!(judged("pods", 400, "BadRequest", message), Rehearsal::not_asked(message));
    }

    #[test]
    fn what_is_said_of_a_secret_is_not_shown() {
        for message in ["data[k]: \"aHVudGVy\" is bad", "hunter does not support dry run"] {
            let found = judged("secrets", 422, "Invalid", message);
            assert_eq!(found.message.unwrap(), "422 Invalid; its words are not shown");
        }
    }
}

//! Node ports that somebody else holds: known beforehand, or taken in between.

use std::borrow::Cow;

use bowline_api::{GroupResource, ItemId};
use futures::TryStreamExt as _;
use serde_json::Value;

use super::clones::ports_of;
use super::error::{Cause, Error};
use super::execute::Execution;
use super::plan::{Plan, Verdict};
use super::preflight::Ready;
use super::prepare;
use super::row::Row;
use super::select;
use crate::engine::cluster::{self, Created, Creation, ListScope};
use crate::engine::model::fields::{at, maps_at_mut, remove};
use crate::engine::model::{Kind, Object};
use crate::engine::report::{Problem, chain};

const TAKEN: &str = "provided port is already allocated";
const HOW: &str = "free the port, or have a resource modifier take it out of the service \
     (--resource-modifiers-file)";

/// Refuses the Services that could not be made, as another one holds a port that they must have; one that
/// is there is left as it is then.
///
/// Those of a mapped namespace give way instead, when they are prepared.
pub(super) fn refuse(ready: &Ready, plan: &mut Plan<'_>) -> Result<(), Error> {
    let services = GroupResource::core("services");
    let Plan { rows, preparation, .. } = plan;
    let wanted = |row: &&mut Row<'_>| {
        let makes = matches!(row.verdict, Verdict::Create | Verdict::Recreate);
        *row.entry.resource() == services && makes
    };
    for row in rows.iter_mut().filter(wanted) {
        let id = row.entry.id();
        let object = select::object(ready, row.entry)?;
        let service = Value::Object(prepare::prepare(&id, object, preparation).object);
        let mut ports = ports_of(&service).into_iter();
        let held = ports.find_map(|port| Some((port, preparation.holder(&id, port)?.to_owned())));
        if let Some((port, holder)) = held {
            let taken = format!("node port {port} is taken by service {holder}");
            row.more_mut().hint = Some(HOW);
            match row.verdict {
                Verdict::Recreate => {
                    let reason = format!("{}; not recreated: {taken}", row.reason());
                    row.decide(Verdict::Differs, reason);
                }
                _ => row.decide(Verdict::Refuse, taken),
            }
        }
    }
    Ok(())
}

/// Creates an object. A Service whose node port was taken meanwhile gives way with it, if it may.
/// <https://github.com/vmware-tanzu/velero/issues/2308>
pub(super) async fn create(
    execution: &Execution<'_>,
    row: &Row<'_>,
    kind: &Kind,
    id: &ItemId,
    object: &mut Cow<'_, Object>,
) -> Result<Option<Created>, Cause> {
    let creation = Creation { mark: Some(prepare::RESTORE_UID_LABEL), ..Creation::default() };
    let mut given = Vec::new();
    loop {
        let cluster = &execution.context.cluster;
        let created = cluster.create(kind, id.namespace.as_deref(), object, &creation).await;
        let taken = match &created {
            Err(error) if !error.is_unreachable() => taken(id, object, error),
            _ => Vec::new(),
        };
        if !taken.is_empty() && !may_give_way(execution, row) {
            return say_who(execution, kind, id, &taken, created).await;
        }
        if taken.is_empty() {
            if matches!(created, Ok(Created::Created(_))) {
                warn(execution, id, &given);
            }
            return execution.settle(created, id);
        }
        for port in &taken {
            give_up(object.to_mut(), *port);
        }
        given.extend(taken);
    }
}

/// A clone may: nobody reaches it by that port yet. All ports are kept only where that is asked for.
///
/// One that was deleted to be made anew must: else there would be none at all.
fn may_give_way(execution: &Execution<'_>, row: &Row<'_>) -> bool {
    if row.verdict == Verdict::Recreate {
        return true;
    }
    let preparation = &execution.plan.preparation;
    let is_mapped = row.entry.namespace().is_some_and(|it| preparation.is_mapped(it));
    is_mapped && !preparation.preserve_node_ports
}

/// The ports of this Service that a refusal names as taken.
fn taken(id: &ItemId, object: &Object, error: &cluster::Error) -> Vec<i64> {
    let message = chain(error);
    if id.resource != GroupResource::core("services") || !message.contains(TAKEN) {
        return Vec::new();
    }
    let names = |port: &i64| message.contains(&format!("{port}: {TAKEN}"));
    let mut ports = ports_of(&Value::Object(object.clone()));
    ports.retain(names);
    ports
}

/// Leaves a port to the cluster.
pub(super) fn give_up(service: &mut Object, port: i64) {
    let is_it = |value: Option<&Value>| value.and_then(Value::as_i64) == Some(port);
    for entry in maps_at_mut(service, &["spec", "ports"]) {
        if is_it(entry.get("nodePort")) {
            entry.remove("nodePort");
        }
    }
    let health_check = ["spec", "healthCheckNodePort"];
    if is_it(at(service, &health_check)) {
        remove(service, &health_check);
    }
}

fn warn(execution: &Execution<'_>, id: &ItemId, given: &[i64]) {
    for port in given {
        let message = format!("node port {port} was taken meanwhile: it has a free one instead");
        execution.journal.warn(Problem::of_item(id, "create", message));
    }
}

/// Reports who has the ports that this Service must have.
async fn say_who(
    execution: &Execution<'_>,
    kind: &Kind,
    id: &ItemId,
    ports: &[i64],
    refusal: Result<Created, cluster::Error>,
) -> Result<Option<Created>, Cause> {
    let Err(refusal) = refusal else { return Ok(None) };
    let pages = execution.context.cluster.list(kind, &ListScope::default());
    let pages: Result<Vec<_>, cluster::Error> = pages.map_ok(|page| page.items).try_collect().await;
    let services = match pages {
        Ok(pages) => pages.into_iter().flatten(),
        Err(error) if error.is_unreachable() => return Err(error.into()),
        Err(_) => return execution.settle(Err(refusal), id),
    };
    let mut said = Vec::new();
    for listed in services {
        let service = serde_json::from_slice(&listed.json).unwrap_or_default();
        let namespace = listed.meta.namespace.unwrap_or_default();
        for port in ports_of(&service).into_iter().filter(|port| ports.contains(port)) {
            let name = &listed.meta.name;
            said.push(format!("node port {port} is taken by service {namespace}/{name}"));
        }
    }
    if said.is_empty() {
        return execution.settle(Err(refusal), id);
    }
    let problem = Problem::of_item(id, "create", said.join(", "));
    execution.journal.error(problem.with_hint(HOW).with_status(refusal.status()));
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::object;
    use super::*;

    fn refused(message: &str) -> cluster::Error {
        let (request, message) = ("create services".to_owned(), message.to_owned());
        cluster::Error::Api { request, code: 422, reason: "Invalid".to_owned(), message }
    }

    #[test]
    fn of_several_ports_those_are_given_up_that_the_refusal_names() {
        let mut service = object(json!({"spec": {"healthCheckNodePort": 32000, "ports": [
            {"name": "a", "nodePort": 30080}, {"name": "b", "nodePort": 30081}]}}));
        let id = "services/copy/web".parse().unwrap();
        let one = "Service \"web\" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided \
             port is already allocated";
        assert_eq!(taken(&id, &service, &refused(one)), [30080]);
        let health = "failed to allocate requested HealthCheck NodePort 32000: provided port is \
             already allocated";
        assert_eq!(taken(&id, &service, &refused(health)), [32000]);
        assert_eq!(taken(&id, &service, &refused("quota exceeded")), [0_i64; 0]);
        let claim = "persistentvolumeclaims/copy/web".parse().unwrap();
        assert_eq!(taken(&claim, &service, &refused(one)), [0_i64; 0]);
        give_up(&mut service, 30080);
        give_up(&mut service, 32000);
        let left = json!({"spec": {"ports": [{"name": "a"}, {"name": "b", "nodePort": 30081}]}});
        assert_eq!(Value::Object(service), left);
    }
}

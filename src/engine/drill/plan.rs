//! What a drill would do, told object by object, and what it needs to be allowed for that.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use bowline_api::{GroupResource, Operation};

use super::error::Error;
use super::order::{self, Order};
use super::request::Request;
use super::scratch::REMARK;
use crate::engine::context::{Access, Context, Right, rights};
use crate::engine::event::{Event, Observer};
use crate::engine::model::drill::DrillRecord;
use crate::engine::report::Problem;
use crate::engine::restore::{self, DryRun, PlanFooter, PlanHeader, PlanReader, PlannedItem};

/// Shows what a drill would restore, object by object; changes nothing.
pub async fn plan(
    context: &Context,
    request: &Request,
    reader: &mut dyn PlanReader,
) -> Result<PlanFooter, Error> {
    let order = order::order(context, request).await?;
    tell(context, &order, reader).await
}

/// Refuses what this user could not make, or not take down again.
pub(super) async fn require_rights(context: &Context, order: &Order) -> Result<(), Error> {
    let mut missing = Missing::default();
    let observer = Arc::new(Unwarned(Arc::clone(&context.observer)));
    let context = Context { observer, ..context.clone() };
    tell(&context, order, &mut missing).await?;
    match missing.0 {
        missing if missing.is_empty() => Ok(()),
        missing => Err(Error::NotAllowed { missing }),
    }
}

async fn tell(
    context: &Context,
    order: &Order,
    reader: &mut dyn PlanReader,
) -> Result<PlanFooter, Error> {
    let own = own_rights(context, &order.record).await;
    let mut reader = WithRights { own, reader };
    let planned = restore::dry_run(context, &order.restore, DryRun::Client, &mut reader);
    Ok(Box::pin(planned).await?)
}

/// What a drill needs to be allowed beside its restore.
async fn own_rights(context: &Context, record: &DrillRecord) -> Vec<Right> {
    let mut rights = rights::of_cluster(context, accesses()).await;
    let providers: BTreeSet<&str> =
        record.volumes.iter().map(|volume| volume.provider.provider.as_str()).collect();
    for provider in providers {
        if let Some(snapshotter) = context.snapshotters.of_provider(provider) {
            rights.extend(rights::of_provider(snapshotter, Operation::TakeDown, None).await);
        }
    }
    rights
}

fn accesses() -> BTreeSet<Access> {
    let namespaces = GroupResource::core("namespaces");
    let volumes = GroupResource::core("persistentvolumes");
    let claims = GroupResource::core("persistentvolumeclaims");
    let quotas = GroupResource::core("resourcequotas");
    let policies = GroupResource::new("networking.k8s.io", "networkpolicies");
    let needed = [
        (namespaces, &["create", "get", "delete"][..]),
        (volumes, &["list", "get", "patch", "delete"]),
        (claims, &["get"]),
        (quotas, &["create", "get"]),
        (policies, &["create"]),
    ];
    let accesses = needed.into_iter().flat_map(|(resource, verbs)| {
        verbs.iter().map(move |verb| Access { verb, resource: resource.clone(), namespace: None })
    });
    accesses.collect()
}

/// Reads the plan of the restore as that of the drill.
struct WithRights<'r> {
    own: Vec<Right>,
    reader: &'r mut dyn PlanReader,
}

impl PlanReader for WithRights<'_> {
    fn begin(&mut self, mut header: PlanHeader) -> io::Result<()> {
        self.own.retain(|right| !header.rights.contains(right));
        header.rights.append(&mut self.own);
        header.warnings.push(Problem::of_run("isolate", REMARK));
        self.reader.begin(header)
    }

    fn item(&mut self, item: PlannedItem) -> io::Result<()> {
        self.reader.item(item)
    }
}

/// Passes on all but warnings: the restore, which makes the same plan, tells them.
struct Unwarned(Arc<dyn Observer>);

impl Observer for Unwarned {
    fn observe(&self, event: &Event<'_>) {
        if !matches!(event, Event::Warning(_)) {
            self.0.observe(event);
        }
    }
}

/// Of a plan, what is not allowed; its objects are not kept.
#[derive(Default)]
struct Missing(Vec<Right>);

impl PlanReader for Missing {
    fn begin(&mut self, header: PlanHeader) -> io::Result<()> {
        self.0 = Right::missing(&header.rights);
        Ok(())
    }

    fn item(&mut self, _: PlannedItem) -> io::Result<()> {
        Ok(())
    }
}

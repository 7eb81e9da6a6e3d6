//! The engine: one method per operation.

use super::backup;
use super::context::Context;
use super::delete::{self, DeleteReport};
use super::report::{BackupReport, RestoreReport};
use super::restore;
use super::verify::{self, VerifyReport};

/// All that bowline does, over what it works with.
#[derive(Clone, Debug)]
pub struct Engine {
    context: Context,
}

impl Engine {
    /// An engine over a cluster, a location and their plugins.
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    /// Decides what a backup would hold; writes nothing.
    pub async fn plan_backup(
        &self,
        request: &backup::Request,
    ) -> Result<backup::Plan, backup::Error> {
        backup::plan(&self.context, request).await
    }

    /// Makes a backup.
    pub async fn create_backup(
        &self,
        request: &backup::Request,
    ) -> Result<BackupReport, backup::Error> {
        backup::create(&self.context, request).await
    }

    /// Decides what a restore would do; changes nothing.
    pub async fn plan_restore(
        &self,
        request: &restore::Request,
    ) -> Result<restore::PlanDocument, restore::Error> {
        let mut plan = restore::PlanDocument::default();
        let footer = self.show_restore(request, restore::DryRun::Client, &mut plan).await?;
        plan.end(footer);
        Ok(plan)
    }

    /// Decides what a restore would do and shows it, object by object; changes nothing.
    pub async fn show_restore(
        &self,
        request: &restore::Request,
        how: restore::DryRun,
        reader: &mut dyn restore::PlanReader,
    ) -> Result<restore::PlanFooter, restore::Error> {
        Box::pin(restore::dry_run(&self.context, request, how, reader)).await
    }

    /// Tells what the cluster has more, less or otherwise than a backup; changes nothing.
    pub async fn compare_backup(
        &self,
        name: &str,
        filter: &restore::diff::Filter,
        reader: &mut dyn restore::diff::DiffReader,
    ) -> Result<restore::diff::DiffFooter, restore::Error> {
        restore::diff::cluster(&self.context, name, filter, reader).await
    }

    /// Restores a backup.
    pub async fn create_restore(
        &self,
        request: &restore::Request,
    ) -> Result<RestoreReport, restore::Error> {
        Box::pin(restore::create(&self.context, request)).await
    }

    /// Sees whether a backup can be restored; writes nothing.
    pub async fn verify_backup(
        &self,
        name: &str,
        level: verify::Level,
    ) -> Result<VerifyReport, verify::Error> {
        let Context { store, snapshotters, observer, .. } = &self.context;
        verify::backup(store, snapshotters, observer, name, level).await
    }

    /// Deletes a backup, snapshots included.
    pub async fn delete_backup(
        &self,
        request: delete::Request<'_>,
    ) -> Result<DeleteReport, delete::Error> {
        let Context { store, snapshotters, observer, clock, .. } = &self.context;
        delete::backup(store, snapshotters, observer, *clock, request).await
    }
}

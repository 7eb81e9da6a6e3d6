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
        restore::dry_run(&self.context, request).await
    }

    /// Restores a backup.
    pub async fn create_restore(
        &self,
        request: &restore::Request,
    ) -> Result<RestoreReport, restore::Error> {
        restore::create(&self.context, request).await
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

//! One backup from its first key to its last.

use std::sync::Arc;

use async_trait::async_trait;
use bowline_api::{StoreError, Upload};
use bytes::Bytes;
use futures::channel::mpsc::unbounded;
use jiff::Timestamp;
use uuid::Uuid;

use super::error::{Cause, Error};
use super::preflight::{self, Ready, Request};
use super::volumes::{self, Outcome, Work};
use super::{collect, commit, replace};
use crate::engine::archive::Writer;
use crate::engine::context::Context;
use crate::engine::event::Stage;
use crate::engine::journal::Journal;
use crate::engine::model::backup::Attempt;
use crate::engine::report::BackupReport;
use crate::engine::store::{self, BackupKeys, SideFile};

/// Makes a backup.
///
/// A problem with one object or volume is data in the report; an error means that there is no
/// backup, and only [`Error::Broken`] that anything was written.
pub async fn create(context: &Context, request: &Request) -> Result<BackupReport, Error> {
    let subject = format!("backup=velero/{}", request.name);
    let journal = Arc::new(Journal::new(Arc::clone(&context.observer), context.clock, subject));
    journal.stage(Stage::Preflight);
    let ready = preflight::check(context, request).await?;
    if ready.replaces {
        clear_earlier(context, &journal, &request.name).await?;
    }
    let attempt = begin(context, request, &ready).await?;
    match run(context, request, &journal, &ready, &attempt).await {
        Ok(report) => Ok(report),
        Err(source) => Err(broken(context, &request.name, source).await),
    }
}

async fn clear_earlier(context: &Context, journal: &Journal, name: &str) -> Result<(), Error> {
    let broken = |source| Error::Broken { cleared: false, source: Box::new(source) };
    let problems = replace::clear(context, name).await.map_err(broken)?;
    let incomplete = !problems.is_empty();
    for problem in problems {
        journal.error(problem);
    }
    if incomplete {
        Err(Error::Incomplete { name: name.to_owned(), started: None })
    } else {
        Ok(())
    }
}

/// Writes the attempt's record: the first key, which reserves the name.
async fn begin(context: &Context, request: &Request, ready: &Ready) -> Result<Attempt, Error> {
    let attempt = Attempt {
        name: request.name.clone(),
        uid: Uuid::new_v4().to_string(),
        cluster_uid: ready.cluster_uid.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        start_timestamp: context.clock.now(),
    };
    let file =
        SideFile::json(BackupKeys(&request.name).attempt(), &attempt).map_err(Error::Location)?;
    match context.store.create(&file).await {
        Ok(()) => Ok(attempt),
        Err(error) if error.is_already_exists() => Err(Error::NameInUse {
            name: request.name.clone(),
            location: context.store.url().to_owned(),
        }),
        // With the earlier attempt cleared, it is not true any more that nothing was touched.
        Err(error) if ready.replaces => {
            Err(Error::Broken { cleared: true, source: Box::new(error.into()) })
        }
        Err(error) => Err(Error::Location(error)),
    }
}

async fn run(
    context: &Context,
    request: &Request,
    journal: &Arc<Journal>,
    ready: &Ready,
    attempt: &Attempt,
) -> Result<BackupReport, Cause> {
    journal.stage(Stage::Collecting);
    let upload = context.store.start_archive(&request.name).await?;
    let upload = Box::new(Counted { upload, journal: Arc::clone(journal) });
    let writer = Writer::new(upload, attempt.start_timestamp, context.limits.compressing);
    let (sender, claims) = unbounded();
    let work = Work { context, journal, request, ready, uid: &attempt.uid };
    let collection = async {
        let collected = collect::collect(context, journal, ready, writer, sender).await?;
        journal.stage(Stage::Snapshots);
        Ok::<_, Cause>(collected)
    };
    let snapshots = async { Ok(volumes::snapshot_all(&work, claims).await) };
    let (collected, mut volumes) = futures::try_join!(collection, snapshots)?;
    volumes.sort_by(|a, b| order(a).cmp(&order(b)));
    journal.stage(Stage::Committing);
    let commit = commit::Commit { context, request, journal, ready, attempt, volumes: &volumes };
    commit.write(collected).await
}

fn order(outcome: &Outcome) -> (&Option<String>, &Option<String>) {
    (&outcome.report.namespace, &outcome.report.claim)
}

/// Removes what a run that broke off had made, as far as that is possible.
async fn broken(context: &Context, name: &str, source: Cause) -> Error {
    let ours = !matches!(source, Cause::Replaced);
    let cleared =
        ours && matches!(replace::clear(context, name).await, Ok(left) if left.is_empty());
    Error::Broken { cleared, source: Box::new(source) }
}

/// Tells how many bytes were uploaded.
#[derive(Debug)]
struct Counted {
    upload: Box<dyn Upload>,
    journal: Arc<Journal>,
}

#[async_trait]
impl Upload for Counted {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let count = bytes.len() as u64;
        self.upload.write(bytes).await?;
        self.journal.bytes(count);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        self.upload.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        self.upload.abort().await
    }
}

/// When a backup with this time to live expires.
pub(super) fn expiration(start: Timestamp, ttl: Option<std::time::Duration>) -> Option<Timestamp> {
    start.checked_add(ttl?).ok()
}

/// Checks that no other run took the attempt's place.
pub(super) async fn still_ours(context: &Context, attempt: &Attempt) -> Result<(), Cause> {
    match context.store.json::<Attempt>(&BackupKeys(&attempt.name).attempt()).await {
        Ok(found) if found.uid == attempt.uid => Ok(()),
        Ok(_) | Err(store::Error::Store(StoreError::NotFound { .. })) => Err(Cause::Replaced),
        Err(error) => Err(error.into()),
    }
}

//! One backup from its first key to its last.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use bowline_api::{StoreError, Upload};
use bytes::Bytes;
use futures::channel::mpsc::unbounded;
use futures::future::{Either, select};
use jiff::Timestamp;
use uuid::Uuid;

use super::asked::Asked;
use super::collect::{self, Outlets};
use super::error::{Cause, Error};
use super::finish::{self, Tools};
use super::halt::Halt;
use super::last_word::unless_ended;
use super::pending::{self as record, Filed, Pending};
use super::preflight::{self, Ready, Replaced, Request};
use super::replace::Remains;
use super::rights;
use super::start::{Work, start_all};
use crate::engine::archive::Writer;
use crate::engine::context::Context;
use crate::engine::context::hooks::Tally;
use crate::engine::event::Stage;
use crate::engine::journal::Journal;
use crate::engine::model::backup::Attempt;
use crate::engine::report::BackupReport;
use crate::engine::store::{BackupKeys, RunningLog, SideFile};

/// Makes a backup.
///
/// A problem with one object or volume is data in the report; an error means that there is no
/// backup, and only [`Error::Broken`] and [`Error::Unfinished`] that anything was written.
pub async fn create(context: &Context, request: &Request) -> Result<BackupReport, Error> {
    create_unless(context, request, pending()).await
}

/// Makes a backup, unless it is called off before its archive is whole.
pub async fn create_unless(
    context: &Context,
    request: &Request,
    called_off: impl Future<Output = ()>,
) -> Result<BackupReport, Error> {
    let (observer, clock) = (Arc::clone(&context.observer), context.clock);
    let journal = Arc::new(Journal::of_backup(observer, clock, &request.name));
    journal.stage(Stage::Preflight);
    let ready = Box::pin(preflight::check(context, request)).await?;
    Box::pin(rights::require(context, &ready)).await?;
    if let Some(replaced) = &ready.replaces {
        clear_earlier(context, &journal, &request.name, replaced).await?;
    }
    let attempt = begin(context, request, &ready).await?;
    let (asked, tally) = (Asked::default(), Tally::default());
    let run = Run {
        context,
        request,
        journal: &journal,
        ready: &ready,
        attempt: &attempt,
        asked: &asked,
        tally: &tally,
    };
    let log = RunningLog::of_backup(&context.store, &journal, &attempt.name, &attempt.uid);
    let gathered = run.gather(called_off);
    match Box::pin(unless_ended(&context.holds, &journal, &log, gathered)).await {
        Ok(pending) => {
            let volumes = pending.document.volumes.iter().map(|it| it.report.clone()).collect();
            finish::complete(&Tools::of(context), &journal, &log, &pending, volumes).await
        }
        // There is no time to clear anything, and its log stays to be read.
        Err(source) if context.holds.is_closed() => {
            Err(Error::Broken { cleared: false, source: Box::new(source) })
        }
        Err(source) => Err(Box::pin(run.broken(source, &log)).await),
    }
}

async fn clear_earlier(
    context: &Context,
    journal: &Journal,
    name: &str,
    Replaced(uid): &Replaced,
) -> Result<(), Error> {
    let problems = match Remains::of(context, name, uid.as_deref()).clear().await {
        Ok(problems) => problems,
        // Cleared by somebody else meanwhile; or another's by now, as writing the record will tell.
        Err(Cause::Replaced) => return Ok(()),
        Err(source) => return Err(Error::Broken { cleared: false, source: Box::new(source) }),
    };
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
        Err(error) if ready.replaces.is_some() => {
            Err(Error::Broken { cleared: true, source: Box::new(error.into()) })
        }
        Err(error) => Err(Error::Location(error)),
    }
}

/// A run from the attempt's record to the archive.
pub(super) struct Run<'a> {
    pub context: &'a Context,
    pub request: &'a Request,
    pub journal: &'a Arc<Journal>,
    pub ready: &'a Ready,
    pub attempt: &'a Attempt,
    pub asked: &'a Asked,
    pub tally: &'a Tally,
}

impl Run<'_> {
    /// Writes the archive and starts the snapshots, until the backup can be finished by anybody.
    async fn gather(&self, called_off: impl Future<Output = ()>) -> Result<Filed<Pending>, Cause> {
        let Self { context, request, journal, ready, attempt, asked, tally } = *self;
        journal.stage(Stage::Collecting);
        ready.unknown_hooks.iter().cloned().for_each(|problem| journal.error(problem));
        let upload = context.store.start_archive(&request.name).await?;
        let upload = Box::new(Counted { upload, journal: Arc::clone(journal) });
        let writer = Writer::new(upload, attempt.start_timestamp, context.limits.compressing);
        let (sender, claims) = unbounded();
        let halt = Halt::default();
        let work = Work { context, journal, request, ready, attempt, asked, halt: &halt, tally };
        let outlets = Outlets { writer, claims: sender };
        let called_off = async {
            tokio::select! {
                () = called_off => {}
                () = halt.called() => {}
            }
        };
        let collection = pin!(collect::collect(context, journal, ready, outlets, called_off));
        let snapshots = pin!(start_all(&work, claims));
        let (collected, volumes) = match select(collection, snapshots).await {
            Either::Left((Ok(collected), snapshots)) => (collected, snapshots.await?),
            Either::Left((Err(cause), snapshots)) => {
                halt.call();
                // It is interrupted, too, where the snapshots cannot go on.
                let first = snapshots.await.err().filter(|_| matches!(cause, Cause::Interrupted));
                return Err(first.unwrap_or(cause));
            }
            Either::Right((Ok(volumes), collection)) => (collection.await?, volumes),
            Either::Right((Err(cause), collection)) => {
                halt.call();
                drop(collection.await);
                return Err(cause);
            }
        };
        record::write(self, collected, volumes).await
    }

    /// Removes what this run had made, as far as that is possible, and nothing of another's.
    async fn broken(&self, source: Cause, log: &RunningLog<'_>) -> Error {
        let remains = Remains::of(self.context, &self.attempt.name, Some(&self.attempt.uid));
        let left = match remains.clear().await {
            Err(Cause::Replaced) => {
                log.close().await;
                remains.clear_late(&self.asked.providers().await).await
            }
            other => other,
        };
        let cleared = left.is_ok_and(|left| left.is_empty());
        Error::Broken { cleared, source: Box::new(source) }
    }
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

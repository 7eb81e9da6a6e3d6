//! Large objects, written in parts.
//!
//! Memory: one part that fills up, and [`IN_FLIGHT`] on their way.

use std::sync::Arc;

use async_trait::async_trait;
use bowline_api::{StoreError, Upload};
use bytes::Bytes;
use futures::TryFutureExt as _;
use tokio::task::JoinSet;

use super::client::Client;
use super::error::{Fault, Kind};
use super::parts::Cutter;
use super::retry::Failure;
use super::session::{Part, Session};
use super::{read, write};

/// How many parts are sent at once.
const IN_FLIGHT: usize = 2;

/// Starts to write an object whose key does not exist.
pub(super) async fn start(client: Arc<Client>, key: &str) -> Result<Box<dyn Upload>, StoreError> {
    match read::head(&client, key).await {
        Ok(_) => Err(StoreError::AlreadyExists { key: key.to_owned() }),
        Err(failure) if failure.kind() == Kind::NoObject => Ok(Box::new(S3Upload {
            client,
            key: key.to_owned(),
            cutter: Cutter::default(),
            multipart: None,
            broken: false,
        })),
        Err(failure) => Err(client.refused("write", key, failure)),
    }
}

/// An object on its way into a bucket.
///
/// What fits in one part is written at once at the end. All else is a multipart upload, which is
/// aborted on every way out, see [`Session`].
#[derive(Debug)]
struct S3Upload {
    client: Arc<Client>,
    key: String,
    cutter: Cutter,
    multipart: Option<Multipart>,
    broken: bool,
}

/// Parts on their way. Dropped unfinished, it has what was sent discarded.
#[derive(Debug)]
struct Multipart {
    tasks: JoinSet<Result<Part, Failure>>,
    session: Arc<Session>,
    sent: Vec<Part>,
    started: i32,
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), StoreError> {
        self.check()?;
        while !bytes.is_empty() {
            if let Some(part) = self.cutter.cut(&mut bytes) {
                self.broken = true;
                self.send(part).await?;
                self.broken = false;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StoreError> {
        self.check()?;
        let rest = self.cutter.rest();
        if self.multipart.is_none() {
            return write::create(&self.client, &self.key, rest).await;
        }
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        let Some(mut multipart) = self.multipart.take() else { return Ok(()) };
        if let Err(failure) = multipart.wait_for_all().await {
            return Err(self.give_up(multipart, failure).await);
        }
        let sent = std::mem::take(&mut multipart.sent);
        multipart.session.complete(sent).await
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        match self.multipart.take() {
            Some(mut multipart) => {
                multipart.tasks.shutdown().await;
                let refused =
                    |failure| self.client.refused("abort the upload of", &self.key, failure);
                multipart.session.abort().map_err(refused).await
            }
            None => Ok(()),
        }
    }
}

impl S3Upload {
    /// Nothing can be added to an upload that was given up.
    fn check(&self) -> Result<(), StoreError> {
        if !self.broken {
            return Ok(());
        }
        let fault = Fault::new(Kind::Other, "an earlier part could not be written".to_owned());
        Err(self.client.refused("write", &self.key, Failure { fault, ambiguous: false }))
    }

    /// Sends a part once there is room for it.
    async fn send(&mut self, part: Bytes) -> Result<(), StoreError> {
        let mut multipart = match self.multipart.take() {
            Some(multipart) => multipart,
            None => Multipart::start(&self.client, &self.key)
                .await
                .map_err(|failure| self.client.refused("write", &self.key, failure))?,
        };
        match multipart.send(part).await {
            Ok(()) => {
                self.multipart = Some(multipart);
                Ok(())
            }
            Err(failure) => Err(self.give_up(multipart, failure).await),
        }
    }

    /// Clears what a failed upload left. That it could not be cleared is not what went wrong first.
    async fn give_up(&self, mut multipart: Multipart, failure: Failure) -> StoreError {
        multipart.tasks.shutdown().await;
        drop(multipart.session.abort().await);
        self.client.refused("write", &self.key, failure)
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        self.tasks.abort_all();
        self.session.abort_behind();
    }
}

impl Multipart {
    async fn start(client: &Arc<Client>, key: &str) -> Result<Self, Failure> {
        let session = Arc::new(Session::start(Arc::clone(client), key).await?);
        Ok(Self { tasks: JoinSet::new(), session, sent: Vec::new(), started: 0 })
    }

    async fn send(&mut self, part: Bytes) -> Result<(), Failure> {
        while self.tasks.len() >= IN_FLIGHT {
            self.wait_for_one().await?;
        }
        self.started += 1;
        let (session, number) = (Arc::clone(&self.session), self.started);
        self.tasks.spawn(async move { session.send(number, part).await });
        Ok(())
    }

    async fn wait_for_all(&mut self) -> Result<(), Failure> {
        while !self.tasks.is_empty() {
            self.wait_for_one().await?;
        }
        Ok(())
    }

    async fn wait_for_one(&mut self) -> Result<(), Failure> {
        match self.tasks.join_next().await {
            None => {}
            Some(Ok(part)) => self.sent.push(part?),
            Some(Err(lost)) => return Err(Failure::other(format!("a part was given up: {lost}"))),
        }
        Ok(())
    }
}

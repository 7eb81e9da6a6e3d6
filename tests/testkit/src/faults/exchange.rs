//! One request on its way through the proxy.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};
use bytes::Bytes;
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::time::sleep;

use super::call::{Call, Service};
use super::fate::Fates;
use super::reply::{self, Body};
use super::rule::{Fault, Injected};
use crate::http_client;

/// What all requests of one proxy share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) service: Service,
    /// Where the server listens.
    pub(super) upstream: String,
    pub(super) state: Mutex<State>,
}

/// What a test asks about, and changes.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) calls: Vec<Call>,
    pub(super) rules: Vec<Injected>,
    pub(super) fates: Fates,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request; an error ends the connection without a reply.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>> {
        let (request, body) = request.into_parts();
        let (form, body) = match self.service {
            Service::S3 => (Bytes::new(), body.boxed_unsync()),
            Service::Ec2 => {
                let form = body.collect().await?.to_bytes();
                (form.clone(), Full::new(form).map_err(|never| match never {}).boxed_unsync())
            }
        };
        let call = Call::new(self.service, &request, &form);
        let (number, injected) = self.note(call.clone());
        let method = request.method.clone();
        let reply = self.respond(&call, injected.as_ref(), request, body).await?;
        let fault = injected.as_ref().map(|injected| &injected.rule.fault);
        if matches!(fault, Some(Fault::LoseReply)) {
            bail!("the reply is lost");
        }
        if let Some(noted) = self.state().calls.get_mut(number) {
            noted.status = Some(reply.status().as_u16());
        }
        Ok(match fault {
            Some(Fault::Truncate) => reply::truncated(reply),
            _ => reply::whole(&method, reply),
        })
    }

    /// Notes a call and finds the first rule that strikes it.
    fn note(&self, call: Call) -> (usize, Option<Injected>) {
        let mut state = self.state();
        let injected = state.rules.iter().find(|rule| rule.strikes(&call)).cloned();
        state.calls.push(call);
        (state.calls.len() - 1, injected)
    }

    async fn respond(
        &self,
        call: &Call,
        injected: Option<&Injected>,
        request: Parts,
        body: UnsyncBoxBody<Bytes, hyper::Error>,
    ) -> Result<Response<Bytes>> {
        let fault = injected.map(|injected| &injected.rule.fault);
        let refused = fault.and_then(|fault| reply::refusal(self.service, call, fault));
        if let Some(reply) = refused.or_else(|| self.refused_by_fate(call)) {
            // A client that is still sending would miss the reply.
            drain(body).await?;
            return Ok(reply);
        }
        match (fault, injected) {
            (Some(Fault::Delay(time)), _) => sleep(*time).await,
            (Some(Fault::Hold), Some(injected)) => injected.released().await,
            _ => {}
        }
        let reply = self.pass_on(call, request, body).await?;
        if let (Some(Fault::HoldReply), Some(injected)) = (fault, injected) {
            injected.released().await;
        }
        Ok(reply)
    }

    fn refused_by_fate(&self, call: &Call) -> Option<Response<Bytes>> {
        let (status, code) = self.state().fates.refuse(call)?;
        Some(reply::error(self.service, call, status, code))
    }

    async fn pass_on(
        &self,
        call: &Call,
        request: Parts,
        body: UnsyncBoxBody<Bytes, hyper::Error>,
    ) -> Result<Response<Bytes>> {
        let request = Request::from_parts(request, body);
        let mut reply = http_client::send(&self.upstream, request).await?;
        for header in [CONNECTION, TRANSFER_ENCODING] {
            reply.headers_mut().remove(header);
        }
        if self.service == Service::S3 || !reply.status().is_success() {
            return Ok(reply);
        }
        let fates = &mut self.state().fates;
        Ok(reply.map(|body| fates.rewrite(call, &String::from_utf8_lossy(&body)).into()))
    }
}

async fn drain(mut body: UnsyncBoxBody<Bytes, hyper::Error>) -> Result<()> {
    while let Some(frame) = body.frame().await {
        drop(frame?);
    }
    Ok(())
}

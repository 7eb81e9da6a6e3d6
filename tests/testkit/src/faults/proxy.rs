//! The proxy, and how a test speaks to it.

use std::net::{Ipv4Addr, TcpListener as StdTcpListener};
use std::sync::Arc;

use anyhow::Result;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::call::{Call, Service};
use super::exchange::{Shared, State};
use super::fate::Fate;
use super::rule::{Fault, Injected, Rule};
use crate::background::Background;

/// The codes of the quotas of EC2, by the call that runs into them.
const QUOTAS: [(&str, &str); 2] =
    [("CreateSnapshot", "SnapshotLimitExceeded"), ("CreateVolume", "VolumeLimitExceeded")];

/// A proxy in front of an S3 or EC2 server; dropping it ends it.
#[derive(Debug)]
pub struct FaultProxy {
    _background: Background,
    shared: Arc<Shared>,
    port: u16,
}

impl FaultProxy {
    /// Starts one in front of the server at this endpoint.
    pub fn start(service: Service, endpoint: &str) -> Result<Self> {
        let listener = StdTcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let upstream = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let shared = Arc::new(Shared { service, upstream, state: State::default().into() });
        let serving = Arc::clone(&shared);
        let background = Background::start("proxy", move || serve(listener, serving))?;
        Ok(Self { _background: background, shared, port })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every call since the start, or since [`Self::forget_calls`], in the order of their coming.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.clone()
    }

    /// The calls of one kind.
    pub fn calls_of(&self, kind: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.kind == kind).collect()
    }

    /// Forgets all calls; none may be under way.
    pub fn forget_calls(&self) {
        self.shared.state().calls.clear();
    }

    /// Lets something go wrong from now on. Of several rules that match a call, the first strikes.
    pub fn inject(&self, rule: Rule) -> Injected {
        let injected = Injected::new(rule);
        self.shared.state().rules.push(injected.clone());
        injected
    }

    /// Refuses calls of a kind after so many, as a quota does.
    pub fn quota(&self, kind: &str, count: usize) -> Injected {
        let code = QUOTAS.iter().find(|(quota, _)| *quota == kind).map(|(_, code)| *code);
        let fault = Fault::error(400, code.unwrap_or("ResourceLimitExceeded"));
        self.inject(Rule::new(kind, fault).after(count).except_dry_runs())
    }

    /// What becomes of snapshots that are made from now on.
    pub fn let_snapshots_be(&self, fate: Fate) {
        self.shared.state().fates.snapshots = fate;
    }

    /// What becomes of volumes that are made from now on.
    pub fn let_volumes_be(&self, fate: Fate) {
        self.shared.state().fates.volumes = fate;
    }

    /// How many snapshots may be pending at a time.
    pub fn limit_pending_snapshots(&self, limit: usize) {
        self.shared.state().fates.pending_snapshots = Some(limit);
    }

    /// Makes everything ready that is held or takes its time, and what is made from now on.
    pub fn finish_all(&self) {
        self.shared.state().fates.release();
    }

    /// Ends all faults: releases what is held, drops the rules, lifts the limit.
    pub fn heal(&self) {
        let mut state = self.shared.state();
        state.rules.drain(..).for_each(|rule| rule.release());
        state.fates.release();
        state.fates.pending_snapshots = None;
    }
}

async fn serve(listener: StdTcpListener, shared: Arc<Shared>) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                connections.spawn(serve_connection(stream, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves a connection until the client ends it, or a fault does.
async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { shared.answer(request).await }
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
}

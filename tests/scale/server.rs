//! An odd API server: its objects are made when they are asked for, and it misbehaves as told.
//!
//! It holds nothing but a number for each object that it was given.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::iter;
use std::num::NonZeroU16;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline::engine::cluster::{Cluster, Options};
use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response};
use http_body_util::StreamBody;
use hyper::body::Frame;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::objects::{Served, ballast};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// The connection breaks before the server has read it.
    Lost,
    /// It is carried out, and the connection breaks before the reply.
    ReplyLost,
    /// It is carried out, and half of the reply arrives.
    ReplyCut,
    /// It is refused, and may come again after so many seconds.
    Refused(u16, Option<u64>),
    /// The list that it goes on with is too old; the server may tell how to go on.
    Expired {
        resumes: bool,
    },
}

/// A request, as far as its fate depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// How many came before it.
    pub number: u64,
    /// How many are on their way, with it.
    pub at_once: usize,
    pub method: &'a Method,
    pub path: &'a str,
}

type Decide = Box<dyn Fn(Asked<'_>) -> Fate + Send + Sync>;

/// A server that all connections share.
#[derive(Clone)]
pub(crate) struct Server(Arc<Shared>);

struct Shared {
    kinds: Vec<Served>,
    core: Bytes,
    groups: Bytes,
    decide: Decide,
    /// How long it takes for each reply.
    delay: Duration,
    /// Whether objects of odd numbers come and go with every list that expires.
    changes: bool,
    expired: AtomicUsize,
    asked: AtomicU64,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    made: Mutex<HashSet<u64>>,
    /// The labels of what was made last: those of its restore are those of all.
    labels: Mutex<Value>,
}

type Frames = Box<dyn Iterator<Item = io::Result<Frame<Bytes>>> + Send>;
type Reply = Response<StreamBody<stream::Iter<Frames>>>;

/// Where a request goes to.
struct Place<'a> {
    served: &'a Served,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
}

/// A request that is on its way, until its reply is read.
struct Underway(Arc<Shared>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.at_once.fetch_sub(1, Relaxed);
    }
}

impl Server {
    /// A server of these objects, in so many namespaces.
    pub(crate) fn new(namespaces: usize, mut kinds: Vec<Served>) -> Self {
        kinds.push(Served::cluster("namespaces", "Namespace", namespaces + 1));
        // What is made once is not counted as bowline's.
        ballast();
        let (core, groups): (Vec<_>, Vec<_>) = kinds.iter().partition(|it| it.group.is_empty());
        Self(Arc::new(Shared {
            core: discovery(&core),
            groups: discovery(&groups),
            decide: Box::new(|_| Fate::Answered),
            delay: Duration::ZERO,
            changes: false,
            expired: AtomicUsize::default(),
            asked: AtomicU64::default(),
            at_once: AtomicUsize::default(),
            most_at_once: AtomicUsize::default(),
            made: Mutex::default(),
            labels: Mutex::default(),
            kinds,
        }))
    }

    /// One that serves the same kinds and has none of their objects; with room for all of them.
    pub(crate) fn empty(&self) -> Self {
        let kinds = self.0.kinds.iter().filter(|it| it.resource != "namespaces").cloned();
        let room = kinds.clone().map(|it| it.count).sum::<usize>() * 2 + 30_000;
        let server = Self::new(0, kinds.map(|it| Served { count: 0, ..it }).collect());
        server.0.made.lock().unwrap().reserve(room);
        server
    }

    pub(crate) fn deciding(
        mut self,
        decide: impl Fn(Asked<'_>) -> Fate + Send + Sync + 'static,
    ) -> Self {
        Arc::get_mut(&mut self.0).unwrap().decide = Box::new(decide);
        self
    }

    pub(crate) fn slow(mut self, delay: Duration) -> Self {
        Arc::get_mut(&mut self.0).unwrap().delay = delay;
        self
    }

    pub(crate) fn changing(mut self) -> Self {
        Arc::get_mut(&mut self.0).unwrap().changes = true;
        self
    }

    /// A connection that sends no more than so many requests at once.
    pub(crate) fn connect(&self, max_in_flight: usize, qps: Option<NonZeroU16>) -> Cluster {
        let server = self.clone();
        let service = tower::service_fn(move |request| {
            let server = server.clone();
            async move { server.serve(request).await }
        });
        let options = Options { max_in_flight, qps, ..Options::default() };
        Cluster::from_service(service, &options)
    }

    /// How many objects were made, each under a name of its own.
    pub(crate) fn made(&self) -> usize {
        self.0.made.lock().unwrap().len()
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> u64 {
        self.0.asked.load(Relaxed)
    }

    /// The most requests that were on their way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.0.most_at_once.load(Relaxed)
    }

    /// How many lists expired.
    pub(crate) fn expired(&self) -> usize {
        self.0.expired.load(Relaxed)
    }

    /// Where every object is in an archive that was there all the time, sorted.
    pub(crate) fn archived(&self) -> Vec<String> {
        let step = if self.0.changes { 2 } else { 1 };
        let of =
            |it: &Served| (0..it.count).step_by(step).map(|n| it.archived(n)).collect::<Vec<_>>();
        let system = |path: &String| !path.ends_with("/kube-system.json");
        let mut all: Vec<String> = self.0.kinds.iter().flat_map(of).filter(system).collect();
        all.sort_unstable();
        all
    }

    async fn serve(&self, request: Request<Body>) -> io::Result<Reply> {
        let shared = &self.0;
        let at_once = shared.at_once.fetch_add(1, Relaxed) + 1;
        let underway = Underway(Arc::clone(shared));
        shared.most_at_once.fetch_max(at_once, Relaxed);
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await.map_err(io::Error::other)?;
        if !shared.delay.is_zero() {
            sleep_until(Instant::now() + shared.delay / 2).await;
            // The rest of the reply comes sooner, or later.
            let rest = u32::try_from(shared.asked.load(Relaxed) % 4).unwrap();
            sleep_until(Instant::now() + shared.delay * rest / 2).await;
        }
        let (path, query) = (head.uri.path(), query(head.uri.query().unwrap_or_default()));
        let number = shared.asked.fetch_add(1, Relaxed);
        let goes_on = query.contains_key("continue");
        let asked = Asked { number, at_once, method: &head.method, path };
        let lost = || Err(io::Error::from(io::ErrorKind::ConnectionReset));
        let fate = (shared.decide)(asked);
        if fate == Fate::Lost {
            return lost();
        }
        let (code, frames) = match fate {
            Fate::Refused(code, _) => (code, refusal(code)),
            Fate::Expired { resumes } if goes_on => {
                shared.expired.fetch_add(1, Relaxed);
                (410, expired(resumes.then(|| query["continue"])))
            }
            _ => shared.answer(&head.method, path, &query, &body),
        };
        let mut reply = Response::builder().status(code);
        if let Fate::Refused(_, Some(seconds)) = fate {
            reply = reply.header("retry-after", seconds);
        }
        let frames = match fate {
            Fate::ReplyLost => return lost(),
            Fate::ReplyCut => cut(frames),
            _ => frames,
        };
        // It is on its way for as long as its reply is read.
        let frames = frames.map(move |it| (&underway, it).1);
        let frames = frames.map(|it| it.map(Frame::data));
        let frames: Frames = Box::new(frames);
        reply.body(StreamBody::new(stream::iter(frames))).map_err(io::Error::other)
    }
}

type Pieces = Box<dyn Iterator<Item = io::Result<Bytes>> + Send>;

fn whole(text: String) -> Pieces {
    Box::new(iter::once(Ok(Bytes::from(text))))
}

fn refusal(code: u16) -> Pieces {
    whole(json!({"kind": "Status", "code": code, "message": "not now"}).to_string())
}

/// The server's own token leads on from where the list was.
fn expired(resume: Option<&str>) -> Pieces {
    whole(
        json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old",
            "metadata": {"continue": resume}})
        .to_string(),
    )
}

/// The first half, and then nothing.
fn cut(pieces: Pieces) -> Pieces {
    let mut first = pieces.take(1).filter_map(Result::ok);
    let first = first.next().unwrap_or_default();
    let half = first.slice(..first.len() / 2);
    Box::new([Ok(half), Err(io::Error::from(io::ErrorKind::UnexpectedEof))].into_iter())
}

fn query(text: &str) -> BTreeMap<&str, &str> {
    text.split('&').filter_map(|pair| pair.split_once('=')).collect()
}

fn key(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

impl Shared {
    fn answer(
        self: &Arc<Self>,
        method: &Method,
        path: &str,
        query: &BTreeMap<&str, &str>,
        body: &Bytes,
    ) -> (u16, Pieces) {
        match path {
            "/version" => {
                let version = json!({"major": "1", "minor": "35", "gitVersion": "v1.35.4"});
                return (200, whole(version.to_string()));
            }
            "/api" => return (200, Box::new(iter::once(Ok(self.core.clone())))),
            "/apis" => return (200, Box::new(iter::once(Ok(self.groups.clone())))),
            "/api/v1/nodes" => return (200, whole(json!({"items": []}).to_string())),
            _ if path.contains("authorization.k8s.io") => {
                return (201, whole(json!({"status": {"allowed": true}}).to_string()));
            }
            _ => {}
        }
        let Some(place) = self.place(path) else { return (404, refusal(404)) };
        match (method, place.name) {
            (&Method::POST, _) => self.make(path, body),
            (_, None) => (200, self.list(&place, query)),
            (_, Some(name)) => self.object(path, place.served, name),
        }
    }

    /// What a path is about: `/api/v1/namespaces/NAMESPACE/RESOURCE/NAME`, and less.
    fn place<'a>(&'a self, path: &'a str) -> Option<Place<'a>> {
        let mut parts = path.split('/').skip(1).peekable();
        let group = if parts.next()? == "api" { "" } else { parts.next()? };
        parts.next_if_eq(&"v1")?;
        let parts: Vec<&str> = parts.collect();
        let (namespace, resource, name) = match parts[..] {
            [resource] => (None, resource, None),
            ["namespaces", namespace, resource] => (Some(namespace), resource, None),
            ["namespaces", namespace, resource, name] => (Some(namespace), resource, Some(name)),
            [resource, name] => (None, resource, Some(name)),
            _ => return None,
        };
        let served = self.kinds.iter().find(|it| it.group == group && it.resource == resource)?;
        Some(Place { served, namespace, name })
    }

    fn make(&self, collection: &str, body: &Bytes) -> (u16, Pieces) {
        let object: Value = serde_json::from_slice(body).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        if !self.made.lock().unwrap().insert(key(&format!("{collection}/{name}"))) {
            let exists = json!({"kind": "Status", "code": 409, "reason": "AlreadyExists"});
            return (409, whole(exists.to_string()));
        }
        self.labels.lock().unwrap().clone_from(&object["metadata"]["labels"]);
        (201, Box::new(iter::once(Ok(body.clone()))))
    }

    fn object(&self, path: &str, served: &Served, name: &str) -> (u16, Pieces) {
        let number = served.within(None).find(|number| served.name(*number) == name);
        if let Some(number) = number {
            return (200, Box::new(served.json(number, &Value::Null).map(Ok).into_iter()));
        }
        if !self.made.lock().unwrap().contains(&key(path)) {
            return (404, whole(json!({"code": 404, "details": {"name": name}}).to_string()));
        }
        let established = json!([{"type": "Established", "status": "True"},
            {"type": "NamesAccepted", "status": "True"}]);
        let metadata = json!({"name": name, "uid": "new", "labels": *self.labels.lock().unwrap()});
        let object = json!({"metadata": metadata, "status": {"conditions": established}});
        (200, whole(object.to_string()))
    }

    /// A page, whose items are made as it is read.
    fn list(self: &Arc<Self>, place: &Place<'_>, query: &BTreeMap<&str, &str>) -> Pieces {
        let number = |key: &str| query.get(key).and_then(|it| it.parse::<usize>().ok());
        let Range { start, end } = place.served.within(place.namespace);
        let start = number("continue").unwrap_or(start).clamp(start, end);
        let here = (start..end).filter(|number| self.has(*number));
        let items: Vec<usize> = here.take(number("limit").unwrap_or(usize::MAX)).collect();
        let next = items.last().map(|last| last + 1).filter(|next| *next < end);
        let next = next.map(|it| it.to_string()).unwrap_or_default();
        let (version, kind) = (place.served.api_version(), &place.served.kind);
        let head = format!(
            r#"{{"apiVersion":"{version}","kind":"{kind}List","metadata":{{"resourceVersion":"1","continue":"{next}"}},"items":["#
        );
        let served = place.served.clone();
        let items = items.into_iter().enumerate().flat_map(move |(index, number)| {
            let comma = if index > 0 { &b","[..] } else { b"" };
            iter::once(Bytes::from_static(comma)).chain(served.json(number, &Value::Null))
        });
        let pieces = iter::once(Bytes::from(head)).chain(items);
        Box::new(pieces.chain([Bytes::from_static(b"]}")]).map(Ok))
    }

    /// Of those that come and go every other one is there, now these, now those.
    fn has(&self, number: usize) -> bool {
        let is_late = (number / 2 + self.expired.load(Relaxed)) % 2 == 1;
        !self.changes || number.is_multiple_of(2) || is_late
    }
}

/// The aggregated discovery document of some kinds.
fn discovery(kinds: &[&Served]) -> Bytes {
    let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for served in kinds {
        let scope = if served.per_namespace.is_some() { "Namespaced" } else { "Cluster" };
        groups.entry(&served.group).or_default().push(json!({
            "resource": served.resource, "scope": scope,
            "singularResource": served.kind.to_lowercase(),
            "responseKind": {"group": served.group, "version": "v1", "kind": served.kind},
            "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]}));
    }
    let items = groups.into_iter().map(|(group, resources)| {
        let version = json!({"version": "v1", "freshness": "Current", "resources": resources});
        json!({"metadata": {"name": group}, "versions": [version]})
    });
    let items: Vec<Value> = items.collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})
        .to_string()
        .into()
}

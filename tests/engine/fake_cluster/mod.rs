//! A small Kubernetes in memory: an API server with its most important controllers.

mod controllers;
mod kinds;
mod objects;
mod server;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline::engine::cluster::{Cluster, Options};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use kube::client::Body;
use serde_json::{Value, json};

use crate::faults::{Failure, Faults};
use objects::Objects;
use server::Call;

/// The driver behind every volume of the fake cluster.
pub(crate) const DRIVER: &str = "disk.csi.example.com";

/// A cluster that lives as long as its last clone.
#[derive(Clone, Debug)]
pub(crate) struct FakeCluster {
    objects: Arc<Mutex<Objects>>,
}

impl FakeCluster {
    /// A cluster with a node and nothing else in it; `name` begins the UIDs of its objects.
    pub(crate) fn new(name: &str) -> Self {
        let cluster = Self { objects: Arc::new(Mutex::new(Objects::new(name))) };
        for namespace in ["default", "kube-system"] {
            cluster.add(json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": namespace}}));
        }
        cluster.add(json!({"apiVersion": "v1", "kind": "Node", "metadata":
            {"name": "node-a", "labels": {"kubernetes.io/hostname": "node-a"}}}));
        cluster
    }

    /// A cluster of its own in the same state.
    pub(crate) fn copy(&self) -> Self {
        Self { objects: Arc::new(Mutex::new(self.lock().clone())) }
    }

    /// Creates an object as a user would; no fault and no log sees it.
    pub(crate) fn add(&self, object: Value) -> Value {
        let mut objects = self.lock();
        let kind = objects.kind_of(&object).cloned();
        let kind = kind.unwrap_or_else(|| panic!("not served: {object}"));
        let (code, reply) = objects.create(&kind, object);
        drop(objects);
        assert_eq!(code, 201, "{reply}");
        reply
    }

    /// Changes an object as a controller would, status and all.
    pub(crate) fn edit(&self, id: &str, change: impl FnOnce(&mut Value)) {
        let (resource, key) = split(id);
        let mut objects = self.lock();
        let live = objects.get(resource, key).cloned();
        let mut object = live.unwrap_or_else(|| panic!("{id} does not exist"));
        change(&mut object);
        objects.put(resource, key, object);
        drop(objects);
    }

    /// Deletes an object as a user would.
    pub(crate) fn remove(&self, id: &str) {
        let (resource, key) = split(id);
        let (code, reply) = self.lock().delete(resource, key, &Value::Null);
        assert_eq!(code, 200, "{reply}");
    }

    /// Reads an object, named as `configmaps/shop/c`.
    pub(crate) fn find(&self, id: &str) -> Option<Value> {
        let (resource, key) = split(id);
        self.lock().get(resource, key).cloned()
    }

    /// Reads an object that must exist.
    pub(crate) fn get(&self, id: &str) -> Value {
        self.find(id).unwrap_or_else(|| panic!("{id} does not exist"))
    }

    /// All objects of a resource.
    pub(crate) fn all(&self, resource: &str) -> Vec<Value> {
        self.lock().all(resource).map(|(_, object)| object.clone()).collect()
    }

    /// Every object, by its identity: `configmaps/shop/c`.
    pub(crate) fn objects(&self) -> BTreeMap<String, Value> {
        let objects = self.lock();
        let all = objects.resources().flat_map(|resource| {
            let named =
                move |(key, it): (&String, &Value)| (format!("{resource}/{key}"), it.clone());
            objects.all(resource).map(named)
        });
        let all = all.collect();
        drop(objects);
        all
    }

    /// The names of all objects in a namespace, as `configmaps/c`.
    pub(crate) fn names_in(&self, namespace: &str) -> Vec<String> {
        let objects = self.lock();
        let all = objects.resources().flat_map(|resource| {
            objects.all(resource).map(move |(_, object)| (resource, &object["metadata"]))
        });
        let within = all.filter(|(_, metadata)| metadata["namespace"] == namespace);
        let names = within.map(|(resource, metadata)| {
            format!("{resource}/{}", metadata["name"].as_str().unwrap_or_default())
        });
        let names = names.collect();
        drop(objects);
        names
    }

    /// Lets the lists of a resource be refused, or an object that is named with its namespace.
    pub(crate) fn forbid(&self, resource: &str) {
        self.lock().forbidden.insert(resource.to_owned());
    }

    /// Lets the webhook be down that converts objects of a resource into a version:
    /// `widgets.example.com v2`, or of those in a namespace: `widgets.example.com v2 in shop`.
    pub(crate) fn break_conversion(&self, into: &str) {
        self.lock().unconverted.insert(into.to_owned());
    }

    /// Lets the server behind a resource be gone, which is discovered all the same, or be back.
    pub(crate) fn silence(&self, resource: &str, silent: bool) {
        let mut objects = self.lock();
        if silent {
            objects.silent.insert(resource.to_owned());
        } else {
            objects.silent.remove(resource);
        }
    }

    /// Lets a new definition be established only when it was looked at so often.
    pub(crate) fn establish_after(&self, looks: usize) {
        self.lock().looks = looks;
    }

    /// Lets the creation of objects of a resource be refused, or no longer.
    pub(crate) fn refuse_creates(&self, resource: &str, refuse: bool) {
        let mut objects = self.lock();
        if refuse {
            objects.uncreatable.insert(resource.to_owned());
        } else {
            objects.uncreatable.remove(resource);
        }
    }

    /// Lets changes of an object be refused, named as `configmaps/shop/c`, or no longer.
    pub(crate) fn refuse_changes(&self, id: &str, refuse: bool) {
        let mut objects = self.lock();
        if refuse {
            objects.unchangeable.insert(id.to_owned());
        } else {
            objects.unchangeable.remove(id);
        }
    }

    /// Schedules no pod, for this reason.
    pub(crate) fn schedule_nothing(&self, reason: &str) {
        self.lock().unscheduled = Some(reason.to_owned());
    }

    /// Denies a right, such as `create secrets`, to whoever asks for it; `review` fails the question.
    pub(crate) fn deny(&self, right: &str) {
        self.lock().denied.insert(right.to_owned());
    }

    /// The rights that clients asked for, in order: `create secrets in shop`.
    pub(crate) fn reviews(&self) -> Vec<String> {
        self.lock().reviews.clone()
    }

    /// The changes that clients asked for, in order.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.lock().changes.clone()
    }

    /// Every object, by resource.
    pub(crate) fn everything(&self) -> Vec<(String, Value)> {
        let objects = self.lock();
        let all = objects.resources().flat_map(|resource| {
            objects.all(resource).map(move |(_, object)| (resource.clone(), object.clone()))
        });
        let all = all.collect();
        drop(objects);
        all
    }

    /// How many objects were sent to be checked and not kept.
    pub(crate) fn dry_runs(&self) -> usize {
        self.lock().dry_runs
    }

    /// How many empty volumes were provisioned.
    pub(crate) fn provisioned(&self) -> usize {
        self.lock().provisioned
    }

    /// Lets an operator make a claim wherever it is missing, so many times.
    pub(crate) fn operate(&self, claim: Value, times: usize) {
        self.lock().operated.push((claim, times));
    }

    /// Volumes that were deleted with the claim that had them.
    pub(crate) fn destroyed(&self) -> Vec<String> {
        self.lock().destroyed.clone()
    }

    /// What the garbage collector took because its owners do not exist.
    pub(crate) fn collected(&self) -> Vec<String> {
        self.lock().collected.clone()
    }

    /// Connects a process to the cluster.
    pub(crate) fn connect(&self, faults: &Faults) -> Cluster {
        let (cluster, faults) = (self.clone(), faults.clone());
        let service = tower::service_fn(move |request| {
            let (cluster, faults) = (cluster.clone(), faults.clone());
            async move { cluster.serve(&faults, request).await }
        });
        Cluster::from_service(service, &Options::default())
    }

    async fn serve(
        &self,
        faults: &Faults,
        request: Request<Body>,
    ) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await.map_err(io::Error::other)?;
        let call = Call::new(head.method.as_str(), &head.uri, &body);
        let (code, reply) = if call.changes() {
            let effect = async { Ok(call.answer(&mut self.lock())) };
            faults.change(call.to_string(), effect, broken).await?
        } else {
            faults.read(|| broken(Failure::Refused)).await?;
            call.answer(&mut self.lock())
        };
        let body = Full::new(Bytes::from(reply.to_string()));
        Response::builder().status(code).body(body).map_err(io::Error::other)
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn broken(failure: Failure) -> io::Error {
    match failure {
        Failure::Refused => io::ErrorKind::ConnectionRefused.into(),
        Failure::ReplyLost => io::ErrorKind::ConnectionReset.into(),
    }
}

fn split(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or_else(|| panic!("{id} names no object"))
}

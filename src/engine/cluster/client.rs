//! The handle to a cluster.

use std::fmt;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::{Body, ClientBuilder};
use tokio::sync::Semaphore;
use tower::{BoxError, Service};

use super::error::{Cause, Error};
use super::flow::Flow;
use super::kubeconfig;
use super::share::BUDGET_KIB;
use crate::engine::stop::Stop;

/// Which cluster to talk to, and how much at once.
#[derive(Clone, Debug)]
pub struct Options {
    /// The kubeconfig; by default what `KUBECONFIG` names, else `~/.kube/config`, else the service
    /// account of the pod this runs in.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one by default.
    pub context: Option<String>,
    /// How many requests may be on their way at once, each with a connection of its own.
    pub max_in_flight: usize,
    /// How many requests may be sent in a second; as many as it takes by default.
    pub qps: Option<NonZeroU16>,
    /// Counts the requests that are sent.
    pub requests: Arc<AtomicU64>,
    /// How long a reply is waited for until its last byte.
    pub request_timeout: Duration,
    /// How long a request is tried again before its last error is final.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            max_in_flight: 30,
            qps: None,
            requests: Arc::default(),
            request_timeout: Duration::from_mins(1),
            patience: Duration::from_mins(2),
        }
    }
}

impl Options {
    /// Whether any cluster that can be found is as good as another.
    pub(super) fn asks_for_nothing(&self) -> bool {
        self.kubeconfig.is_none() && self.context.is_none()
    }
}

/// A Kubernetes cluster, by its API server. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(super) shared: Arc<Shared>,
    pub(super) stop: Stop,
}

/// What all clones of a [`Cluster`] share.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) url: String,
    pub(super) context: Option<String>,
    pub(super) flow: Flow,
    /// Room for list pages, in KiB.
    pub(super) page_budget: Arc<Semaphore>,
    pub(super) request_timeout: Duration,
    pub(super) patience: Duration,
    /// Whether the server has ever answered.
    pub(super) reached: AtomicBool,
}

impl Cluster {
    /// Finds the cluster and its credentials; runs the kubeconfig's exec plugin if it has one.
    ///
    /// Sends no request: whether the server is there shows with the first one.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let chosen = kubeconfig::choose(options).await?;
        let url = chosen.config.cluster_url.to_string();
        let url = url.trim_end_matches('/').to_owned();
        match ClientBuilder::try_from(chosen.config) {
            Ok(builder) => Ok(Self::new(builder.build(), url, chosen.context, options)),
            Err(kube::Error::Auth(source)) => {
                Err(Error::Credentials { url, source: source.into() })
            }
            Err(source) => Err(Error::Kubeconfig { source: Cause::from(source) }),
        }
    }

    /// Talks to a service in place of a server; for tests.
    pub fn from_service<S, B>(service: S, options: &Options) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: BodyExt<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let client = Client::new(service, "default");
        Self::new(client, "http://service.invalid".to_owned(), None, options)
    }

    /// The same cluster; once a stop is asked for, nothing in it is changed any more.
    #[must_use]
    pub fn heeding(self, stop: &Stop) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// The address of the API server.
    pub fn server_url(&self) -> &str {
        &self.shared.url
    }

    /// The kubeconfig's context; none for the service account of a pod.
    pub fn context_name(&self) -> Option<&str> {
        self.shared.context.as_deref()
    }

    fn new(client: Client, url: String, context: Option<String>, options: &Options) -> Self {
        let shared = Shared {
            client,
            url,
            context,
            flow: Flow::new(options.max_in_flight, options.qps, Arc::clone(&options.requests)),
            page_budget: Arc::new(Semaphore::new(BUDGET_KIB)),
            request_timeout: options.request_timeout,
            patience: options.patience,
            reached: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), stop: Stop::default() }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("url", &self.shared.url)
            .field("context", &self.shared.context)
            .finish_non_exhaustive()
    }
}

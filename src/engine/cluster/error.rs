//! What can go wrong between here and an API server.

use std::error::Error as StdError;
use std::time::Duration;

use bowline_api::GroupResource;

/// A cause of any type.
pub(super) type Cause = Box<dyn StdError + Send + Sync>;

/// Why a cluster did not do what it was asked.
///
/// `request` names what was tried in words: `list pods in namespace shop`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no usable kubeconfig.
    #[error("no usable kubeconfig")]
    Kubeconfig {
        /// What is wrong with it.
        source: Cause,
    },
    /// The kubeconfig has no such context.
    #[error("the kubeconfig has no context \"{context}\" (it has: {})", available.join(", "))]
    NoSuchContext {
        /// The context that was asked for.
        context: String,
        /// The contexts that there are.
        available: Vec<String>,
    },
    /// No credentials could be got: the exec plugin failed, the token file is gone.
    #[error("no credentials for the API server at {url}")]
    Credentials {
        /// The server's address.
        url: String,
        /// What failed.
        source: Cause,
    },
    /// No connection came about, so nothing was sent.
    #[error("the API server at {url} cannot be reached")]
    Unreachable {
        /// The server's address.
        url: String,
        /// What failed: look-up, connection, TLS handshake.
        source: Cause,
    },
    /// The connection broke; nobody knows whether the request was carried out.
    #[error("failed to {request}: the connection broke")]
    ConnectionLost {
        /// What was tried.
        request: String,
        /// What broke.
        source: Cause,
    },
    /// No complete reply came in time; nobody knows whether the request was carried out.
    #[error("failed to {request}: no complete reply within {}s", after.as_secs())]
    Timeout {
        /// What was tried.
        request: String,
        /// How long the reply was waited for.
        after: Duration,
    },
    /// The server does not know who we are (401).
    #[error("failed to {request}: the API server does not accept the credentials: {message}")]
    Unauthorized {
        /// What was tried.
        request: String,
        /// What the server said.
        message: String,
    },
    /// The server, or an admission plugin of it, refuses this (403).
    #[error("failed to {request}: {message}")]
    Forbidden {
        /// What was tried.
        request: String,
        /// What the server said.
        message: String,
    },
    /// The cluster does not, or no longer, serve this kind.
    #[error("failed to {request}: the cluster does not serve this kind")]
    NotServed {
        /// What was tried.
        request: String,
    },
    /// A list expired again and again before its next page was asked for (410).
    #[error("failed to {request}: the list expired {times} times before its next page was read")]
    Expired {
        /// What was tried.
        request: String,
        /// How often it was begun again without getting any further.
        times: u32,
    },
    /// A list expired (410), and where it was cannot be told from the order of its items.
    #[error(
        "failed to {request}: the list expired before it was read to its end, and its items do not come in the order \
         of their names, so that it cannot be taken up again"
    )]
    Unordered {
        /// What was tried.
        request: String,
    },
    /// The server refused for any other reason.
    #[error("failed to {request}: {message}")]
    Api {
        /// What was tried.
        request: String,
        /// The HTTP status.
        code: u16,
        /// Kubernetes' word for it: `Conflict`, `Invalid`; empty where it has none.
        reason: String,
        /// What the server said.
        message: String,
    },
    /// The server's reply is not what its API promises.
    #[error("failed to {request}: the reply cannot be understood")]
    Decode {
        /// What was tried.
        request: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// The reply is larger than can be taken.
    #[error("failed to {request}: the reply is larger than {limit} bytes")]
    TooLarge {
        /// What was tried.
        request: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// This names no object; nothing was sent.
    ///
    /// The server would take `a/b` or `a%2Fb` for the subresource `b` of `a`.
    #[error("\"{name}\" cannot be the name of one of {resource}")]
    InvalidName {
        /// What kind of object it was to name.
        resource: GroupResource,
        /// The name, or the namespace.
        name: String,
    },
}

impl Error {
    /// The HTTP status that the server gave, if it replied.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Unauthorized { .. } => Some(401),
            Self::Forbidden { .. } => Some(403),
            Self::NotServed { .. } => Some(404),
            Self::Expired { .. } | Self::Unordered { .. } => Some(410),
            Self::Api { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Kubernetes' word for the refusal: `AlreadyExists`, `Invalid`.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Unauthorized { .. } => Some("Unauthorized"),
            Self::Forbidden { .. } => Some("Forbidden"),
            Self::NotServed { .. } => Some("NotFound"),
            Self::Expired { .. } | Self::Unordered { .. } => Some("Expired"),
            Self::Api { reason, .. } if !reason.is_empty() => Some(reason),
            _ => None,
        }
    }

    /// Whether the server was not there to answer: no connection, a broken one, or silence.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::ConnectionLost { .. } | Self::Timeout { .. }
        )
    }

    /// Whether a later attempt may do better.
    pub fn is_passing(&self) -> bool {
        self.is_unreachable() || self.status().is_some_and(|code| code == 429 || code >= 500)
    }

    /// Whether a precondition, a resource version or a UID, did not hold (409).
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409) && !self.is_already_exists()
    }

    pub(super) fn is_already_exists(&self) -> bool {
        self.status() == Some(409) && self.reason() == Some("AlreadyExists")
    }

    /// Whether the request may have been carried out although no success was reported.
    ///
    /// A 500 counts: it is how a change of the etcd leader in the middle of a write is reported.
    pub(super) fn leaves_doubt(&self) -> bool {
        match self {
            Self::ConnectionLost { .. } | Self::Timeout { .. } => true,
            _ => self.status().is_some_and(|code| code >= 500),
        }
    }
}

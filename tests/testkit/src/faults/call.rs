//! One request, and what it asks for.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::{ec2_calls, s3_calls};

/// Whose requests a proxy understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Requests are known by method, path, query and headers.
    S3,
    /// Requests of the query protocol, of EC2 and STS, are known by their form.
    Ec2,
}

/// A request that a proxy has seen.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation, as the API reference names it: `PutObject`, `CreateSnapshot`.
    pub kind: String,
    /// The IAM actions that it needs, as in `s3:PutObject`.
    pub actions: Vec<String>,
    /// `bucket/key`, or the ids that a form names, between commas.
    pub subject: String,
    /// The decoded query, or form.
    pub parameters: BTreeMap<String, String>,
    /// The headers.
    pub headers: HeaderMap,
    /// When it came.
    pub at: Instant,
    /// The status that the client was given, if it was given any.
    pub status: Option<u16>,
}

impl Call {
    /// Understands a request. The body is that of a form, and not looked at in S3.
    pub(super) fn new(service: Service, request: &Parts, body: &Bytes) -> Self {
        let call = Self {
            kind: String::new(),
            actions: Vec::new(),
            subject: String::new(),
            parameters: BTreeMap::new(),
            headers: request.headers.clone(),
            at: Instant::now(),
            status: None,
        };
        match service {
            Service::S3 => s3_calls::understand(call, request),
            Service::Ec2 => ec2_calls::understand(call, body),
        }
    }

    /// Whether it only asks whether it may.
    pub fn is_dry_run(&self) -> bool {
        self.parameters.get("DryRun").is_some_and(|value| value == "true")
    }

    /// Whether the client was told that it succeeded.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    pub(super) fn has(&self, parameter: &str) -> bool {
        self.parameters.contains_key(parameter)
    }
}

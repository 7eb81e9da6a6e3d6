//! What EC2 says when it does not do what it is asked, by what can be done about it.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId as _;
use bowline_api::SnapshotterError;

/// Why a call did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    kind: Kind,
    /// EC2's own word for it; none if it was not EC2 that failed.
    code: Option<String>,
    message: String,
    request_id: Option<String>,
}

/// What can be done about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is no such volume or snapshot.
    NotFound,
    /// It will not be done, however often it is asked.
    Refused,
    /// It never got to EC2. It may next time.
    Unsent,
    /// Too many calls, or no room just now: nothing was done.
    Throttled,
    /// Too many snapshots of one volume in too short a time: nothing was done.
    PerVolumeRate,
    /// Too many snapshots are under way: nothing was done.
    Busy,
    /// It may have been done or not.
    Lost,
}

/// The codes that do not mean what their HTTP status does.
const KINDS: &[(&str, Kind)] = &[
    ("InvalidVolume.NotFound", Kind::NotFound),
    ("InvalidSnapshot.NotFound", Kind::NotFound),
    ("RequestLimitExceeded", Kind::Throttled),
    ("Throttling", Kind::Throttled),
    ("ThrottlingException", Kind::Throttled),
    ("RequestThrottled", Kind::Throttled),
    ("RequestThrottledException", Kind::Throttled),
    ("TooManyRequestsException", Kind::Throttled),
    ("EC2ThrottledException", Kind::Throttled),
    ("InsufficientVolumeCapacity", Kind::Throttled),
    ("SnapshotCreationPerVolumeRateExceeded", Kind::PerVolumeRate),
    ("PendingSnapshotLimitExceeded", Kind::Busy),
    ("ConcurrentSnapshotLimitExceeded", Kind::Busy),
];

/// What helps, where the code does not say it.
const HINTS: &[(&str, &str)] = &[
    ("UnauthorizedOperation", "the IAM policy of these credentials does not allow it"),
    ("AccessDenied", "the IAM policy of these credentials does not allow it"),
    ("AuthFailure", "AWS does not take these credentials in this region"),
    ("InvalidClientTokenId", "AWS does not know these credentials"),
    ("SignatureDoesNotMatch", "the secret key is not the one of this access key"),
    ("ExpiredToken", "the credentials have expired"),
    ("RequestExpired", "the credentials have expired, or this machine's clock is wrong"),
    ("OptInRequired", "the region or the service is not enabled for this account"),
    ("SnapshotLimitExceeded", "the account's quota of snapshots is used up"),
    ("VolumeLimitExceeded", "the account's quota of volumes is used up"),
    ("MaxIOPSLimitExceeded", "the account's quota of provisioned IOPS is used up"),
    ("IdempotentParameterMismatch", "an earlier request with the same token asked for another one"),
];

/// Where EC2's own message ends and a blob begins that only `sts:DecodeAuthorizationMessage` reads.
const BLOB: &str = "Encoded authorization failure message:";

impl Fault {
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Something that is refused.
    #[cfg(test)]
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, code: None, message: message.into(), request_id: None }
    }

    /// A fault by EC2's code and HTTP status.
    fn by_code(code: &str, status: u16, message: &str, request_id: Option<String>) -> Self {
        let message = message.split(BLOB).next().unwrap_or_default().trim().to_owned();
        let known = KINDS.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind);
        let kind = match (known, status) {
            (Some(kind), _) => kind,
            (None, _) if code == "ResourceLimitExceeded" && concerns_snapshots(&message) => {
                Kind::Busy
            }
            (None, 429) => Kind::Throttled,
            (None, 500..) => Kind::Lost,
            (None, _) => Kind::Refused,
        };
        Self { kind, code: Some(code.to_owned()), message, request_id }
    }

    fn without_code(kind: Kind, error: &dyn StdError) -> Self {
        Self { kind, code: None, message: chain(error), request_id: None }
    }

    /// Says what went wrong with `what`, such as `volume vol-1 in eu-west-1`.
    pub(super) fn about(self, operation: &'static str, what: String) -> SnapshotterError {
        match self.kind {
            Kind::NotFound => SnapshotterError::NotFound { what },
            Kind::Refused => SnapshotterError::Refused { what, reason: self.to_string() },
            _ => SnapshotterError::Failed { operation, what, source: self.into() },
        }
    }

    /// Says that a question about `what` has no answer. That it is refused is no answer, either: what
    /// may not be looked at may well be the caller's own.
    pub(super) fn unanswered(self, operation: &'static str, what: String) -> SnapshotterError {
        match self.kind {
            Kind::NotFound => SnapshotterError::NotFound { what },
            _ => SnapshotterError::Failed { operation, what, source: self.into() },
        }
    }
}

fn concerns_snapshots(message: &str) -> bool {
    message.to_lowercase().contains("snapshot")
}

impl<E: ProvideErrorMetadata + StdError + 'static> From<SdkError<E>> for Fault {
    fn from(error: SdkError<E>) -> Self {
        if let SdkError::ServiceError(reply) = &error
            && let Some(code) = reply.err().code()
        {
            let message = reply.err().message().unwrap_or_default();
            let request_id = error.request_id().map(str::to_owned);
            return Self::by_code(code, reply.raw().status().as_u16(), message, request_id);
        }
        if let Some(error) = find::<CredentialsError>(&error) {
            return without_credentials(error);
        }
        let kind = match &error {
            SdkError::ConstructionFailure(_) => Kind::Refused,
            SdkError::DispatchFailure(failure) if failure.is_user() => Kind::Refused,
            _ => Kind::Lost,
        };
        Self::without_code(kind, &error)
    }
}

fn without_credentials(error: &CredentialsError) -> Fault {
    let kind = match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            Kind::Refused
        }
        _ => Kind::Unsent,
    };
    let message = format!("no usable AWS credentials: {}", chain(error));
    Fault { kind, code: None, message, request_id: None }
}

/// Finds an error of this type among the causes.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    error.downcast_ref().or_else(|| find(error.source()?))
}

/// The error and what led to it, each once.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(code) = &self.code else { return f.write_str(&self.message) };
        f.write_str(code)?;
        if let Some((_, hint)) = HINTS.iter().find(|(known, _)| known == code) {
            write!(f, ": {hint}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl StdError for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, status: u16, message: &str) -> Kind {
        Fault::by_code(code, status, message, None).kind
    }

    #[test]
    fn faults_are_told_apart_by_what_can_be_done_about_them() {
        for (code, status, message, expected) in [
            ("InvalidVolume.NotFound", 400, "", Kind::NotFound),
            ("InvalidSnapshot.InUse", 400, "", Kind::Refused),
            ("UnauthorizedOperation", 403, "", Kind::Refused),
            ("RequestLimitExceeded", 503, "", Kind::Throttled),
            ("SnapshotCreationPerVolumeRateExceeded", 400, "", Kind::PerVolumeRate),
            ("PendingSnapshotLimitExceeded", 400, "", Kind::Busy),
            ("ResourceLimitExceeded", 400, "too many snapshots in progress", Kind::Busy),
            ("ResourceLimitExceeded", 400, "too many of something", Kind::Refused),
            ("SnapshotLimitExceeded", 400, "", Kind::Refused),
            ("InternalError", 500, "", Kind::Lost),
            ("Unavailable", 503, "", Kind::Lost),
            ("Whatever", 429, "", Kind::Throttled),
        ] {
            assert_eq!(kind(code, status, message), expected, "{code}");
        }
    }

    #[test]
    fn a_refusal_names_the_code_the_hint_and_the_request_but_no_blob() {
        let message = "You are not authorized to perform this operation. Encoded authorization \
                       failure message: 4GHx9vY2";
        let fault = Fault::by_code("UnauthorizedOperation", 403, message, Some("r-1".to_owned()));
        let error = fault.about("snapshot", "volume vol-1 in eu-west-1".to_owned());
        assert_eq!(
            error.to_string(),
            "volume vol-1 in eu-west-1 was refused: UnauthorizedOperation: the IAM policy of these \
             credentials does not allow it: You are not authorized to perform this operation. \
             (request r-1)"
        );
    }
}

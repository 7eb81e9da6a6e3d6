//! Commands in containers, over the API server's exec channel.
//!
//! The channel is a WebSocket (`v5.channel.k8s.io`, else `v4`): the first byte of a message says
//! what it carries, and the last message is a `metav1.Status` that says how the command ended.

use std::time::Duration;

use bowline_api::GroupResource;
use futures::{Stream, StreamExt as _};
use http::{Request, header};
use kube::client::Connection;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::client::Cluster;
use super::error::Error;
use super::path;
use super::refusal::Failure;
use super::retry::{Repeat, Retries};
use super::wire::{Call, USER_AGENT};
use crate::engine::clock::pause;
use crate::engine::model::Kind;

const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
/// How much of each stream is kept.
const KEPT: usize = 64 << 10;
/// How much of a status is read.
const LONGEST_STATUS: usize = 1 << 20;
/// How an exit code is said by what names no cause: older runtimes, and kwok.
const IN_WORDS: [&str; 2] = ["command terminated with exit code ", ": exit status "];

/// A command for a container.
#[derive(Clone, Copy, Debug)]
pub struct Exec<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// The pod.
    pub pod: &'a str,
    /// The container.
    pub container: &'a str,
    /// The program and its arguments. There is no shell but the one that is named.
    pub command: &'a [String],
    /// How long it is listened to.
    pub timeout: Duration,
    /// How long its channel may take to open: a server that is away or busy is asked again.
    pub patience: Duration,
}

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// What it wrote, as far as that is kept.
    pub stdout: Captured,
    /// What it wrote besides.
    pub stderr: Captured,
    /// How it ended.
    pub end: End,
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// With exit code 0.
    Succeeded,
    /// With another one.
    Exited(i32),
    /// It did not run, or nobody knows its exit code.
    Failed(String),
    /// It was not over in time. Nothing can end it from here: it may be running still.
    TimedOut,
    /// The channel closed before it was over; it may be running still.
    #[default]
    Lost,
}

/// The beginning of what a command wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    bytes: Vec<u8>,
    /// How many bytes more there were.
    pub dropped: usize,
}

impl Captured {
    fn push(&mut self, more: &[u8]) {
        let kept = more.len().min(KEPT - self.bytes.len());
        self.bytes.extend_from_slice(&more[..kept]);
        self.dropped += more.len() - kept;
    }

    /// It as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(rename = "status")]
    outcome: String,
    message: String,
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    causes: Vec<StatusCause>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusCause {
    reason: String,
    message: String,
}

impl Cluster {
    /// Runs a command in a container and waits for its end, for so long at most.
    ///
    /// Only the opening of its channel is tried again: nobody knows how far a command has come. It
    /// takes none of the places of other requests, whose deadlines are no concern of it either.
    pub async fn exec(&self, exec: &Exec<'_>) -> Result<Executed, Error> {
        let call = Call::get(address(exec)?, request(exec));
        let mut retries = Retries::new(exec.patience);
        let last = Instant::now() + exec.patience;
        loop {
            let underway = self.stop.begin().await;
            let opening = self.shared.client.connect(to_http(&call)?);
            let failure = match timeout_at(last, opening).await {
                Ok(Ok(opened)) => return Ok(heard(opened, exec.timeout).await),
                Ok(Err(error)) => self.refused(&call, error),
                Err(_) => return Ok(Executed { end: End::TimedOut, ..Executed::default() }),
            };
            drop(underway);
            match retries.next(Repeat::UntilOpen, &failure, self.was_reached()) {
                Some(delay) => pause(delay).await,
                None => return Err(failure.error),
            }
        }
    }

    fn refused(&self, call: &Call, error: kube::Error) -> Failure {
        let kube::Error::Api(status) = error else {
            return self.not_answered(call, error).into();
        };
        let (request, message) = (call.request(), status.message.clone());
        let error = match status.code {
            401 => Error::Unauthorized { request, message },
            403 => Error::Forbidden { request, message },
            code => Error::Api { request, code, reason: status.reason.clone(), message },
        };
        let advised = status.details.as_ref().map(|it| u64::from(it.retry_after_seconds));
        let retry_after = advised.filter(|it| *it > 0).map(Duration::from_secs);
        Failure { retry_after, ..error.into() }
    }
}

async fn heard(opened: Connection, timeout: Duration) -> Executed {
    let mut messages = opened
        .into_stream()
        .map(|message| message.map(|message| message.is_binary().then(|| message.into_data())));
    let mut executed = Executed::default();
    let deadline = Instant::now() + timeout;
    if timeout_at(deadline, listen(&mut messages, &mut executed)).await.is_err() {
        executed.end = End::TimedOut;
    }
    executed
}

/// Takes in messages until one says how the command ended.
async fn listen<E, B: AsRef<[u8]>>(
    messages: &mut (impl Stream<Item = Result<Option<B>, E>> + Unpin),
    executed: &mut Executed,
) {
    while let Some(Ok(message)) = messages.next().await {
        let Some((channel, data)) = message.as_ref().and_then(|it| it.as_ref().split_first())
        else {
            continue;
        };
        match *channel {
            STDOUT => executed.stdout.push(data),
            STDERR => executed.stderr.push(data),
            // Every channel is opened with an empty message.
            STATUS if !data.is_empty() => {
                executed.end = end(data);
                return;
            }
            _ => {}
        }
    }
}

fn end(status: &[u8]) -> End {
    let status = status.get(..LONGEST_STATUS).unwrap_or(status);
    let Ok(status) = serde_json::from_slice::<Status>(status) else {
        return End::Failed(String::from_utf8_lossy(status).trim().to_owned());
    };
    if status.outcome == "Success" {
        return End::Succeeded;
    }
    let causes = status.details.unwrap_or_default().causes;
    let code = causes.iter().find(|cause| cause.reason == "ExitCode");
    let code = code.map(|cause| cause.message.as_str()).or_else(|| in_words(&status.message));
    match code.and_then(|code| code.trim().parse().ok()) {
        Some(code) => End::Exited(code),
        None => End::Failed(status.message),
    }
}

fn in_words(message: &str) -> Option<&str> {
    let (_, rest) = IN_WORDS.iter().find_map(|words| message.split_once(words))?;
    rest.split(|it: char| !it.is_ascii_digit()).next()
}

fn address(exec: &Exec<'_>) -> Result<String, Error> {
    let pods = Kind {
        resource: GroupResource::core("pods"),
        version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        singular: String::new(),
        short_names: Vec::new(),
        namespaced: true,
        verbs: Vec::new(),
    };
    let pod = path::object(&pods, Some(exec.namespace), exec.pod)?;
    let mut query = vec![("container", exec.container), ("stdout", "true"), ("stderr", "true")];
    query.extend(exec.command.iter().map(|word| ("command", word.as_str())));
    Ok(path::with_query(&format!("{pod}/exec"), &query))
}

fn request(exec: &Exec<'_>) -> String {
    let Exec { namespace, pod, container, .. } = exec;
    format!("run a command in container {container} of pods/{namespace}/{pod}")
}

fn to_http(call: &Call) -> Result<Request<Vec<u8>>, Error> {
    Request::get(call.path())
        .header(header::USER_AGENT, USER_AGENT)
        .body(Vec::new())
        .map_err(|source| Error::Decode { request: call.request(), source: source.into() })
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn ended(status: &str) -> End {
        end(status.as_bytes())
    }

    #[test]
    fn a_kubelet_names_the_exit_code_as_a_cause_and_others_in_words() {
        assert_eq!(ended(r#"{"status":"Success"}"#), End::Succeeded);
        let kubelet = r#"{"status":"Failure","reason":"NonZeroExitCode","message":"x",
            "details":{"causes":[{"reason":"ExitCode","message":"3"}]}}"#;
        assert_eq!(ended(kubelet), End::Exited(3));
        let runtime = r#"{"status":"Failure","reason":"InternalError",
            "message":"error executing command in container: command terminated with exit code 42"}"#;
        assert_eq!(ended(runtime), End::Exited(42));
        let kwok = r#"{"status":"Failure",
            "message":"error executing command in container: cmd wait: sh: exit status 3: no room"}"#;
        assert_eq!(ended(kwok), End::Exited(3));
    }

    #[test]
    fn what_did_not_run_failed_for_a_reason() {
        let missing = r#"{"status":"Failure","message":"exec: no such file"}"#;
        assert_eq!(ended(missing), End::Failed("exec: no such file".to_owned()));
        assert_eq!(ended("garbage\n"), End::Failed("garbage".to_owned()));
    }

    async fn executed(messages: &[&[u8]]) -> Executed {
        let messages: Vec<Result<Option<Vec<u8>>, ()>> =
            messages.iter().map(|it| Ok(Some(it.to_vec()))).collect();
        let mut executed = Executed::default();
        listen(&mut stream::iter(messages), &mut executed).await;
        executed
    }

    #[tokio::test]
    async fn what_is_written_is_kept_apart_until_the_status_comes() {
        let status: &[u8] = b"\x03{\"status\":\"Success\"}";
        let executed =
            executed(&[b"\x01", b"\x02", b"\x03", b"\x01one ", b"\x02odd", b"\x01two", status])
                .await;
        assert_eq!(
            (executed.stdout.text(), executed.stderr.text()),
            ("one two".into(), "odd".into())
        );
        assert_eq!(executed.end, End::Succeeded);
    }

    #[tokio::test]
    async fn a_channel_that_closes_early_is_lost() {
        assert_eq!(executed(&[b"\x01one"]).await.end, End::Lost);
    }

    #[tokio::test]
    async fn of_a_flood_the_beginning_is_kept() {
        let mut flood = vec![b'x'; KEPT];
        flood[0] = STDOUT;
        let executed = executed(&[&flood, &flood]).await;
        assert_eq!(executed.stdout.text().len(), KEPT);
        assert_eq!(executed.stdout.dropped, KEPT - 2);
    }

    #[test]
    fn every_word_of_a_command_is_a_parameter_of_its_own() {
        let command = ["sh".to_owned(), "-c".to_owned(), "a && b".to_owned()];
        let (namespace, timeout) = ("shop", Duration::from_secs(1));
        let exec = Exec {
            namespace,
            pod: "db-0",
            container: "db",
            command: &command,
            timeout,
            patience: timeout,
        };
        assert_eq!(
            address(&exec).unwrap(),
            "/api/v1/namespaces/shop/pods/db-0/exec?container=db&stdout=true&stderr=true\
             &command=sh&command=-c&command=a+%26%26+b"
        );
        assert!(address(&Exec { pod: "../x", ..exec }).is_err());
    }
}

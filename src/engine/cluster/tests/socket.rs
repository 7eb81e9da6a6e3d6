//! What only real sockets show: kube's connector, and its kubeconfig.

use std::error::Error as _;
use std::io::Write as _;
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::client::{Cluster, Options};
use super::super::error::Error;
use super::super::wire::Call;

fn kubeconfig(server: &str, user: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: one,
        clusters: [{{name: c, cluster: {{server: \"{server}\"}}}}],
        users: [{{name: u, user: {user}}}],
        contexts: [{{name: one, context: {{cluster: c, user: u}}}}, {{name: two, context: {{cluster: c}}}}]}}"
    );
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn options(file: &NamedTempFile) -> Options {
    Options { kubeconfig: Some(file.path().to_owned()), ..Options::default() }
}

fn call() -> Call {
    Call::get("/version".to_owned(), "read the version".to_owned())
        .once_within(Duration::from_secs(5))
}

/// A listener on a free port, and a cluster there.
async fn listener(user: &str) -> (TcpListener, Cluster) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let file = kubeconfig(&format!("http://{}", listener.local_addr().unwrap()), user);
    (listener, Cluster::connect(&options(&file)).await.unwrap())
}

/// Ends every connection at once.
async fn hang_up(listener: &TcpListener) {
    while listener.accept().await.is_ok() {}
}

async fn request_on(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 8192];
    let length = stream.read(&mut buffer).await.unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let (listener, cluster) = listener("{}").await;
    drop(listener);
    let error: Error = cluster.call(&call()).await.unwrap_err().into();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("the API server at {} cannot be reached", cluster.server_url())
    );
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_failed_handshake_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("https://{}", listener.local_addr().unwrap());
    let cluster = Cluster::connect(&options(&kubeconfig(&server, "{}"))).await.unwrap();
    let call = call();
    let error: Error = tokio::select! {
        outcome = cluster.call(&call) => outcome.unwrap_err().into(),
        () = hang_up(&listener) => unreachable!(),
    };
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_its_fate_open() {
    for reply in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
        let (listener, cluster) = listener("{}").await;
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(request_on(&mut stream).await.starts_with("GET /version HTTP/1.1"));
            stream.write_all(reply.as_bytes()).await.unwrap();
        };
        let call = call();
        let (outcome, ()) = tokio::join!(cluster.call(&call), server);
        let error: Error = outcome.unwrap_err().into();
        assert!(matches!(error, Error::ConnectionLost { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_exec_plugin_of_the_kubeconfig_provides_the_token() {
    let credential = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-plugin"}}"#;
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: echo, args: ['{credential}']}}}}"
    );
    let (listener, cluster) = listener(&user).await;
    assert_eq!(cluster.context_name(), Some("one"));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = request_on(&mut stream).await.to_lowercase();
        assert!(request.contains("authorization: bearer from-plugin"), "{request}");
        assert!(request.contains("user-agent: bowline/"), "{request}");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    };
    let call = call();
    let (outcome, ()) = tokio::join!(cluster.call(&call), server);
    assert!(outcome.is_ok());
}

#[tokio::test]
async fn a_failing_exec_plugin_is_a_lack_of_credentials() {
    let user = "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: 'false'}}";
    let file = kubeconfig("http://127.0.0.1:1", user);
    let error = Cluster::connect(&options(&file)).await.unwrap_err();
    assert!(matches!(error, Error::Credentials { .. }), "{error:?}");
}

#[tokio::test]
async fn a_context_is_chosen_by_name_and_a_wrong_one_gets_the_right_ones_shown() {
    let file = kubeconfig("http://127.0.0.1:1", "{}");
    let chosen = Options { context: Some("two".to_owned()), ..options(&file) };
    assert_eq!(Cluster::connect(&chosen).await.unwrap().context_name(), Some("two"));
    let wrong = Options { context: Some("three".to_owned()), ..options(&file) };
    let error = Cluster::connect(&wrong).await.unwrap_err();
    assert_eq!(error.to_string(), "the kubeconfig has no context \"three\" (it has: one, two)");
}

#[tokio::test]
async fn a_proxy_that_the_kubeconfig_names_is_used_for_this_machine_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy =
        format!("http://127.0.0.1:1\", proxy-url: \"http://{}", listener.local_addr().unwrap());
    let cluster = Cluster::connect(&options(&kubeconfig(&proxy, "{}"))).await.unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(request_on(&mut stream).await.starts_with("CONNECT 127.0.0.1:1 HTTP/1.1"));
    };
    let call = call();
    tokio::select! {
        outcome = cluster.call(&call) => panic!("the proxy was not asked: {outcome:?}"),
        () = server => {}
    }
}

#[tokio::test]
async fn a_missing_or_broken_kubeconfig_is_named_as_such() {
    let missing =
        Options { kubeconfig: Some("/nonexistent/kubeconfig".into()), ..Options::default() };
    let mut broken = NamedTempFile::new().unwrap();
    broken.write_all(b"{").unwrap();
    let empty = NamedTempFile::new().unwrap();
    for options in [missing, options(&broken), options(&empty)] {
        let error = Cluster::connect(&options).await.unwrap_err();
        assert!(matches!(error, Error::Kubeconfig { .. }), "{error:?}");
    }
}

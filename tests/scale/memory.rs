//! How much memory the binary needs for many objects, as the kernel counts it.

use std::fs;

use bowline_testkit::Bowline;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::cluster::{self, ApiServer};
use crate::{ALONE, MANY};

/// What a run may need at its peak, the pages of the binary itself included.
const CAP: u64 = 80 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_backup_nor_a_restore_needs_more_memory_than_the_cap() {
    let _alone = ALONE.lock().await;
    let bowline = Bowline::new(env!("CARGO_BIN_EXE_bowline")).unwrap();
    let (east, west) = (ApiServer::with(MANY), ApiServer::with(0));
    let mut servers = JoinSet::new();

    let there = listen(&bowline, &east, "east", &mut servers).await;
    let backup = peak(&there, &["backup", "create", "all"]).await;
    assert!(backup < CAP, "{backup}");

    let there = listen(&bowline, &west, "west", &mut servers).await;
    let words = ["restore", "create", "all", "--from-backup=all", "--ready-timeout=0"];
    let restore = peak(&there, &words).await;
    assert!(restore < CAP, "{restore}");
    assert_eq!(west.made(), (MANY + cluster::NAMESPACES) as u64);
}

/// Runs a command to its good end; tells the most memory that it needed.
async fn peak(bowline: &Bowline, words: &[&str]) -> u64 {
    let output = bowline.run(&[words, &["--timings=json", "--quiet"]].concat()).await.unwrap();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let timings: Value = serde_json::from_str(output.stderr.lines().last().unwrap()).unwrap();
    timings["peakMemoryBytes"].as_u64().unwrap()
}

/// The sandbox with a kubeconfig that leads to this server, which ends with `servers`.
async fn listen(
    bowline: &Bowline,
    server: &ApiServer,
    name: &str,
    servers: &mut JoinSet<()>,
) -> Bowline {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    servers.spawn(serve(server.clone(), listener));
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {"token": "x"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}}],
    });
    let path = bowline.home().join(format!("{name}.kubeconfig"));
    fs::write(&path, config.to_string()).unwrap();
    bowline.clone().env("KUBECONFIG", &path.display().to_string())
}

/// Answers until it is dropped.
async fn serve(server: ApiServer, listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let server = server.clone();
        let service = service_fn(move |request| {
            let server = server.clone();
            async move { server.serve(request).await }
        });
        // A client that hangs up is none of ours.
        connections.spawn(async move {
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

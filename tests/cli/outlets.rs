//! Who else is told of a schedule's runs: a metrics file, a push gateway, a webhook.

use std::sync::{Arc, Mutex};

use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::api_server::site_with_cluster;
use crate::schedules::add;
use crate::site::Site;

/// A server that notes what it is sent, and replies with a status.
struct Listener {
    url: String,
    sent: Arc<Mutex<Vec<(String, String)>>>,
    /// Ends with it.
    _accepting: JoinSet<()>,
}

impl Listener {
    async fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::<Mutex<Vec<_>>>::default();
        let notes = Arc::clone(&sent);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let request = answer(stream, status).await;
                notes.lock().unwrap().push(request);
            }
        });
        Self { url, sent, _accepting: accepting }
    }

    fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }
}

/// Reads one request, its first line and its body, and replies.
async fn answer(stream: TcpStream, status: &str) -> (String, String) {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).await.unwrap();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let reply = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(reply.as_bytes()).await.unwrap();
    (first.trim().to_owned(), String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn a_run_is_told_to_a_file_a_push_gateway_and_a_webhook() {
    let (site, _server) = site_with_cluster().await;
    add(&site, "nightly", |_| {});
    let [gateway, webhook] = [Listener::start("200 OK").await, Listener::start("200 OK").await];
    let told = format!(
        "--metrics-file {} --push-gateway {}/below/ --notify {}/secret",
        site.path("nightly.prom").display(),
        gateway.url,
        webhook.url
    );
    let create = format!("backup create --from-schedule nightly -q {told}");
    let shown = site.run(&create).await;
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    let text = std::fs::read_to_string(site.path("nightly.prom")).unwrap();
    assert!(text.contains("velero_backup_last_status{schedule=\"nightly\"} 1.0\n"), "{text}");
    assert!(text.contains("velero_backup_total{schedule=\"nightly\"} 1.0\n"), "{text}");
    let pushed = gateway.take();
    assert_eq!(pushed.len(), 1);
    assert_eq!(pushed[0].0, "PUT /below/metrics/job/bowline/schedule/nightly HTTP/1.1");
    assert_eq!(pushed[0].1, text);
    assert_eq!(webhook.take(), [], "a good backup is told only on demand");

    let shown = site.run(&format!("{create} --notify-on always")).await;
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    let [(first, body)] = &webhook.take()[..] else { panic!("not one notice") };
    assert_eq!(first, "POST /secret HTTP/1.1");
    let notice: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&notice["good"], &notice["phase"]), (&json!(true), &json!("Completed")));
    assert!(notice["text"].as_str().unwrap().contains("of schedule nightly is Completed"));
}

#[tokio::test]
async fn a_run_without_a_cluster_is_told_and_its_exit_code_stays() {
    let site = Site::new();
    add(&site, "nightly", |_| {});
    let webhook = Listener::start("200 OK").await;
    let prom = site.path("nightly.prom");
    let create = format!(
        "backup create --from-schedule nightly --notify {}/secret --metrics-file {}",
        webhook.url,
        prom.display()
    );
    let shown = site.run(&create).await;
    let [(_, body)] = &webhook.take()[..] else { panic!("not one notice") };
    let notice: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&notice["good"], &notice["backup"]), (&json!(false), &Value::Null));
    let text = notice["text"].as_str().unwrap();
    assert!(text.starts_with("schedule nightly made no backup: the cluster"), "{text}");
    assert!(shown.starts_with("exit code: 5\n"), "{shown}");
    let described = site.run("schedule describe nightly -o json").await;
    let (_, json) = described.split_once("--- stdout\n").unwrap();
    let json: Value = serde_json::from_str(json).unwrap();
    let [run] = &json["runs"].as_array().unwrap()[..] else { panic!("not one run: {json}") };
    assert_eq!((&run["phase"], &run["due"]), (&json!("Failed"), &Value::Null));
    let error = run["result"]["error"].as_str().unwrap();
    assert!(error.starts_with("the cluster cannot be used: no usable kubeconfig: "), "{error}");
    let metrics = std::fs::read_to_string(prom).unwrap();
    assert!(metrics.contains("velero_backup_last_status{schedule=\"nightly\"} 0.0\n"), "{metrics}");
    let directory = "metadata/bowline/attempts/nightly";
    let run = std::fs::read_dir(site.path(directory)).unwrap().next().unwrap().unwrap();
    assert!(run.path().join("log.gz").exists());
}

#[tokio::test]
async fn who_cannot_be_told_does_not_change_how_it_ended_and_no_secret_is_shown() {
    let (site, _server) = site_with_cluster().await;
    add(&site, "nightly", |_| {});
    let webhook = Listener::start("403 Forbidden").await;
    let create = format!(
        "backup create --from-schedule nightly --notify-on always --notify {}/secret",
        webhook.url
    );
    let shown = site.run(&create).await;
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    assert!(shown.contains("error: nobody was notified (--notify)"), "{shown}");
    assert!(shown.contains("the server replied 403 Forbidden"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn of_a_backup_by_hand_nobody_is_told() {
    let site = Site::new();
    assert_snapshot!(site.run("backup create b --notify http://127.0.0.1:9/secret").await, @r"
    exit code: 2
    --- stderr
    error: --metrics-file, --push-gateway and --notify tell of a schedule's runs
    hint: add --from-schedule SCHEDULE
    ");
}

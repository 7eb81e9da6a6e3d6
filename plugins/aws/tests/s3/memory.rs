//! How much memory an upload takes. It has a process of its own, since the system counts by process.
#![expect(clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "the other tests need more of it")]
mod server;

use bowline_api::ObjectStore as _;

/// What is on its way, in MiB: a part that fills up, two that are sent, and as much again for
/// buffers of the system's choosing.
const ENOUGH: u64 = 48;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_megabytes_stream_through_a_fraction_of_them() {
    let server = server::Server::start().await;
    let store = server.new_store().await;
    // Everything that is loaded once is loaded now.
    store.create("first", "x".into()).await.unwrap();
    let before = peak();
    let mut upload = store.start_upload("large").await.unwrap();
    for number in 0..200 {
        upload.write(vec![number; 1 << 20].into()).await.unwrap();
    }
    upload.finish().await.unwrap();
    assert_eq!(store.head("large").await.unwrap().size, 200 << 20);
    let grown = peak() - before;
    assert!(grown < ENOUGH, "grew by {grown} MiB");
}

/// The most memory that this process ever had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

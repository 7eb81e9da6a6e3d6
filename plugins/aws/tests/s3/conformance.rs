//! A bucket does what every object store must do.

use bowline_api::contract;
use bowline_aws::{S3Options, S3Store};

use crate::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_conforms() {
    let server = Server::start().await;
    contract::object_store(|| server.new_store()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_a_bucket_conforms() {
    let server = Server::start().await;
    contract::object_store(|| async {
        let bucket = server.new_bucket().await;
        S3Store::new(S3Options { prefix: "a/b".to_owned(), ..bucket })
    })
    .await;
}

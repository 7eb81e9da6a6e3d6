//! The suite that every snapshotter passes.

use bowline_api::contract;

use crate::fixture::EbsFixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ebs_snapshotter_conforms() {
    contract::volume_snapshotter(&EbsFixture::start().await).await;
}

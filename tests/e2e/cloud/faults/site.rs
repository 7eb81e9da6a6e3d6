//! What all runs share: a cluster, an account, a namespace with claims.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bowline_testkit::cloud::Tags;
use bowline_testkit::control_plane::Options;
use bowline_testkit::{Cloud, ControlPlane};
use http::Method;

use super::super::claims;
use crate::remains::names;

/// The namespace with claims.
pub(super) const NAMESPACE: &str = "shop";
/// How many claims there are: several, so that one can fail and another not.
pub(super) const CLAIMS: usize = 2;

/// The tag that names the claim.
const CLAIM: &str = "bowline.io/claim";

/// A cluster, an account, and a namespace with claims.
pub(super) struct Site {
    pub(super) cluster: ControlPlane,
    pub(super) cloud: Cloud,
}

impl Site {
    pub(super) async fn start() -> Self {
        let cloud = Cloud::start().await.unwrap();
        let options = Options { storage: cloud.storage(), ..Options::new("east") };
        let cluster = ControlPlane::start_with(options).await.unwrap();
        claims::make(&cluster, &cloud.ec2(), NAMESPACE, CLAIMS).await;
        Self { cluster, cloud }
    }

    /// What a file or a directory of the location is on disk.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.cloud.s3_server().directory(self.cloud.bucket()).join("lab").join(path)
    }

    /// The names of what lies in a directory of the location.
    pub(super) fn files(&self, directory: &str) -> BTreeSet<String> {
        names(&self.path(directory))
    }

    /// Whether parts of an upload wait below a directory to be put together.
    pub(super) async fn has_uploads(&self, directory: &str) -> bool {
        let prefix = format!("lab/{directory}/").replace('/', "%2F");
        let path = format!("/{}?prefix={prefix}&uploads=", self.cloud.bucket());
        let reply = self.cloud.s3().request(&Method::GET, &path, &[], "").await.unwrap();
        assert!(reply.status().is_success(), "{reply:?}");
        String::from_utf8_lossy(reply.body()).contains("<UploadId>")
    }

    /// The snapshots of a backup: of which claim each is, by id.
    pub(super) async fn snapshots(&self, backup: &str) -> BTreeMap<String, String> {
        let snapshots = self.cloud.ec2().snapshots().await.unwrap();
        let is_of = |tags: &Tags| tags.get("velero.io/backup").is_some_and(|name| name == backup);
        let of_backup = snapshots.into_iter().filter(|snapshot| is_of(&snapshot.tags));
        of_backup.map(|snapshot| (snapshot.id, claim(&snapshot.tags))).collect()
    }

    /// The volumes that were made for a namespace: for which claim each is, by id.
    pub(super) async fn volumes(&self, namespace: &str) -> BTreeMap<String, String> {
        let volumes = self.cloud.ec2().volumes().await.unwrap();
        let all = volumes.into_iter().map(|volume| (volume.id, claim(&volume.tags)));
        all.filter(|(_, claim)| claim.starts_with(&format!("{namespace}/"))).collect()
    }
}

/// The claims of a namespace, as tags name them.
pub(super) fn all_claims(namespace: &str) -> Vec<String> {
    (0..CLAIMS).map(|number| format!("{namespace}/{}", claims::name(number))).collect()
}

/// Checks that no claim has two of a kind; returns the claims that have one.
#[track_caller]
pub(super) fn claims_of(case: &str, made: &BTreeMap<String, String>) -> Vec<String> {
    let claims: BTreeSet<_> = made.values().cloned().collect();
    assert_eq!(claims.len(), made.len(), "{case} made something twice: {made:?}");
    claims.into_iter().collect()
}

fn claim(tags: &Tags) -> String {
    tags.get(CLAIM).cloned().unwrap_or_default()
}

//! Which plugin a location and a volume mean. The only file that names plugin crates.

use std::path::Path;
use std::sync::Arc;

use bowline_api::VolumeSnapshotter;
use bowline_local::{DirectorySnapshotter, DirectoryStore};

use crate::engine::context::Snapshotters;
use crate::engine::model::location::{Error, Location};
use crate::engine::store::BackupStore;

/// What snapshotters are told by the command.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only EBS asks for these"))]
pub(super) struct SnapshotterOptions {
    /// The name of the cluster that new volumes are for, as the EBS CSI driver's tags have it.
    pub cluster_name: Option<String>,
    /// Accounts whose snapshots may be used besides the caller's own.
    pub trusted_accounts: Vec<String>,
    /// The KMS key of new volumes, in place of that of the old ones.
    pub kms_key_id: Option<String>,
    /// Whether AWS is set up on this machine.
    pub has_aws: bool,
}

/// Opens a location.
#[cfg_attr(
    feature = "aws",
    expect(clippy::unnecessary_wraps, reason = "a build without S3 refuses buckets")
)]
pub(super) fn store(location: &Location) -> Result<BackupStore, Error> {
    match location {
        Location::Directory(path) => Ok(directory(path)),
        #[cfg(feature = "aws")]
        Location::S3(s3) => Ok(BackupStore::new(aws::store(s3), location.to_string())),
        #[cfg(not(feature = "aws"))]
        Location::S3(_) => Err(Error::NoS3),
    }
}

/// Opens a directory of this host, which every build can.
pub(super) fn directory(path: &Path) -> BackupStore {
    let url = Location::Directory(path.to_owned()).to_string();
    BackupStore::new(Arc::new(DirectoryStore::new(path.to_owned())), url)
}

/// The snapshotters that go with a location.
///
/// Directories are copied below a directory only: a bucket has no place for the copies. EBS goes
/// with a bucket, and with a directory where AWS is set up: elsewhere nobody need wait for an answer
/// from AWS.
pub(super) fn snapshotters(location: &Location, options: SnapshotterOptions) -> Snapshotters {
    let mut snapshotters: Vec<Arc<dyn VolumeSnapshotter>> = Vec::new();
    if let Location::Directory(path) = location {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        snapshotters.push(Arc::new(DirectorySnapshotter::new(path.clone(), host)));
    }
    #[cfg(feature = "aws")]
    if options.has_aws || matches!(location, Location::S3(_)) {
        snapshotters.push(aws::snapshotter(options));
    }
    #[cfg(not(feature = "aws"))]
    drop(options);
    Snapshotters::new(snapshotters)
}

#[cfg(feature = "aws")]
mod aws {
    use std::sync::Arc;

    use bowline_api::{ObjectStore, VolumeSnapshotter};
    use bowline_aws::{Connection, EbsOptions, EbsSnapshotter, S3Options, S3Store};

    use super::SnapshotterOptions;
    use crate::engine::model::location::{Encryption, S3Location};

    pub(super) fn store(location: &S3Location) -> Arc<dyn ObjectStore> {
        let location = location.clone();
        Arc::new(S3Store::new(S3Options {
            connection: Connection {
                region: location.region,
                profile: location.profile,
                credentials_file: location.credentials_file,
                endpoint: location.endpoint,
                ca_cert: location.ca_cert,
            },
            bucket: location.bucket,
            prefix: location.prefix,
            force_path_style: location.force_path_style,
            public_url: location.public_url,
            encryption: match location.encryption {
                Encryption::Bucket => bowline_aws::Encryption::Bucket,
                Encryption::S3 => bowline_aws::Encryption::S3,
                Encryption::Kms(key) => bowline_aws::Encryption::Kms(key),
                Encryption::Customer(file) => bowline_aws::Encryption::Customer(file),
            },
            tags: location.tags,
            storage_class: location.storage_class,
            without_checksums: location.without_checksums,
        }))
    }

    /// EC2 is reached by what the environment says alone: a bucket may be in another region or
    /// account than the volumes, and its endpoint is not EC2's.
    pub(super) fn snapshotter(options: SnapshotterOptions) -> Arc<dyn VolumeSnapshotter> {
        Arc::new(EbsSnapshotter::new(EbsOptions {
            connection: Connection::default(),
            kms_key_id: options.kms_key_id,
            cluster_name: options.cluster_name,
            trusted_accounts: options.trusted_accounts,
        }))
    }
}

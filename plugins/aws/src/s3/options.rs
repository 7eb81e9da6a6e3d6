//! Which bucket, and how objects are written to it.

use std::path::PathBuf;

use crate::Connection;

/// Which bucket, and how objects are written to it.
#[derive(Clone, Debug, Default)]
pub struct S3Options {
    /// How S3 is reached.
    pub connection: Connection,
    /// The bucket, by name or by the ARN of an access point.
    pub bucket: String,
    /// What all keys start with; empty, or without a slash at either end.
    pub prefix: String,
    /// The bucket in the path of the URL instead of in the host name.
    pub force_path_style: bool,
    /// The URL that presigned URLs begin with, in place of the endpoint.
    pub public_url: Option<String>,
    /// How objects are encrypted at rest.
    pub encryption: Encryption,
    /// Tags of every object.
    pub tags: Vec<(String, String)>,
    /// The storage class of objects, such as `STANDARD_IA`.
    pub storage_class: Option<String>,
    /// Whether writes go without SHA-256 checksums (with Content-MD5 instead), for stores that know
    /// none.
    pub without_checksums: bool,
}

/// How objects are encrypted at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket does by itself.
    #[default]
    Bucket,
    /// With keys of S3 (SSE-S3).
    S3,
    /// With a key of KMS (SSE-KMS); none is the account's own for S3.
    Kms(Option<String>),
    /// With the 32 bytes of a file, which S3 does not keep (SSE-C).
    Customer(PathBuf),
}

impl S3Options {
    /// The key as S3 has it.
    pub(super) fn full_key(&self, key: &str) -> String {
        match self.prefix.as_str() {
            "" => key.to_owned(),
            prefix => format!("{prefix}/{key}"),
        }
    }

    /// The key as callers have it; none if it lies outside of the prefix.
    pub(super) fn own_key<'a>(&self, full_key: &'a str) -> Option<&'a str> {
        match self.prefix.as_str() {
            "" => Some(full_key),
            prefix => full_key.strip_prefix(prefix)?.strip_prefix('/'),
        }
    }
}

//! A bucket as a URL: `s3://bucket/prefix?region=eu-west-1`.

use std::path::PathBuf;

use bowline_api::validate_prefix;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::form_urlencoded;

use super::error::Fault;
use super::options;

/// A bucket, or the part of it below a prefix, and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct S3Location {
    /// The bucket, by name or by the ARN of an access point.
    pub bucket: String,
    /// What all keys start with; empty, or without a slash at either end.
    pub prefix: String,
    /// The region.
    pub region: Option<String>,
    /// The URL of the service, in place of AWS's own.
    pub endpoint: Option<String>,
    /// The URL that presigned URLs begin with, in place of the endpoint.
    pub public_url: Option<String>,
    /// The bucket in the path of the URL instead of in the host name.
    pub force_path_style: bool,
    /// The profile of the shared configuration files.
    pub profile: Option<String>,
    /// A credentials file in place of the shared one.
    pub credentials_file: Option<PathBuf>,
    /// How objects are encrypted at rest.
    pub encryption: Encryption,
    /// Tags of every object.
    pub tags: Vec<(String, String)>,
    /// Whether writes go without SHA-256 checksums, for stores that know none.
    pub without_checksums: bool,
    /// A file of PEM certificates that are trusted besides the system's.
    pub ca_cert: Option<PathBuf>,
    /// The storage class of objects, such as `STANDARD_IA`.
    pub storage_class: Option<String>,
}

/// How objects are encrypted at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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

const EXAMPLE: &str = "write s3://bucket/prefix?region=eu-west-1";

/// What a prefix holds that is not written as it is.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'=');

impl S3Location {
    /// Reads what follows `s3:`; `more` are options that are given apart from the URL.
    pub(super) fn parse(rest: &str, more: &[(String, String)]) -> Result<Self, Fault> {
        let rest = rest
            .strip_prefix("//")
            .ok_or_else(|| Fault::new("an S3 URL begins with s3://", EXAMPLE))?;
        if rest.contains('#') {
            return Err(Fault::new("it has a fragment", "write # as %23"));
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = split(path);
        if bucket.contains('@') {
            return Err(Fault::new(
                "it holds credentials",
                "leave them to the environment, a profile (profile=NAME) or a credentials file \
                 (credentialsFile=PATH)",
            ));
        }
        let in_url = form_urlencoded::parse(query.as_bytes()).into_owned();
        Self::of_bucket(decode(bucket)?, &decode(prefix)?, in_url.chain(more.iter().cloned()))
    }

    /// The part of a bucket below a prefix, with options.
    pub(super) fn of_bucket(
        bucket: String,
        prefix: &str,
        options: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Fault> {
        check_bucket(&bucket)?;
        let location = Self { bucket, prefix: normal(prefix)?, ..Self::default() };
        options::apply(location, options)
    }

    /// The URL, without secrets: none of the options is one.
    pub(super) fn url(&self) -> String {
        let mut url = format!("s3://{}", self.bucket);
        if !self.prefix.is_empty() {
            url = format!("{url}/{}", utf8_percent_encode(&self.prefix, IN_PATH));
        }
        let mut separator = '?';
        for (key, value) in options::of(self) {
            let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
            url = format!("{url}{separator}{key}={}", legible(&value));
            separator = '&';
        }
        url
    }
}

/// Lets stand what a query may hold as it is: URLs and paths stay readable.
fn legible(value: &str) -> String {
    value.replace("%3A", ":").replace("%2F", "/")
}

/// Splits bucket and prefix. The ARN of an access point holds a slash itself.
fn split(path: &str) -> (&str, &str) {
    let from = match path.find(":accesspoint/") {
        Some(at) if path.starts_with("arn:") => at + ":accesspoint/".len(),
        _ => 0,
    };
    match path[from..].find('/') {
        Some(at) => (&path[..from + at], &path[from + at + 1..]),
        None => (path, ""),
    }
}

fn decode(text: &str) -> Result<String, Fault> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| Fault::new("it is not UTF-8", EXAMPLE))?.into_owned())
}

/// A prefix without slashes at its ends.
fn normal(prefix: &str) -> Result<String, Fault> {
    let prefix = prefix.trim_matches('/');
    match validate_prefix(prefix) {
        Ok(()) => Ok(prefix.to_owned()),
        Err(_) => Err(Fault::new(
            format!("\"{prefix}\" is not a prefix"),
            "its parts must not be empty, nor begin with a dot, nor hold control characters",
        )),
    }
}

/// Checks the name of a bucket by S3's rules.
fn check_bucket(bucket: &str) -> Result<(), Fault> {
    if bucket.is_empty() {
        return Err(Fault::new("it names no bucket", EXAMPLE));
    }
    if bucket.starts_with("arn:") {
        let is_access_point = bucket.split(':').count() >= 6 && bucket.contains(":accesspoint");
        return if is_access_point {
            Ok(())
        } else {
            Err(Fault::new(
                format!("\"{bucket}\" is not the ARN of an access point"),
                "write a bucket by its name: s3://bucket/prefix",
            ))
        };
    }
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = (3..=63).contains(&bucket.len())
        && bucket.chars().all(|c| is_alphanumeric(c) || matches!(c, '-' | '.'))
        && bucket.starts_with(is_alphanumeric)
        && bucket.ends_with(is_alphanumeric)
        && !bucket.contains("..");
    if good {
        return Ok(());
    }
    Err(Fault::new(
        format!("\"{bucket}\" is not the name of a bucket"),
        "3 to 63 lower-case letters, digits, \"-\" and \".\", a letter or digit at both ends",
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Location;
    use super::*;

    fn location(text: &str) -> S3Location {
        match text.parse().unwrap_or_else(|error| panic!("{text}: {error}")) {
            Location::S3(location) => *location,
            other @ Location::Directory(_) => panic!("{other}"),
        }
    }

    fn refusal(text: &str) -> (String, String) {
        let error = text.parse::<Location>().unwrap_err();
        (error.to_string(), error.hint())
    }

    #[test]
    fn bucket_and_prefix_are_the_path() {
        for (text, bucket, prefix) in [
            ("s3://bucket", "bucket", ""),
            ("S3://bucket/", "bucket", ""),
            ("s3://a.b-3/x/y/?region=r", "a.b-3", "x/y"),
            ("s3://bucket//x%20y/%C3%A4%3F", "bucket", "x y/ä?"),
            (
                "s3://arn:aws:s3:eu-west-1:1:accesspoint/ap/x/y",
                "arn:aws:s3:eu-west-1:1:accesspoint/ap",
                "x/y",
            ),
            (
                "s3://arn%3Aaws%3As3%3A%3A1%3Aaccesspoint%2Fm.mrap/x",
                "arn:aws:s3::1:accesspoint/m.mrap",
                "x",
            ),
        ] {
            let found = location(text);
            assert_eq!((found.bucket.as_str(), found.prefix.as_str()), (bucket, prefix), "{text}");
        }
    }

    #[test]
    fn what_is_no_bucket_is_refused_with_the_rule() {
        for (text, reason) in [
            ("s3:bucket", "begins with s3://"),
            ("s3://", "names no bucket"),
            ("s3:///prefix", "names no bucket"),
            ("s3://Bucket", "\"Bucket\" is not the name of a bucket"),
            ("s3://ab", "is not the name of a bucket"),
            ("s3://a..b", "is not the name of a bucket"),
            ("s3://-abc", "is not the name of a bucket"),
            ("s3://arn:aws:s3:::bucket", "is not the ARN of an access point"),
            ("s3://bucket/a//b", "\"a//b\" is not a prefix"),
            ("s3://bucket/../b", "\"../b\" is not a prefix"),
            ("s3://bucket/%ff", "is not UTF-8"),
            ("s3://bucket/a#b", "has a fragment"),
        ] {
            let (error, hint) = refusal(text);
            assert!(error.contains(reason) && !hint.is_empty(), "{text}: {error}");
        }
    }

    #[test]
    fn credentials_are_refused_and_never_told() {
        let (error, hint) = refusal("s3://AKIA:secret@bucket/x?region=r");
        assert_eq!(error, "\"s3://bucket/x\" is not a location: it holds credentials");
        assert!(hint.contains("profile=NAME"), "{hint}");
    }

    #[test]
    fn the_url_stays_readable() {
        let text = "s3://bucket/shop/a%20b?region=eu-west-1&endpoint=http://127.0.0.1:9000\
                    &s3ForcePathStyle=true&caCert=/etc/ca.pem";
        assert_eq!(Location::S3(Box::new(location(text))).to_string(), text);
    }

    prop_compose! {
        fn any_location()(
            prefix in prop::collection::vec("[^/.\\\\\\p{Cc}][^/\\\\\\p{Cc}]{0,5}", 0..3),
            texts in prop::collection::vec(prop::option::of("[^\\p{Cc}]{1,8}"), 5),
            tags in prop::collection::vec(("[^\\p{Cc}]{1,4}", "[^\\p{Cc}]{0,4}"), 0..3),
            encryption in prop_oneof![
                Just(Encryption::Bucket), Just(Encryption::S3), Just(Encryption::Kms(None)),
                "[a-z:/]{1,9}".prop_map(|key| Encryption::Kms(Some(key))),
                "[a-z /]{1,9}".prop_map(|path| Encryption::Customer(path.into())),
            ],
            url in prop::option::of("https?://[a-z]{1,5}:[1-9][0-9]{0,3}"),
            force_path_style: bool,
            without_checksums: bool,
        ) -> S3Location {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().flatten();
            let mut tags: Vec<(String, String)> = tags;
            tags.dedup_by(|a, b| a.0 == b.0);
            S3Location {
                bucket: "bucket".to_owned(), prefix: prefix.join("/"), region: text(),
                endpoint: url.clone(), public_url: url, force_path_style, profile: text(),
                credentials_file: text().map(Into::into), encryption, tags, without_checksums,
                ca_cert: text().map(Into::into), storage_class: text(),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(location in any_location()) {
            let location = Location::S3(Box::new(location));
            prop_assert_eq!(location.to_string().parse::<Location>(), Ok(location));
        }
    }
}

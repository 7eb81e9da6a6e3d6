//! The options of an S3 location, under the keys that Velero has for them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use url::{Url, form_urlencoded};

use super::error::Fault;
use super::s3::{Encryption, S3Location};
use crate::engine::model::filter::closest;

/// Every option that a location may have.
///
/// Velero's, but for `endpoint` (its `s3Url`, which is understood, too) and `storageClass`.
pub const KEYS: [&str; 16] = [
    "region",
    "endpoint",
    "s3Url",
    "publicUrl",
    "s3ForcePathStyle",
    "profile",
    "credentialsFile",
    "serverSideEncryption",
    "kmsKeyId",
    "customerKeyEncryptionFile",
    "tagging",
    "storageClass",
    "checksumAlgorithm",
    "caCert",
    "enableSharedConfig",
    "signatureVersion",
];

/// Options of Velero's that will not be, with what to do instead.
const REFUSED: [(&str, &str); 2] = [
    ("insecureSkipTLSVerify", "name the certificate to trust with caCert=FILE"),
    ("customerKeyEncryptionSecret", "name a file of 32 bytes with customerKeyEncryptionFile=FILE"),
];

/// The options that decide on encryption together.
#[derive(Debug, Default)]
struct Asked {
    algorithm: Option<String>,
    kms_key_id: Option<String>,
    customer_key: Option<PathBuf>,
}

/// Sets options, each of which may come once.
pub(super) fn apply(
    mut location: S3Location,
    options: impl Iterator<Item = (String, String)>,
) -> Result<S3Location, Fault> {
    let mut seen = BTreeSet::new();
    let mut asked = Asked::default();
    for (key, value) in options {
        let name = if key == "s3Url" { "endpoint" } else { &key };
        if !seen.insert(name.to_owned()) {
            return Err(Fault::new(format!("option \"{key}\" is given twice"), "keep one of them"));
        }
        set(&mut location, &mut asked, name, value)?;
    }
    location.encryption = asked.encryption()?;
    Ok(location)
}

fn set(
    location: &mut S3Location,
    asked: &mut Asked,
    key: &str,
    value: String,
) -> Result<(), Fault> {
    if let Some((_, hint)) = REFUSED.iter().find(|(refused, _)| *refused == key) {
        return Err(Fault::new(format!("option \"{key}\" is not possible"), *hint));
    }
    if value.is_empty() && KEYS.contains(&key) && key != "checksumAlgorithm" {
        return Err(Fault::new(format!("option \"{key}\" has no value"), "leave it out"));
    }
    match key {
        "region" => location.region = Some(value),
        "endpoint" => location.endpoint = Some(address(key, value)?),
        "publicUrl" => location.public_url = Some(address(key, value)?),
        "s3ForcePathStyle" => location.force_path_style = boolean(key, &value)?,
        "profile" => location.profile = Some(value),
        "credentialsFile" => location.credentials_file = Some(value.into()),
        "serverSideEncryption" => asked.algorithm = Some(value),
        "kmsKeyId" => asked.kms_key_id = Some(value),
        "customerKeyEncryptionFile" => asked.customer_key = Some(value.into()),
        "tagging" => location.tags = tags(&value)?,
        "storageClass" => location.storage_class = Some(readable(value)?),
        "checksumAlgorithm" => location.without_checksums = without_checksums(&value)?,
        "caCert" => location.ca_cert = Some(value.into()),
        "enableSharedConfig" => only(key, &value, "true")?,
        "signatureVersion" => only(key, &value, "4")?,
        _ => return Err(unknown(key)),
    }
    Ok(())
}

/// Storage classes whose objects cannot simply be read.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// A storage class whose objects can be read at any time: backups are listed and restored from them.
fn readable(class: String) -> Result<String, Fault> {
    if ARCHIVES.iter().any(|archive| class.eq_ignore_ascii_case(archive)) {
        return Err(Fault::new(
            format!("storage class {class} is an archive, whose objects cannot be read for hours"),
            "take one that can be read at any time: STANDARD_IA, INTELLIGENT_TIERING or GLACIER_IR",
        ));
    }
    Ok(class)
}

/// The options of a location, in the order of the table.
pub(super) fn of(location: &S3Location) -> Vec<(&'static str, String)> {
    let path = |path: &PathBuf| path.display().to_string();
    let mut options = vec![
        ("region", location.region.clone()),
        ("endpoint", location.endpoint.clone()),
        ("publicUrl", location.public_url.clone()),
        ("s3ForcePathStyle", location.force_path_style.then(|| "true".to_owned())),
        ("profile", location.profile.clone()),
        ("credentialsFile", location.credentials_file.as_ref().map(path)),
    ];
    match &location.encryption {
        Encryption::Bucket => {}
        Encryption::S3 => options.push(("serverSideEncryption", Some("AES256".to_owned()))),
        Encryption::Kms(None) => options.push(("serverSideEncryption", Some("aws:kms".to_owned()))),
        Encryption::Kms(key) => options.push(("kmsKeyId", key.clone())),
        Encryption::Customer(file) => {
            options.push(("customerKeyEncryptionFile", Some(path(file))));
        }
    }
    let tags =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&location.tags).finish();
    options.extend([
        ("tagging", (!tags.is_empty()).then_some(tags)),
        ("storageClass", location.storage_class.clone()),
        ("checksumAlgorithm", location.without_checksums.then(String::new)),
        ("caCert", location.ca_cert.as_ref().map(path)),
    ]);
    options.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

impl Asked {
    fn encryption(self) -> Result<Encryption, Fault> {
        let twice = || {
            Fault::new(
                "it asks for two kinds of encryption",
                "keep one of serverSideEncryption=AES256, kmsKeyId and customerKeyEncryptionFile",
            )
        };
        match (self.algorithm.as_deref(), self.kms_key_id, self.customer_key) {
            (None, None, None) => Ok(Encryption::Bucket),
            (None, None, Some(file)) => Ok(Encryption::Customer(file)),
            (Some("AES256"), None, None) => Ok(Encryption::S3),
            (Some("aws:kms"), key, None) => Ok(Encryption::Kms(key)),
            (None, Some(key), None) => Ok(Encryption::Kms(Some(key))),
            (None | Some("AES256" | "aws:kms"), ..) => Err(twice()),
            (Some(other), ..) => Err(Fault::new(
                format!("serverSideEncryption \"{other}\" is unknown"),
                "it is AES256 or aws:kms",
            )),
        }
    }
}

fn unknown(key: &str) -> Fault {
    let hint = match closest(key, KEYS) {
        Some(similar) => format!("did you mean \"{similar}\"?"),
        None => format!("there are {}", KEYS.join(", ")),
    };
    Fault::new(format!("there is no option \"{key}\""), hint)
}

/// A URL of a server.
fn address(key: &str, value: String) -> Result<String, Fault> {
    let fault = |reason: &str| {
        Fault::new(format!("option \"{key}\" {reason}"), "write it like https://s3.example.com")
    };
    let url = Url::parse(&value).map_err(|error| fault(&format!("is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(fault("is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("holds credentials"));
    }
    Ok(value)
}

fn boolean(key: &str, value: &str) -> Result<bool, Fault> {
    let fault = || Fault::new(format!("option \"{key}\" is \"{value}\""), "it is true or false");
    value.parse().map_err(|_| fault())
}

fn only(key: &str, value: &str, possible: &str) -> Result<(), Fault> {
    if value == possible {
        return Ok(());
    }
    let reason = format!("option \"{key}\" is \"{value}\"");
    Err(Fault::new(reason, format!("it can only be {possible}: leave it out")))
}

/// Tags as S3 has them in a header: `key=value&other=value`.
fn tags(value: &str) -> Result<Vec<(String, String)>, Fault> {
    let tags: Vec<_> = form_urlencoded::parse(value.as_bytes()).into_owned().collect();
    let keys: BTreeSet<&String> = tags.iter().map(|(key, _)| key).collect();
    if keys.len() == tags.len() && !keys.iter().any(|key| key.is_empty()) {
        return Ok(tags);
    }
    Err(Fault::new(
        "option \"tagging\" has a tag twice, or one without a key",
        "write it like team%3Dshop%26env%3Dprod, each key once",
    ))
}

fn without_checksums(value: &str) -> Result<bool, Fault> {
    match value {
        "" => Ok(true),
        "CRC32" | "CRC32C" | "CRC64NVME" | "SHA1" | "SHA256" => Ok(false),
        other => Err(Fault::new(
            format!("checksumAlgorithm \"{other}\" is unknown"),
            "it is SHA256, or empty for none",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Location;
    use super::*;

    fn location(options: &str) -> S3Location {
        let text = format!("s3://bucket?{options}");
        match text.parse().unwrap_or_else(|error| panic!("{text}: {error}")) {
            Location::S3(location) => *location,
            other @ Location::Directory(_) => panic!("{other}"),
        }
    }

    fn refusal(options: &str) -> (String, String) {
        let error = format!("s3://bucket?{options}").parse::<Location>().unwrap_err();
        let message = error.to_string();
        let reason = message.strip_prefix("\"s3://bucket\" is not a location: ");
        (reason.unwrap_or_else(|| panic!("{message}")).to_owned(), error.hint())
    }

    #[test]
    fn every_key_is_known() {
        for key in KEYS {
            let option = (key.to_owned(), "?".to_owned());
            let result = apply(S3Location::default(), std::iter::once(option));
            let reason = result.err().map(|fault| fault.reason).unwrap_or_default();
            assert!(!reason.contains("no option"), "{key}: {reason}");
        }
    }

    #[test]
    fn options_are_under_veleros_keys() {
        let found = location(
            "region=r&s3Url=http://127.0.0.1:1&publicUrl=https://x.example&s3ForcePathStyle=true\
             &profile=p&credentialsFile=/c&kmsKeyId=k&tagging=a%3Db%26c%3D&storageClass=S\
             &checksumAlgorithm=&caCert=/ca&enableSharedConfig=true&signatureVersion=4",
        );
        let expected = S3Location {
            bucket: "bucket".to_owned(),
            prefix: String::new(),
            region: Some("r".to_owned()),
            endpoint: Some("http://127.0.0.1:1".to_owned()),
            public_url: Some("https://x.example".to_owned()),
            force_path_style: true,
            profile: Some("p".to_owned()),
            credentials_file: Some("/c".into()),
            encryption: Encryption::Kms(Some("k".to_owned())),
            tags: vec![("a".to_owned(), "b".to_owned()), ("c".to_owned(), String::new())],
            without_checksums: true,
            ca_cert: Some("/ca".into()),
            storage_class: Some("S".to_owned()),
        };
        assert_eq!(found, expected);
        assert!(!location("checksumAlgorithm=CRC32").without_checksums);
    }

    #[test]
    fn encryption_is_of_one_kind() {
        for (options, expected) in [
            ("", Encryption::Bucket),
            ("serverSideEncryption=AES256", Encryption::S3),
            ("serverSideEncryption=aws:kms", Encryption::Kms(None)),
            ("serverSideEncryption=aws:kms&kmsKeyId=k", Encryption::Kms(Some("k".to_owned()))),
            ("customerKeyEncryptionFile=/k", Encryption::Customer("/k".into())),
        ] {
            assert_eq!(location(options).encryption, expected, "{options}");
        }
        for options in [
            "kmsKeyId=k&customerKeyEncryptionFile=/k",
            "serverSideEncryption=AES256&kmsKeyId=k",
            "serverSideEncryption=aws:kms&customerKeyEncryptionFile=/k",
        ] {
            assert_eq!(refusal(options).0, "it asks for two kinds of encryption", "{options}");
        }
        assert_eq!(refusal("serverSideEncryption=des").1, "it is AES256 or aws:kms");
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        for (options, reason, hint) in [
            ("regoin=r", "there is no option \"regoin\"", "did you mean \"region\"?"),
            ("s3url=http://x", "there is no option \"s3url\"", "did you mean \"s3Url\"?"),
            ("region=a&region=b", "option \"region\" is given twice", "keep one of them"),
            ("s3Url=http://a&endpoint=http://b", "option \"endpoint\" is given twice", "keep one"),
            ("region=", "option \"region\" has no value", "leave it out"),
            ("s3ForcePathStyle=1", "option \"s3ForcePathStyle\" is \"1\"", "true or false"),
            ("endpoint=minio:9000", "is not an http or https URL", "https://s3.example.com"),
            ("endpoint=http://a:b@c", "holds credentials", "https://s3.example.com"),
            ("tagging=a%3Db%26a%3Dc", "a tag twice", "each key once"),
            ("checksumAlgorithm=MD5", "checksumAlgorithm \"MD5\" is unknown", "SHA256"),
            ("signatureVersion=2", "option \"signatureVersion\" is \"2\"", "only be 4"),
            ("enableSharedConfig=false", "option \"enableSharedConfig\"", "only be true"),
            ("insecureSkipTLSVerify=true", "is not possible", "caCert=FILE"),
            ("storageClass=GLACIER", "storage class GLACIER is an archive", "GLACIER_IR"),
            (
                "storageClass=deep_archive",
                "storage class deep_archive is an archive",
                "STANDARD_IA",
            ),
            ("customerKeyEncryptionSecret=s/k", "is not possible", "customerKeyEncryptionFile"),
        ] {
            let (found_reason, found_hint) = refusal(options);
            assert!(found_reason.contains(reason), "{options}: {found_reason}");
            assert!(found_hint.contains(hint), "{options}: {found_hint}");
        }
    }

    #[test]
    fn options_may_be_given_apart_from_the_url_but_not_twice() {
        let more = |key: &str| vec![(key.to_owned(), "eu-west-1".to_owned())];
        let found = Location::with_options("s3://bucket", &more("region")).unwrap();
        assert_eq!(found.to_string(), "s3://bucket?region=eu-west-1");
        let twice = Location::with_options("s3://bucket?region=a", &more("region"));
        assert!(twice.unwrap_err().to_string().contains("given twice"));
        let none = Location::with_options("file:///var", &more("region"));
        assert!(none.unwrap_err().to_string().contains("no options"));
    }
}

//! What a policy must allow for a call, after the Service Authorization Reference.

use super::call::Call;

/// The version of the API of STS, which shares the query protocol with EC2.
const STS: &str = "2011-06-15";

/// Operations of S3 whose action has another name.
const RENAMED: [(&str, &[&str]); 20] = [
    ("ListBuckets", &["ListAllMyBuckets"]),
    ("HeadBucket", &["ListBucket"]),
    ("ListObjects", &["ListBucket"]),
    ("ListObjectsV2", &["ListBucket"]),
    ("ListObjectVersions", &["ListBucketVersions"]),
    ("ListMultipartUploads", &["ListBucketMultipartUploads"]),
    ("ListParts", &["ListMultipartUploadParts"]),
    ("HeadObject", &["GetObject"]),
    ("GetObjectAttributes", &["GetObject", "GetObjectAttributes"]),
    ("CopyObject", &["GetObject", "PutObject"]),
    ("UploadPartCopy", &["GetObject", "PutObject"]),
    ("CreateMultipartUpload", &["PutObject"]),
    ("UploadPart", &["PutObject"]),
    ("CompleteMultipartUpload", &["PutObject"]),
    ("DeleteObjects", &["DeleteObject"]),
    ("GetObjectLockConfiguration", &["GetBucketObjectLockConfiguration"]),
    ("PutObjectLockConfiguration", &["PutBucketObjectLockConfiguration"]),
    ("GetBucketEncryption", &["GetEncryptionConfiguration"]),
    ("GetBucketLifecycleConfiguration", &["GetLifecycleConfiguration"]),
    ("GetPublicAccessBlock", &["GetBucketPublicAccessBlock"]),
];

/// Headers of S3 that need a right beside that of the operation.
const HEADERS: [(&str, &str); 3] = [
    ("x-amz-tagging", "PutObjectTagging"),
    ("x-amz-object-lock-mode", "PutObjectRetention"),
    ("x-amz-object-lock-legal-hold", "PutObjectLegalHold"),
];

/// Actions that are called otherwise where the request names a version.
const VERSIONED: [&str; 3] = ["GetObject", "DeleteObject", "GetObjectAttributes"];

/// The actions that a request to S3 needs.
pub(super) fn of_s3(call: &Call) -> Vec<String> {
    let renamed = RENAMED.iter().find(|(kind, _)| *kind == call.kind);
    let own = [call.kind.as_str()];
    let actions = renamed.map_or(&own[..], |(_, actions)| *actions).iter();
    let actions = actions.map(|action| {
        let versioned = call.has("versionId") && VERSIONED.contains(action);
        action.replacen("Object", if versioned { "ObjectVersion" } else { "Object" }, 1)
    });
    let asked = HEADERS.iter().filter(|(header, _)| call.headers.contains_key(*header));
    let actions = actions.chain(asked.map(|(_, action)| (*action).to_owned()));
    actions.map(|action| format!("s3:{action}")).collect()
}

/// The actions that a request to EC2 or STS needs.
pub(super) fn of_query(call: &Call) -> Vec<String> {
    let sts = call.parameters.get("Version").is_some_and(|version| version == STS);
    let service = if sts { "sts" } else { "ec2" };
    let tags = call.parameters.keys().any(|name| name.starts_with("TagSpecification."));
    let tags = tags.then(|| "ec2:CreateTags".to_owned());
    [format!("{service}:{}", call.kind)].into_iter().chain(tags).collect()
}

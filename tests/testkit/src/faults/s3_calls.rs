//! What a request to S3 asks for.
//!
//! After the "Actions" of the Amazon S3 API reference, with the bucket in the path.

use http::Method;
use http::request::Parts;
use url::form_urlencoded;

use super::call::Call;
use super::permissions;

/// Sub-resources of a bucket or an object: the name in the query, and what operations call it.
const SUBRESOURCES: [(&str, &str); 14] = [
    ("versioning", "BucketVersioning"),
    ("object-lock", "ObjectLockConfiguration"),
    ("encryption", "BucketEncryption"),
    ("location", "BucketLocation"),
    ("policy", "BucketPolicy"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("retention", "ObjectRetention"),
    ("legal-hold", "ObjectLegalHold"),
    ("attributes", "ObjectAttributes"),
    ("acl", "ObjectAcl"),
    ("restore", "Object"),
    ("tagging", "ObjectTagging"),
];

/// Fills in what the request line and the headers tell.
pub(super) fn understand(mut call: Call, request: &Parts) -> Call {
    let query = request.uri.query().unwrap_or_default();
    call.parameters = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let path = decode(request.uri.path().trim_start_matches('/'));
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    call.subject = match call.parameters.get("prefix") {
        Some(prefix) if key.is_empty() => format!("{bucket}/{prefix}"),
        _ => path.clone(),
    };
    call.kind = match (bucket, key) {
        ("", _) => "ListBuckets".to_owned(),
        (_, "") => of_bucket(&call, &request.method),
        _ => of_object(&call, &request.method),
    };
    call.actions = permissions::of_s3(&call);
    call
}

/// Decodes a path, which is as percent-encoded as a form, but for the characters that part one.
fn decode(path: &str) -> String {
    let form = path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(form.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

fn of_bucket(call: &Call, method: &Method) -> String {
    if let Some(kind) = subresource(call, method) {
        return kind;
    }
    let kind = match *method {
        Method::HEAD => "HeadBucket",
        Method::PUT => "CreateBucket",
        Method::DELETE => "DeleteBucket",
        Method::POST if call.has("delete") => "DeleteObjects",
        Method::GET if call.has("uploads") => "ListMultipartUploads",
        Method::GET if call.has("versions") => "ListObjectVersions",
        Method::GET if call.has("list-type") => "ListObjectsV2",
        Method::GET => "ListObjects",
        _ => "Unknown",
    };
    kind.to_owned()
}

fn of_object(call: &Call, method: &Method) -> String {
    if let Some(kind) = subresource(call, method) {
        return kind;
    }
    let copies = call.headers.contains_key("x-amz-copy-source");
    let kind = match *method {
        Method::HEAD => "HeadObject",
        Method::GET if call.has("uploadId") => "ListParts",
        Method::GET => "GetObject",
        Method::PUT if call.has("partNumber") && copies => "UploadPartCopy",
        Method::PUT if call.has("partNumber") => "UploadPart",
        Method::PUT if copies => "CopyObject",
        Method::PUT => "PutObject",
        Method::POST if call.has("uploads") => "CreateMultipartUpload",
        Method::POST if call.has("uploadId") => "CompleteMultipartUpload",
        Method::DELETE if call.has("uploadId") => "AbortMultipartUpload",
        Method::DELETE => "DeleteObject",
        _ => "Unknown",
    };
    kind.to_owned()
}

fn subresource(call: &Call, method: &Method) -> Option<String> {
    let (_, noun) = SUBRESOURCES.iter().find(|(name, _)| call.has(name))?;
    let verb = match *method {
        Method::GET => "Get",
        Method::PUT => "Put",
        Method::DELETE => "Delete",
        Method::POST => "Restore",
        _ => return None,
    };
    Some(format!("{verb}{noun}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::super::Service;
    use super::*;

    fn call(method: &str, path: &str, headers: &[(&str, &str)]) -> Call {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Call::new(Service::S3, &request.body(()).unwrap().into_parts().0, &Bytes::new())
    }

    #[test]
    fn a_call_is_known_by_its_method_path_and_query() {
        for (method, path, kind, actions) in [
            ("PUT", "/b/k", "PutObject", "s3:PutObject"),
            ("GET", "/b/k", "GetObject", "s3:GetObject"),
            ("HEAD", "/b/k", "HeadObject", "s3:GetObject"),
            ("HEAD", "/b", "HeadBucket", "s3:ListBucket"),
            ("GET", "/b?list-type=2&prefix=a", "ListObjectsV2", "s3:ListBucket"),
            ("GET", "/b/?uploads", "ListMultipartUploads", "s3:ListBucketMultipartUploads"),
            ("POST", "/b/k?uploads", "CreateMultipartUpload", "s3:PutObject"),
            ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart", "s3:PutObject"),
            ("POST", "/b/k?uploadId=u", "CompleteMultipartUpload", "s3:PutObject"),
            ("DELETE", "/b/k?uploadId=u", "AbortMultipartUpload", "s3:AbortMultipartUpload"),
            ("DELETE", "/b/k", "DeleteObject", "s3:DeleteObject"),
            ("DELETE", "/b/k?versionId=v", "DeleteObject", "s3:DeleteObjectVersion"),
            ("GET", "/b?versioning", "GetBucketVersioning", "s3:GetBucketVersioning"),
            ("GET", "/b?encryption", "GetBucketEncryption", "s3:GetEncryptionConfiguration"),
            (
                "GET",
                "/b?object-lock",
                "GetObjectLockConfiguration",
                "s3:GetBucketObjectLockConfiguration",
            ),
            ("GET", "/b/k?retention", "GetObjectRetention", "s3:GetObjectRetention"),
        ] {
            let call = call(method, path, &[]);
            assert_eq!((call.kind.as_str(), call.actions.join(" ").as_str()), (kind, actions));
        }
    }

    #[test]
    fn what_headers_ask_for_needs_rights_of_its_own() {
        let put = call(
            "PUT",
            "/b/k",
            &[("x-amz-tagging", "a=b"), ("x-amz-object-lock-mode", "GOVERNANCE")],
        );
        assert_eq!(put.actions, ["s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectRetention"]);
        assert_eq!(call("PUT", "/b/k", &[("x-amz-copy-source", "/b/l")]).kind, "CopyObject");
    }

    #[test]
    fn the_subject_is_the_decoded_path_or_the_prefix() {
        assert_eq!(call("PUT", "/b/a%20b/c+d=e&f", &[]).subject, "b/a b/c+d=e&f");
        assert_eq!(call("GET", "/b?list-type=2&prefix=backups%2F", &[]).subject, "b/backups/");
    }
}

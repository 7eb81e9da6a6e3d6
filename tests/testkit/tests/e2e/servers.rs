//! The S3 and EC2 servers start, do what the tests ask of them, and end.

use bowline_testkit::cloud::{NewVolume, S3Options, Tags};
use bowline_testkit::{Ec2Server, S3Server};
use http::{Method, StatusCode};

#[tokio::test]
async fn an_s3_server_keeps_objects_in_directories() {
    let server = S3Server::start().await.unwrap();
    let s3 = server.client();
    s3.create_bucket("plain").await.unwrap();
    let put = s3.request(&Method::PUT, "/plain/a/b", &[], "text").await.unwrap();
    assert_eq!(put.status(), StatusCode::OK, "{put:?}");
    assert_eq!(std::fs::read(server.directory("plain").join("a/b")).unwrap(), b"text");
}

#[tokio::test]
async fn a_locked_bucket_keeps_every_version_and_one_without_versions_refuses_overwrites() {
    let overwrite = async |versions| {
        let server = S3Server::start_with(S3Options { versions }).await.unwrap();
        let s3 = server.client();
        s3.create_locked_bucket("locked", Some(1)).await.unwrap();
        let put = async || s3.request(&Method::PUT, "/locked/a", &[], "text").await.unwrap();
        assert_eq!(put().await.status(), StatusCode::OK);
        assert_eq!(s3.keys("locked").await.unwrap(), ["a"]);
        s3.retain("locked", "a", 2).await.unwrap();
        let head = s3.request(&Method::HEAD, "/locked/a", &[], "").await.unwrap();
        assert_eq!(head.headers()["x-amz-object-lock-mode"], "COMPLIANCE");
        put().await.status()
    };
    assert_eq!(overwrite(true).await, StatusCode::OK);
    assert_eq!(overwrite(false).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_ec2_server_has_volumes_and_snapshots_with_tags() {
    let server = Ec2Server::start().await.unwrap();
    let ec2 = server.client();
    let tags = Tags::from([("owner".to_owned(), "a & b".to_owned())]);
    let wanted = NewVolume {
        iops: Some(4000),
        throughput: Some(250),
        encrypted: true,
        tags: tags.clone(),
        ..NewVolume::default()
    };
    let volume = ec2.create_volume(&wanted).await.unwrap();
    assert_eq!((volume.iops, volume.throughput), (Some(4000), Some(250)));
    assert_eq!((volume.tags.clone(), volume.kms_key.is_some()), (tags.clone(), true));
    assert_eq!(ec2.volumes().await.unwrap(), std::slice::from_ref(&volume));

    assert_eq!(ec2.snapshots().await.unwrap(), []);
    let snapshot = ec2.create_snapshot(&volume.id, &tags).await.unwrap();
    assert_eq!((snapshot.state.as_str(), &snapshot.volume), ("completed", &volume.id));
    let more = Tags::from([("more".to_owned(), String::new())]);
    ec2.create_tags(&snapshot.id, &more).await.unwrap();
    ec2.delete_tags(&snapshot.id, &["owner"]).await.unwrap();
    assert_eq!(ec2.snapshots().await.unwrap()[0].tags, more);
    assert_eq!(server.client_in("eu-west-1").snapshots().await.unwrap(), []);

    ec2.delete_snapshot(&snapshot.id).await.unwrap();
    ec2.delete_volume(&volume.id).await.unwrap();
    assert_eq!(ec2.snapshots().await.unwrap(), []);
    let error = ec2.delete_volume(&volume.id).await.unwrap_err().to_string();
    assert!(error.contains("InvalidVolume.NotFound"), "{error}");
}

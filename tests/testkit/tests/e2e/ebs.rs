//! Volumes in EC2.

use std::time::Duration;

use bowline_testkit::cloud::{NewVolume, REGION, Tags};
use bowline_testkit::control_plane::Options;
use bowline_testkit::faults::{Fate, Fault, Rule};
use bowline_testkit::{Bowline, Cloud, ControlPlane, Ec2, lab, wait};
use http::{Method, StatusCode};

const ENOUGH: Duration = Duration::from_mins(1);

#[tokio::test]
async fn the_lab_comes_up_on_volumes_in_ec2_that_go_with_their_claims() {
    let cloud = Cloud::start().await.unwrap();
    let options = Options { storage: cloud.storage(), ..Options::new("east") };
    let east = ControlPlane::start_with(options).await.unwrap();
    lab::deploy(&east).await.unwrap();

    let client = east.client().await.unwrap();
    let handles = lab::handles(&client, lab::NAMESPACE).await.unwrap();
    assert_eq!(handles.len(), lab::CLAIMS.len());
    for made in east.provisioned() {
        let claim = made.claim.strip_prefix("shop/").unwrap();
        assert_eq!(handles[claim], made.volume);
        let volume = cloud.ec2().volume(&made.volume).await.unwrap();
        assert_eq!((volume.kind.as_str(), volume.zone.as_str()), ("gp3", "us-east-1a"));
        let expected = Tags::from([
            ("ebs.csi.aws.com/cluster".to_owned(), "true".to_owned()),
            ("CSIVolumeName".to_owned(), made.persistent_volume.clone()),
            ("kubernetes.io/created-for/pv/name".to_owned(), made.persistent_volume),
            ("kubernetes.io/created-for/pvc/name".to_owned(), claim.to_owned()),
            ("kubernetes.io/created-for/pvc/namespace".to_owned(), "shop".to_owned()),
        ]);
        assert_eq!(volume.tags, expected);
    }

    let delete = ["delete", "namespace", lab::NAMESPACE, "--wait=false"];
    east.kubectl(&delete).await.unwrap().success();
    wait::until("the volumes are deleted", ENOUGH, async || {
        Ok(cloud.ec2().volumes().await?.is_empty().then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_volume_is_what_its_class_says() {
    let cloud = Cloud::start().await.unwrap();
    let storage = cloud.storage();
    let options = Options { storage, zone: "us-east-1c".to_owned(), ..Options::new("east") };
    let east = ControlPlane::start_with(options).await.unwrap();
    let manifest = east.directory().join("fast.json");
    std::fs::write(&manifest, FAST).unwrap();
    let apply = ["apply", "--filename", manifest.to_str().unwrap()];
    east.kubectl(&apply).await.unwrap().success();
    let ready = ["wait", "--for=condition=Ready", "pod/fast", "--timeout=60s"];
    east.kubectl(&ready).await.unwrap().success();

    let volume = cloud.ec2().volumes().await.unwrap().remove(0);
    assert_eq!((volume.iops, volume.throughput), (Some(4000), Some(250)));
    assert_eq!((volume.encrypted, volume.size, volume.zone.as_str()), (true, 8, "us-east-1c"));
}

#[tokio::test]
async fn a_cloud_is_reached_through_its_proxies() {
    let cloud = Cloud::start().await.unwrap();
    let sandbox = Bowline::new("/usr/bin/env").unwrap().with_cloud(&cloud);
    let environment = sandbox.run(&[]).await.unwrap().success();
    let endpoint = cloud.ec2_faults().endpoint();
    assert!(environment.contains(&format!("AWS_ENDPOINT_URL_EC2={endpoint}\n")), "{environment}");

    let ec2 = Ec2::new(&endpoint, REGION);
    cloud.ec2_faults().let_snapshots_be(Fate::Held);
    let volume = ec2.create_volume(&NewVolume::default()).await.unwrap();
    let snapshot = ec2.create_snapshot(&volume.id, &Tags::new()).await.unwrap();
    assert_eq!(snapshot.state, "pending");
    assert_eq!(ec2.snapshots().await.unwrap()[0].state, "pending");
    assert_eq!(cloud.ec2().snapshots().await.unwrap()[0].state, "completed");
    cloud.ec2_faults().finish_all();
    assert_eq!(ec2.snapshots().await.unwrap()[0].state, "completed");

    cloud.ec2_faults().inject(Rule::new("DeleteVolume", Fault::LoseReply).nth(1));
    assert!(ec2.delete_volume(&volume.id).await.is_err());
    assert_eq!(cloud.ec2().volumes().await.unwrap(), []);

    let s3 = cloud.s3().at(&cloud.s3_faults().endpoint());
    let put = async || s3.request(&Method::PUT, "/backups/a", &[], "text").await.unwrap().status();
    assert_eq!(put().await, StatusCode::OK);
    cloud.s3_faults().inject(Rule::new("PutObject", Fault::Refuse).with_key("backups/a"));
    assert_eq!(put().await, StatusCode::FORBIDDEN);
    let statuses = cloud.s3_faults().calls_of("PutObject").into_iter().map(|call| call.status);
    assert_eq!(statuses.collect::<Vec<_>>(), [Some(200), Some(403)]);
}

const FAST: &str = r#"{
  "apiVersion": "v1", "kind": "List", "items": [
    {
      "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": "fast" },
      "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer",
      "parameters": { "type": "gp3", "iops": "4000", "throughput": "250", "encrypted": "true" }
    },
    {
      "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "fast" },
      "spec": {
        "storageClassName": "fast", "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": "8Gi" } }
      }
    },
    {
      "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "fast" },
      "spec": {
        "containers": [{ "name": "main", "image": "none" }],
        "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": "fast" } }]
      }
    }
  ]
}"#;

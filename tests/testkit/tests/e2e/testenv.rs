//! The workbench.

use tokio::process::Command;

#[tokio::test]
async fn a_command_gets_its_clusters_and_its_exit_code_is_passed_on() {
    let script = r#"
        kubectl config current-context
        kubectl --context west get storageclass --output=name
        kubectl get storageclass --output=name
        bowline version >/dev/null || exit 1
        case $BOWLINE_LOCATION in
            file:///*/location) test -d "${BOWLINE_LOCATION#file://}" || exit 2;;
            *) exit 3;;
        esac
        case $BOWLINE_S3_LOCATION in s3://*/*) ;; *) exit 4;; esac
        exit 7
    "#;
    let output = Command::new(env!("CARGO_BIN_EXE_testenv"))
        .args(["--clusters", "east,west", "--", "sh", "-c", script])
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout, "east\nstorageclass.storage.k8s.io/standard\n", "{stderr}");
}

#[tokio::test]
async fn a_command_gets_volumes_in_ec2_and_a_location_in_s3() {
    let script = r#"
        kubectl get storageclass --output=jsonpath='{.items[*].provisioner}' && echo
        echo "$BOWLINE_LOCATION $AWS_REGION $AWS_EC2_METADATA_DISABLED $AWS_PROFILE"
        test -n "$AWS_ACCESS_KEY_ID" -a -n "$AWS_SECRET_ACCESS_KEY" || exit 2
        for url in "$AWS_ENDPOINT_URL_S3" "$AWS_ENDPOINT_URL_EC2" "$AWS_ENDPOINT_URL_STS"; do
            case $url in http://127.0.0.1:*) ;; *) exit 3;; esac
        done
    "#;
    let output = Command::new(env!("CARGO_BIN_EXE_testenv"))
        .args(["--volumes", "ebs", "--", "sh", "-c", script])
        .env("AWS_PROFILE", "the-callers-own")
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout, "ebs.csi.aws.com\ns3://backups/lab us-east-1 true \n", "{stderr}");
}

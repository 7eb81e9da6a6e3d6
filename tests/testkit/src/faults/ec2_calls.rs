//! What a request of the query protocol asks for.

use bytes::Bytes;
use url::form_urlencoded;

use super::call::Call;
use super::permissions;

/// Fills in what the form tells.
pub(super) fn understand(mut call: Call, body: &Bytes) -> Call {
    call.parameters = form_urlencoded::parse(body).into_owned().collect();
    call.kind = call.parameters.get("Action").cloned().unwrap_or_else(|| "Unknown".to_owned());
    let ids = call.parameters.iter().filter(|(name, _)| is_id(name));
    call.subject = ids.map(|(_, id)| id.as_str()).collect::<Vec<_>>().join(",");
    call.actions = permissions::of_query(&call);
    call
}

/// `VolumeId`, `SnapshotId.1`, `SourceSnapshotId`, `ResourceId.2` and so on.
fn is_id(parameter: &str) -> bool {
    let name = parameter.split('.').next().unwrap_or_default();
    name.ends_with("Id") && name != "KmsKeyId"
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::super::Service;
    use super::*;

    fn call(form: &'static str) -> Call {
        let request = Request::post("/").body(()).unwrap().into_parts().0;
        Call::new(Service::Ec2, &request, &Bytes::from_static(form.as_bytes()))
    }

    #[test]
    fn a_call_is_known_by_its_form() {
        let describe = call("Action=DescribeSnapshots&SnapshotId.1=a&SnapshotId.2=b&KmsKeyId=k");
        assert_eq!(
            (describe.kind.as_str(), describe.subject.as_str()),
            ("DescribeSnapshots", "a,b")
        );
        assert_eq!(describe.actions, ["ec2:DescribeSnapshots"]);
        assert!(call("Action=CreateVolume&DryRun=true").is_dry_run());
        assert!(!describe.is_dry_run());
    }

    #[test]
    fn tags_on_creation_and_the_other_service_need_rights_of_their_own() {
        let create = call("Action=CreateSnapshot&VolumeId=v&TagSpecification.1.Tag.1.Key=a");
        assert_eq!(create.actions, ["ec2:CreateSnapshot", "ec2:CreateTags"]);
        let identity = call("Action=GetCallerIdentity&Version=2011-06-15");
        assert_eq!(identity.actions, ["sts:GetCallerIdentity"]);
    }
}

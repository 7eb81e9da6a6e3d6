//! What is ordered from EC2 for a volume: pure.

use aws_sdk_ec2::operation::create_volume::CreateVolumeInput;
use aws_sdk_ec2::operation::create_volume::builders::CreateVolumeInputBuilder;
use aws_sdk_ec2::types::{ResourceType, VolumeType};
use bowline_api::{SnapshotterError, Tags, VolumeRequest, VolumeSpec};

use super::options::EbsOptions;
use super::tags;

/// The types whose IOPS are provisioned; of the last two they must be.
const WITH_IOPS: [&str; 3] = ["gp3", "io1", "io2"];
const ONLY_WITH_IOPS: [&str; 2] = ["io1", "io2"];

/// The type whose throughput is provisioned.
const WITH_THROUGHPUT: &str = "gp3";

/// The types that several machines can have at once.
const MULTI_ATTACH: [&str; 2] = ["io1", "io2"];

/// Where a volume is made, and of whose snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site<'a> {
    /// The region that is connected to.
    pub(super) region: &'a str,
    /// The account that shares the snapshot, if it is not the caller's own.
    pub(super) shared_by: Option<&'a str>,
}

/// Words a request for EC2. What the record does not say is left to the snapshot and to EC2.
pub(super) fn volume(
    request: &VolumeRequest,
    options: &EbsOptions,
    site: Site<'_>,
) -> Result<CreateVolumeInputBuilder, SnapshotterError> {
    let spec = &request.spec;
    let of_type = |types: &[&str]| types.contains(&spec.volume_type.as_str());
    let zone = spec.zone.as_deref().filter(|zone| !zone.is_empty());
    let zone = zone
        .ok_or_else(|| refused(request, "its record names no zone: give one by --zone-mappings"))?;
    let iops = positive(request, "IOPS", spec.iops.filter(|_| of_type(&WITH_IOPS)))?;
    if iops.is_none() && of_type(&ONLY_WITH_IOPS) {
        let reason = format!("its record has no IOPS, which {} needs", spec.volume_type);
        return Err(refused(request, &reason));
    }
    let throughput = spec.throughput.filter(|_| spec.volume_type == WITH_THROUGHPUT);
    let order = CreateVolumeInput::builder()
        .client_token(&request.token)
        .snapshot_id(&request.snapshot_id)
        .availability_zone(zone)
        .set_volume_type(volume_type(spec))
        .set_size(positive(request, "size", spec.size_gib)?)
        .set_iops(iops)
        .set_throughput(positive(request, "throughput", throughput)?)
        .set_multi_attach_enabled(spec.multi_attach.filter(|yes| *yes && of_type(&MULTI_ATTACH)))
        .tag_specifications(tags::specification(
            ResourceType::Volume,
            &volume_tags(request, options),
        ));
    Ok(encrypted(order, spec, options, site))
}

fn volume_tags(request: &VolumeRequest, options: &EbsOptions) -> Tags {
    tags::made_volume(request, options.cluster_name.as_deref())
}

fn volume_type(spec: &VolumeSpec) -> Option<VolumeType> {
    Some(spec.volume_type.as_str()).filter(|name| !name.is_empty()).map(VolumeType::from)
}

/// A figure as EC2 takes it. Velero records 0 for what does not apply.
fn positive(
    request: &VolumeRequest,
    name: &str,
    figure: Option<i64>,
) -> Result<Option<i32>, SnapshotterError> {
    let Some(figure) = figure.filter(|figure| *figure != 0) else { return Ok(None) };
    match i32::try_from(figure) {
        Ok(figure) if figure > 0 => Ok(Some(figure)),
        _ => Err(refused(request, &format!("its record has a {name} of {figure}"))),
    }
}

fn encrypted(
    order: CreateVolumeInputBuilder,
    spec: &VolumeSpec,
    options: &EbsOptions,
    site: Site<'_>,
) -> CreateVolumeInputBuilder {
    match (&options.kms_key_id, spec.encrypted) {
        (Some(key), _) => order.encrypted(true).kms_key_id(key),
        (None, Some(true)) => {
            let key = spec.kms_key_id.clone().filter(|key| is_at_hand(key, site));
            order.encrypted(true).set_kms_key_id(key)
        }
        (None, _) => order,
    }
}

/// Tells whether a recorded key can be used here. One of another region cannot, nor that of an
/// account that merely shares its snapshot; without a key EC2 takes the snapshot's or its default.
fn is_at_hand(key: &str, site: Site<'_>) -> bool {
    // arn:aws:kms:REGION:ACCOUNT:key/ID
    let mut parts = key.split(':').skip(3);
    let (region, account) = (parts.next(), parts.next());
    region.is_none_or(|region| region == site.region)
        && (account.is_none() || account != site.shared_by)
}

fn refused(request: &VolumeRequest, reason: &str) -> SnapshotterError {
    let what = format!("a volume like {} from {}", request.source_volume_id, request.snapshot_id);
    SnapshotterError::Refused { what, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/k-1";
    const SITE: Site<'static> = Site { region: "eu-west-1", shared_by: None };

    fn request(spec: VolumeSpec) -> VolumeRequest {
        VolumeRequest {
            same_cluster: true,
            snapshot_id: "snap-1".to_owned(),
            source_volume_id: "vol-1".to_owned(),
            persistent_volume: "pv-1".to_owned(),
            claim: "shop/data".to_owned(),
            token: "token".to_owned(),
            tags: Tags::new(),
            spec,
            nodes: [].into(),
        }
    }

    /// All that a record can hold, of one type.
    fn full(volume_type: &str) -> VolumeSpec {
        VolumeSpec {
            volume_type: volume_type.to_owned(),
            zone: Some("eu-west-1b".to_owned()),
            iops: Some(4000),
            throughput: Some(250),
            size_gib: Some(100),
            encrypted: Some(true),
            kms_key_id: Some(KEY.to_owned()),
            multi_attach: Some(true),
            tags: Tags::new(),
        }
    }

    fn ordered(spec: VolumeSpec) -> CreateVolumeInput {
        let order = volume(&request(spec), &EbsOptions::default(), SITE);
        order.unwrap().build().unwrap()
    }

    #[test]
    fn all_figures_of_a_gp3_volume_come_back() {
        let order = ordered(full("gp3"));
        assert_eq!(order.volume_type(), Some(&VolumeType::Gp3));
        assert_eq!(
            (order.iops(), order.throughput(), order.size()),
            (Some(4000), Some(250), Some(100))
        );
        assert_eq!((order.encrypted(), order.kms_key_id()), (Some(true), Some(KEY)));
        assert_eq!(order.availability_zone(), Some("eu-west-1b"));
        assert_eq!(order.client_token(), Some("token"));
        assert_eq!(order.multi_attach_enabled(), None);
    }

    #[test]
    fn a_type_gets_only_the_figures_that_it_takes() {
        for (volume_type, iops, throughput, multi_attach) in [
            ("gp2", None, None, None),
            ("gp3", Some(4000), Some(250), None),
            ("io1", Some(4000), None, Some(true)),
            ("io2", Some(4000), None, Some(true)),
            ("st1", None, None, None),
            ("sc1", None, None, None),
            ("standard", None, None, None),
        ] {
            let order = ordered(full(volume_type));
            let figures = (order.iops(), order.throughput(), order.multi_attach_enabled());
            assert_eq!(figures, (iops, throughput, multi_attach), "{volume_type}");
        }
    }

    #[test]
    fn what_a_velero_record_lacks_is_left_to_the_snapshot() {
        let zone = Some("eu-west-1b".to_owned());
        let spec = VolumeSpec { volume_type: "gp2".to_owned(), zone, ..VolumeSpec::default() };
        let order = ordered(VolumeSpec { iops: Some(0), ..spec });
        assert_eq!((order.size(), order.iops(), order.throughput()), (None, None, None));
        assert_eq!((order.encrypted(), order.kms_key_id()), (None, None));
    }

    #[test]
    fn the_key_of_the_options_goes_before_the_recorded_one() {
        let options =
            EbsOptions { kms_key_id: Some("alias/west".to_owned()), ..EbsOptions::default() };
        for encrypted in [None, Some(false), Some(true)] {
            let spec = VolumeSpec { encrypted, ..full("gp3") };
            let order = volume(&request(spec), &options, SITE).unwrap().build().unwrap();
            assert_eq!((order.encrypted(), order.kms_key_id()), (Some(true), Some("alias/west")));
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_here_is_left_out_but_not_the_encryption() {
        for site in [
            Site { region: "us-east-1", shared_by: None },
            Site { region: "eu-west-1", shared_by: Some("111122223333") },
        ] {
            let order = volume(&request(full("gp3")), &EbsOptions::default(), site).unwrap();
            let order = order.build().unwrap();
            assert_eq!((order.encrypted(), order.kms_key_id()), (Some(true), None), "{site:?}");
        }
        let other = Site { region: "eu-west-1", shared_by: Some("444455556666") };
        let order = volume(&request(full("gp3")), &EbsOptions::default(), other).unwrap();
        assert_eq!(order.build().unwrap().kms_key_id(), Some(KEY));
    }

    #[test]
    fn a_record_that_makes_no_volume_is_refused_with_the_way_out() {
        for (spec, reason) in [
            (VolumeSpec { zone: None, ..full("gp3") }, "--zone-mappings"),
            (VolumeSpec { zone: Some(String::new()), ..full("gp3") }, "--zone-mappings"),
            (VolumeSpec { iops: None, ..full("io2") }, "no IOPS"),
            (VolumeSpec { size_gib: Some(-1), ..full("gp3") }, "size of -1"),
            (VolumeSpec { size_gib: Some(1 << 40), ..full("gp3") }, "size of 1099511627776"),
        ] {
            let error = volume(&request(spec), &EbsOptions::default(), SITE).unwrap_err();
            assert!(matches!(error, SnapshotterError::Refused { .. }));
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}

//! Which objects are left to the controllers that made them. Pure.

use bowline_api::{GroupResource, ItemId};

use crate::engine::model::{Meta, OwnerReference, kinds};

/// What this restore does about an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is created, or there already and unchanged.
    Made,
    /// Its own owner makes it again.
    Remade,
    /// It is not made, lest its controller makes what cannot come back.
    Refused,
    /// It had run to its end: what is left of it is not to run again.
    Finished,
    /// It is there, and different: its controller works by what is there.
    There,
    /// None of these: it is skipped.
    Absent,
}

/// An object of the archive that owns others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// What it is called in the archive.
    pub id: ItemId,
    /// What becomes of it.
    pub fate: Fate,
}

/// Tells why this object is left to its owner, if it is not restored for that reason.
///
/// So it is only if its controller is in the archive under the recorded uid, kind, namespace and name, comes
/// back in this restore, is there or is refused, and is built in: its kind and the object's are in a fixed table.
/// `owner_by_uid` finds an object of the archive by its recorded uid.
pub(super) fn left_to_owner(
    child: &ItemId,
    reference: &OwnerReference,
    owner_by_uid: impl Fn(&str) -> Option<Owner>,
) -> Option<String> {
    let owner = owner_by_uid(&reference.uid)?;
    let remakes = kinds::remakes(&owner.id.resource, &child.resource);
    let agrees = !reference.uid.is_empty() && is_named_by(&owner.id, reference, child);
    match owner.fate {
        _ if !(remakes && agrees) => None,
        Fate::Made | Fate::Remade => Some(format!("{} makes it again", owner.id)),
        Fate::Refused => Some(format!("its owner {} is refused", owner.id)),
        Fate::Finished => Some(format!("its owner {} had finished", owner.id)),
        Fate::There => Some(format!("{} is there, and makes its own", owner.id)),
        Fate::Absent => None,
    }
}

/// Whether the controller of a built-in owner makes this object, by what it says of itself.
pub(super) fn is_remade(child: &ItemId, meta: &Meta) -> bool {
    let is_made_by = |reference: &OwnerReference| {
        let kind = reference.kind.to_ascii_lowercase();
        let plurals = [format!("{kind}s"), kind];
        let owners = plurals.map(|it| GroupResource::new(group(&reference.api_version), &it));
        owners.iter().any(|owner| kinds::remakes(owner, &child.resource))
    };
    meta.controller().is_some_and(is_made_by)
}

/// Whether a reference on `child` names this owner. An owner lives in the child's namespace.
fn is_named_by(owner: &ItemId, reference: &OwnerReference, child: &ItemId) -> bool {
    owner.name == reference.name
        && owner.namespace == child.namespace
        && is_kind_of(&reference.kind, &owner.resource)
        && group(&reference.api_version) == owner.resource.group
}

/// Whether a kind, `ReplicaSet`, is that of a resource, `replicasets`.
///
/// True for all owners in the table of built-in kinds, which is what this is asked about.
fn is_kind_of(kind: &str, resource: &GroupResource) -> bool {
    let kind = kind.to_ascii_lowercase();
    let plural = resource.resource.as_str();
    plural == kind || plural.strip_suffix('s') == Some(&kind)
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned_by(api_version: &str, kind: &str, name: &str, uid: &str) -> Meta {
        let reference = OwnerReference {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            controller: true,
        };
        Meta { owner_references: vec![reference], ..Meta::default() }
    }

    /// Why `child` is left to its owner, if `owner` with uid `u1` has this fate.
    fn maker(child: &str, meta: &Meta, owner: &str, fate: Fate) -> Option<String> {
        let owner = Owner { id: owner.parse().unwrap(), fate };
        left_to_owner(&child.parse().unwrap(), meta.controller()?, |uid| {
            (uid == "u1").then(|| owner.clone())
        })
    }

    const POD: &str = "pods/shop/nginx-ss-0";
    const SET: &str = "statefulsets.apps/shop/nginx-ss";

    #[test]
    fn a_child_is_left_to_an_owner_that_comes_back() {
        let meta = owned_by("apps/v1", "StatefulSet", "nginx-ss", "u1");
        let expected = Some("statefulsets.apps/shop/nginx-ss makes it again".to_owned());
        assert_eq!(maker(POD, &meta, SET, Fate::Made), expected);
        assert_eq!(maker(POD, &meta, SET, Fate::Remade), expected);
    }

    #[test]
    fn a_child_does_not_come_back_without_an_owner_that_is_refused() {
        let meta = owned_by("apps/v1", "StatefulSet", "nginx-ss", "u1");
        let expected = Some("its owner statefulsets.apps/shop/nginx-ss is refused".to_owned());
        assert_eq!(maker(POD, &meta, SET, Fate::Refused), expected);
    }

    #[test]
    fn what_is_left_of_a_finished_job_does_not_run_again() {
        let meta = owned_by("batch/v1", "Job", "migrate", "u1");
        let expected = Some("its owner jobs.batch/shop/migrate had finished".to_owned());
        assert_eq!(maker(POD, &meta, "jobs.batch/shop/migrate", Fate::Finished), expected);
    }

    #[test]
    fn every_built_in_owner_is_known_by_its_kind() {
        for (child, owner, version, kind) in [
            ("pods/shop/x", "replicasets.apps/shop/o", "apps/v1", "ReplicaSet"),
            ("pods/shop/x", "replicationcontrollers/shop/o", "v1", "ReplicationController"),
            ("pods/shop/x", "jobs.batch/shop/o", "batch/v1", "Job"),
            ("jobs.batch/shop/x", "cronjobs.batch/shop/o", "batch/v1", "CronJob"),
            ("replicasets.apps/shop/x", "deployments.apps/shop/o", "apps/v1", "Deployment"),
            ("controllerrevisions.apps/shop/x", "daemonsets.apps/shop/o", "apps/v1", "DaemonSet"),
            ("endpointslices.discovery.k8s.io/shop/x", "services/shop/o", "v1", "Service"),
            ("endpointslices.discovery.k8s.io/shop/x", "endpoints/shop/o", "v1", "Endpoints"),
        ] {
            let meta = owned_by(version, kind, "o", "u1");
            assert!(maker(child, &meta, owner, Fate::Made).is_some(), "{child} of {owner}");
        }
    }

    #[test]
    fn what_controllers_make_is_known_by_what_it_says_of_its_owner() {
        let remade = |child: &str, version, kind| {
            is_remade(&child.parse().unwrap(), &owned_by(version, kind, "o", "u1"))
        };
        assert!(remade(POD, "apps/v1", "StatefulSet"));
        assert!(remade("endpointslices.discovery.k8s.io/shop/x", "v1", "Endpoints"));
        assert!(!remade(POD, "example.com/v1", "StatefulSet"));
        assert!(!remade("configmaps/shop/c", "apps/v1", "StatefulSet"));
        assert!(!is_remade(&POD.parse().unwrap(), &Meta::default()));
    }

    #[test]
    fn a_child_whose_owner_does_not_come_back_is_restored() {
        let meta = owned_by("apps/v1", "StatefulSet", "nginx-ss", "u1");
        assert_eq!(maker(POD, &meta, SET, Fate::Absent), None);
        let there = maker(POD, &meta, SET, Fate::There).unwrap();
        assert!(there.ends_with("is there, and makes its own"), "{there}");
        let elsewhere = owned_by("apps/v1", "StatefulSet", "nginx-ss", "u2");
        assert_eq!(maker(POD, &elsewhere, SET, Fate::Made), None);
    }

    #[test]
    fn a_child_that_nothing_controls_is_restored() {
        let mut meta = owned_by("apps/v1", "StatefulSet", "nginx-ss", "u1");
        meta.owner_references[0].controller = false;
        assert_eq!(maker(POD, &meta, SET, Fate::Made), None);
        assert_eq!(maker(POD, &Meta::default(), SET, Fate::Made), None);
    }

    #[test]
    fn a_reference_that_disagrees_with_the_archive_is_not_believed() {
        for meta in [
            owned_by("apps/v1", "StatefulSet", "other", "u1"),
            owned_by("apps/v1", "ReplicaSet", "nginx-ss", "u1"),
            owned_by("example.com/v1", "StatefulSet", "nginx-ss", "u1"),
        ] {
            assert_eq!(maker(POD, &meta, SET, Fate::Made), None, "{meta:?}");
        }
        let meta = owned_by("apps/v1", "StatefulSet", "nginx-ss", "u1");
        let foreign = "statefulsets.apps/other/nginx-ss";
        assert_eq!(maker(POD, &meta, foreign, Fate::Made), None);
    }

    #[test]
    fn the_children_of_foreign_operators_are_restored() {
        let meta = owned_by("example.com/v1", "Widget", "main", "u1");
        let owner = "widgets.example.com/shop/main";
        assert_eq!(maker("configmaps/shop/widget-child", &meta, owner, Fate::Made), None);
    }
}

//! Storage classes and images that others take the place of.

use std::collections::BTreeMap;

use bowline_api::GroupResource;
use serde_json::Value;

use super::actions::{Alteration, Draft};
use crate::engine::model::Object;
use crate::engine::model::entries::escaped;
use crate::engine::model::fields::{map_at_mut, maps_at_mut};
use crate::engine::model::kinds::pod_spec;

/// Where a claim named its class before there was a field for it.
const FORMER_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

const CONTAINERS: &[&str] = &["containers", "initContainers", "ephemeralContainers"];

/// One entry of a map that an object made use of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// A storage class that was replaced, as recorded.
    StorageClass(String),
    /// A beginning of images' names that was replaced, as given.
    Image(String),
    /// A modifier rule whose conditions held, by its place.
    Rule(usize),
}

/// Replaces what the maps name; tells which of their entries that were.
pub(super) fn apply(draft: &mut Draft<'_>) -> Vec<Use> {
    let context = draft.context;
    let mut found = Found::default();
    if !context.storage_classes.is_empty() {
        classes(draft, &context.storage_classes, &mut found);
    }
    if !context.images.is_empty() {
        images(draft, &context.images, &mut found);
    }
    found.alterations.into_iter().for_each(|alteration| draft.alter(alteration));
    found.uses
}

#[derive(Default)]
struct Found {
    alterations: Vec<Alteration>,
    uses: Vec<Use>,
}

impl Found {
    fn note(&mut self, change: String, path: String) {
        match self.alterations.iter_mut().find(|it| it.change == change) {
            Some(alteration) => alteration.paths.push(path),
            None => self.alterations.push(Alteration { change, paths: vec![path] }),
        }
    }
}

fn classes(draft: &mut Draft<'_>, map: &BTreeMap<String, String>, found: &mut Found) {
    let resource = draft.id.resource.to_string();
    if matches!(resource.as_str(), "persistentvolumeclaims" | "persistentvolumes") {
        class_of(&mut draft.object, "", map, found);
    }
    if resource == "statefulsets.apps" {
        let claims = maps_at_mut(&mut draft.object, &["spec", "volumeClaimTemplates"]);
        for (index, claim) in claims.enumerate() {
            class_of(claim, &format!("/spec/volumeClaimTemplates/{index}"), map, found);
        }
    }
    let Some((spec, base)) = spec_of(&mut draft.object, &draft.id.resource) else { return };
    for (index, volume) in maps_at_mut(spec, &["volumes"]).enumerate() {
        if let Some(claim) = map_at_mut(volume, &["ephemeral", "volumeClaimTemplate"]) {
            let base = format!("{base}/volumes/{index}/ephemeral/volumeClaimTemplate");
            class_of(claim, &base, map, found);
        }
    }
}

/// Replaces the class of a claim, a claim template or a volume, which is at `base`.
fn class_of(claim: &mut Object, base: &str, map: &BTreeMap<String, String>, found: &mut Found) {
    let places: [(&[&str], &str); 2] =
        [(&["spec"], "storageClassName"), (&["metadata", "annotations"], FORMER_CLASS)];
    for (path, key) in places {
        let class = map_at_mut(claim, path).and_then(|map| map.get_mut(key));
        let Some(Value::String(class)) = class else { continue };
        let Some(new) = map.get(class) else { continue };
        let place = format!("{base}/{}/{}", path.join("/"), escaped(key));
        found.note(format!("storage class {class} -> {new}"), place);
        found.uses.push(Use::StorageClass(class.clone()));
        new.clone_into(class);
    }
}

fn images(draft: &mut Draft<'_>, map: &BTreeMap<String, String>, found: &mut Found) {
    let Some((spec, base)) = spec_of(&mut draft.object, &draft.id.resource) else { return };
    for containers in CONTAINERS {
        for (index, container) in maps_at_mut(spec, &[containers]).enumerate() {
            if let Some(Value::String(image)) = container.get_mut("image") {
                image_of(image, format!("{base}/{containers}/{index}/image"), map, found);
            }
        }
    }
    for (index, volume) in maps_at_mut(spec, &["volumes"]).enumerate() {
        let image = map_at_mut(volume, &["image"]).and_then(|image| image.get_mut("reference"));
        if let Some(Value::String(image)) = image {
            image_of(image, format!("{base}/volumes/{index}/image/reference"), map, found);
        }
    }
}

fn image_of(image: &mut String, place: String, map: &BTreeMap<String, String>, found: &mut Found) {
    let begins = map.iter().filter(|(old, _)| begins(image, old));
    let Some((old, new)) = begins.max_by_key(|(old, _)| old.len()) else { return };
    let replaced = format!("{new}{}", &image[old.len()..]);
    found.note(format!("image {image} -> {replaced}"), place);
    found.uses.push(Use::Image(old.clone()));
    *image = replaced;
}

/// Whether an image's name begins so, in whole parts: `hub.example.com/lib` is no beginning of
/// `hub.example.com/library/nginx`.
fn begins(image: &str, beginning: &str) -> bool {
    let Some(rest) = image.strip_prefix(beginning) else { return false };
    rest.is_empty() || beginning.ends_with('/') || rest.starts_with(['/', ':', '@'])
}

/// The specification of the pods that an object makes, and where it is.
fn spec_of<'a>(
    object: &'a mut Object,
    resource: &GroupResource,
) -> Option<(&'a mut Object, String)> {
    let path = pod_spec(resource)?;
    Some((map_at_mut(object, path)?, format!("/{}", path.join("/"))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Preparation;
    use super::super::prepare::{Prepared, prepare};
    use super::super::samples::object;
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect()
    }

    fn with_class(id: &str, recorded: Value) -> Prepared {
        let storage_classes = map(&[("gp2", "gp3"), ("unused", "gp3")]);
        let context = Preparation { storage_classes, ..Preparation::default() };
        prepare(&id.parse().unwrap(), object(recorded), &context)
    }

    fn with_image(id: &str, recorded: Value, pairs: &[(&str, &str)]) -> Prepared {
        let context = Preparation { images: map(pairs), ..Preparation::default() };
        prepare(&id.parse().unwrap(), object(recorded), &context)
    }

    #[test]
    fn a_class_is_replaced_wherever_a_claim_is_or_will_be_made_with_it() {
        let claim = json!({"metadata": {"annotations": {FORMER_CLASS: "gp2"}},
            "spec": {"storageClassName": "gp2"}});
        for id in ["persistentvolumeclaims/shop/data", "persistentvolumes/pv-1"] {
            let it = with_class(id, claim.clone());
            assert_eq!(it.object["spec"]["storageClassName"], "gp3");
            assert_eq!(it.object["metadata"]["annotations"][FORMER_CLASS], "gp3");
            assert_eq!(it.changes, ["storage class gp2 -> gp3"]);
            assert!(it.uses.contains(&Use::StorageClass("gp2".to_owned())));
        }
        let ephemeral = json!({"volumes": [{"ephemeral": {"volumeClaimTemplate": claim}}]});
        let set =
            json!({"spec": {"volumeClaimTemplates": [claim], "template": {"spec": ephemeral}}});
        let it = Value::Object(with_class("statefulsets.apps/shop/db", set).object);
        assert!(!it.to_string().contains("gp2"), "{it}");
        let cron = json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": ephemeral}}}}});
        let it = Value::Object(with_class("cronjobs.batch/shop/nightly", cron).object);
        assert!(!it.to_string().contains("gp2"), "{it}");
    }

    #[test]
    fn other_classes_and_other_kinds_are_left_alone() {
        let claim = json!({"spec": {"storageClassName": "gp2-fast"}});
        let it = with_class("persistentvolumeclaims/shop/data", claim);
        assert_eq!(it.object["spec"]["storageClassName"], "gp2-fast");
        assert!(it.changes.is_empty() && it.uses.is_empty());
        let widget = json!({"spec": {"storageClassName": "gp2"}});
        let it = with_class("widgets.example.com/shop/w", widget);
        assert_eq!(it.object["spec"]["storageClassName"], "gp2");
    }

    #[test]
    fn an_image_is_replaced_in_every_container_by_the_longest_beginning() {
        let spec = json!({"containers": [{"image": "hub.example.com/library/nginx:1.27"}],
            "initContainers": [{"image": "hub.example.com/shop/migrate@sha256:00"}],
            "volumes": [{"image": {"reference": "hub.example.com/shop/files"}}]});
        let deployment = json!({"spec": {"template": {"spec": spec}}});
        let pairs =
            [("hub.example.com", "mirror.local/hub"), ("hub.example.com/shop", "shop.local")];
        let it = with_image("deployments.apps/shop/web", deployment, &pairs);
        let spec = &it.object["spec"]["template"]["spec"];
        assert_eq!(spec["containers"][0]["image"], "mirror.local/hub/library/nginx:1.27");
        assert_eq!(spec["initContainers"][0]["image"], "shop.local/migrate@sha256:00");
        assert_eq!(spec["volumes"][0]["image"]["reference"], "shop.local/files");
        let expected =
            "image hub.example.com/library/nginx:1.27 -> mirror.local/hub/library/nginx:1.27";
        assert_eq!(it.changes[0], expected);
    }

    #[test]
    fn the_beginning_of_an_image_ends_where_a_part_of_its_name_does() {
        for (image, beginning, is_one) in [
            ("hub.example.com/library/nginx", "hub.example.com/lib", false),
            ("hub.example.com/library/nginx", "hub.example.com/library", true),
            ("hub.example.com/library/nginx", "hub.example.com/library/", true),
            ("nginx:1.27", "nginx", true),
            ("nginx@sha256:00", "nginx", true),
            ("nginx", "nginx", true),
            ("nginx-extra", "nginx", false),
            ("other/nginx", "nginx", false),
        ] {
            assert_eq!(begins(image, beginning), is_one, "{image} {beginning}");
        }
    }
}

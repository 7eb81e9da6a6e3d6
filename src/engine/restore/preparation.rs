use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};

use super::autoscaled;
use super::hooks::Treatment;
use super::owners::PlannedOwners;
use super::versions::Notes;
use crate::engine::model::filter::StatusFilter;
use crate::engine::model::modifier::Modifiers;

/// What the preparation of an object depends on, the object itself aside. The same for a whole restore.
#[derive(Clone, Debug, Default)]
pub(super) struct Preparation {
    /// Where the objects of a namespace go; unlisted namespaces keep their name.
    pub namespaces: BTreeMap<String, String>,
    /// The name of the backup.
    pub backup: String,
    /// The identity of the backup.
    pub backup_uid: String,
    /// The name of the restore.
    pub restore: String,
    /// The identity of the restore.
    pub restore_uid: String,
    /// Workloads of the target whose number of pods is an autoscaler's to decide.
    pub autoscaled: BTreeSet<autoscaled::Target>,
    /// Namespaces, as recorded, whose clone comes beside its original and must not act outward.
    pub beside: BTreeSet<String>,
    /// Node ports that Services of the target hold already, and who, as `namespace/name`.
    pub node_ports: BTreeMap<i64, String>,
    /// Bindings that the target has with subjects of its own: the names of those that a clone gets.
    pub bindings: BTreeMap<ItemId, String>,
    /// The Services of the backup in namespaces that are mapped, by namespace and name.
    pub services: BTreeSet<(String, String)>,
    /// What a person wants changed about objects.
    pub modifiers: Modifiers,
    /// Storage classes, as recorded, and those that take their place.
    pub storage_classes: BTreeMap<String, String>,
    /// Beginnings of images' names, as recorded, and those that take their place.
    pub images: BTreeMap<String, String>,
    /// Which objects get their recorded status back.
    pub status: StatusFilter,
    /// Whether jobs that had finished come back, as finished.
    pub finished_jobs: bool,
    /// What is said of objects that come back in another version than the recorded one.
    pub versions: Notes,
    /// What becomes of the owners that objects name; not known before the plan is made.
    pub owners: Option<PlannedOwners>,
    /// Whether Services keep even those node ports that the cluster chose for them.
    pub preserve_node_ports: bool,
    /// The persistent volume that this restore makes for a claim, by the claim's recorded namespace and
    /// name. A claim that is not listed names no volume.
    pub reserved: BTreeMap<(String, String), String>,
    /// Persistent volumes that get another name: as recorded, as made.
    pub renamed: BTreeMap<String, String>,
    /// How pods with hooks, and what stands between them and their controllers, are made.
    pub hooks: BTreeMap<ItemId, Treatment>,
    /// Whether nothing may reach beyond its namespaces, nor outlive them.
    pub isolated: bool,
    /// Persistent volumes, as recorded, that lead to a volume this restore did not make.
    pub reattached: BTreeSet<String>,
}

impl Preparation {
    /// Where the objects of this namespace go.
    pub(super) fn namespace<'a>(&'a self, recorded: &'a str) -> &'a str {
        self.namespaces.get(recorded).map_or(recorded, String::as_str)
    }

    /// Whether the objects of this namespace go into another one.
    pub(super) fn is_mapped(&self, recorded: &str) -> bool {
        self.namespace(recorded) != recorded
    }

    /// Whether an object is of a clone beside its original.
    pub(super) fn is_beside(&self, id: &ItemId) -> bool {
        id.namespace.as_ref().is_some_and(|namespace| self.beside.contains(namespace))
    }

    /// Who else holds a node port that this object wants, as `namespace/name`.
    pub(super) fn holder(&self, id: &ItemId, port: i64) -> Option<&str> {
        let target = self.target(id);
        let own = format!("{}/{}", target.namespace.unwrap_or_default(), target.name);
        self.node_ports.get(&port).map(String::as_str).filter(|holder| *holder != own)
    }

    /// The name that a recorded object has in the target.
    ///
    /// Namespaces are renamed by the mapping, persistent volumes where their name is in use, bindings
    /// where the target's has other subjects; every other object keeps its name.
    pub(super) fn target(&self, id: &ItemId) -> ItemId {
        let mut target = id.clone();
        target.namespace = id.namespace.as_deref().map(|it| self.namespace(it).to_owned());
        if id.resource == GroupResource::core("namespaces") {
            self.namespace(&id.name).clone_into(&mut target.name);
        }
        if id.resource == GroupResource::core("persistentvolumes") {
            self.renamed.get(&id.name).unwrap_or(&id.name).clone_into(&mut target.name);
        }
        if let Some(name) = self.bindings.get(id) {
            name.clone_into(&mut target.name);
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapping_renames_namespaces_and_moves_what_lives_in_them() {
        let context = Preparation {
            namespaces: BTreeMap::from([("shop".to_owned(), "copy".to_owned())]),
            renamed: BTreeMap::from([("pv-1".to_owned(), "pv-2".to_owned())]),
            ..Preparation::default()
        };
        for (recorded, target) in [
            ("pods/shop/shop", "pods/copy/shop"),
            ("pods/other/shop", "pods/other/shop"),
            ("namespaces/shop", "namespaces/copy"),
            ("namespaces.example.com/shop", "namespaces.example.com/shop"),
            ("persistentvolumes/pv-1", "persistentvolumes/pv-2"),
            ("persistentvolumes/shop", "persistentvolumes/shop"),
        ] {
            let id: ItemId = recorded.parse().unwrap();
            assert_eq!(context.target(&id).to_string(), target);
        }
    }
}

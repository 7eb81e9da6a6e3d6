use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{GroupResource, ItemId};

use crate::engine::model::filter::StatusFilter;

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
    /// Node ports that Services of the target hold already.
    pub taken_node_ports: BTreeSet<i64>,
    /// Which objects get their recorded status back.
    pub status: StatusFilter,
    /// Whether Services keep even those node ports that the cluster chose for them.
    pub preserve_node_ports: bool,
    /// The persistent volume that this restore makes for a claim, by the claim's recorded namespace and
    /// name. A claim that is not listed names no volume.
    pub reserved: BTreeMap<(String, String), String>,
    /// Persistent volumes that get another name: as recorded, as made.
    pub renamed: BTreeMap<String, String>,
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

    /// The name that a recorded object has in the target.
    ///
    /// Namespaces are renamed by the mapping, persistent volumes where their name is in use; every other
    /// object keeps its name.
    pub(super) fn target(&self, id: &ItemId) -> ItemId {
        let mut target = id.clone();
        target.namespace = id.namespace.as_deref().map(|it| self.namespace(it).to_owned());
        if id.resource == GroupResource::core("namespaces") {
            self.namespace(&id.name).clone_into(&mut target.name);
        }
        if id.resource == GroupResource::core("persistentvolumes") {
            self.renamed.get(&id.name).unwrap_or(&id.name).clone_into(&mut target.name);
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

//! What a cluster serves.

use bowline_api::GroupResource;

/// A kind of object in one API version, as discovery describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The group and plural name.
    pub resource: GroupResource,
    /// The API version without its group: `v1`.
    pub version: String,
    /// The kind as objects name it: `Deployment`.
    pub kind: String,
    /// The singular name: `deployment`. Empty where the server does not tell.
    pub singular: String,
    /// Short names: `deploy`.
    pub short_names: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it: `list`, `create`, ...
    pub verbs: Vec<String>,
}

impl Kind {
    /// The group and version as objects name them: `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        match self.resource.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Whether all of `verbs` are served.
    pub fn supports(&self, verbs: &[&str]) -> bool {
        verbs.iter().all(|verb| self.verbs.iter().any(|served| served == verb))
    }

    /// Whether a person's word names this kind: plural, singular, short or kind name, in any case,
    /// with or without its group.
    pub fn answers_to(&self, word: &str) -> bool {
        let word = word.to_ascii_lowercase();
        if word == self.resource.to_string() {
            return true;
        }
        let (name, group) = word.split_once('.').unwrap_or((word.as_str(), ""));
        let group_fits = group.is_empty() || group == self.resource.group;
        group_fits
            && (name == self.resource.resource
                || (!self.singular.is_empty() && name == self.singular)
                || name == self.kind.to_ascii_lowercase()
                || self.short_names.iter().any(|short| name == short))
    }
}

/// All kinds that a cluster serves, in their preferred versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The kinds, core group first, otherwise in the server's order.
    pub kinds: Vec<Kind>,
    /// Groups whose discovery failed, with the reason: an aggregated API without its backend.
    pub unavailable: Vec<(String, String)>,
    /// Every version that is served, as `apps/v1`.
    pub served: Vec<(GroupResource, String)>,
}

impl Catalog {
    /// The kind of this group and resource.
    pub fn get(&self, resource: &GroupResource) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.resource == *resource)
    }

    /// The kind that a person's word names; the first one where several do.
    pub fn resolve(&self, word: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.answers_to(word))
    }

    /// The kind in this version, if the cluster serves it.
    pub fn serves(&self, resource: &GroupResource, version: &str) -> bool {
        self.served.iter().any(|(served, v)| served == resource && v == version)
    }
}

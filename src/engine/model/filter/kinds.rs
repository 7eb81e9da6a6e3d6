//! The two sets of lists of kinds: the older for all kinds together, the newer for each scope.

use super::super::{Catalog, Kind};
use super::resources::Scope;
use super::{Error, ResourceFilter};

/// The lists of kinds as they were asked for: words that no catalog has seen yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct KindLists<'a> {
    /// Kinds that are taken.
    pub included: &'a [String],
    /// Kinds that are left out.
    pub excluded: &'a [String],
    /// Whether cluster-scoped objects are taken.
    pub include_cluster_resources: Option<bool>,
    /// Cluster-scoped kinds that are taken.
    pub included_cluster_scoped: &'a [String],
    /// Cluster-scoped kinds that are left out.
    pub excluded_cluster_scoped: &'a [String],
    /// Namespaced kinds that are taken.
    pub included_namespace_scoped: &'a [String],
    /// Namespaced kinds that are left out.
    pub excluded_namespace_scoped: &'a [String],
}

impl KindLists<'_> {
    /// Checks that lists of one set only are given.
    pub fn check(&self) -> Result<(), Error> {
        let first = |flags: &[(bool, &'static str)]| {
            flags.iter().find(|(given, _)| *given).map(|(_, flag)| *flag)
        };
        let old = first(&[
            (!self.included.is_empty(), "--include-resources"),
            (!self.excluded.is_empty(), "--exclude-resources"),
            (self.include_cluster_resources.is_some(), "--include-cluster-resources"),
        ]);
        let new = first(&[
            (!self.included_cluster_scoped.is_empty(), "--include-cluster-scoped-resources"),
            (!self.excluded_cluster_scoped.is_empty(), "--exclude-cluster-scoped-resources"),
            (!self.included_namespace_scoped.is_empty(), "--include-namespace-scoped-resources"),
            (!self.excluded_namespace_scoped.is_empty(), "--exclude-namespace-scoped-resources"),
        ]);
        match (old, new) {
            (Some(old), Some(new)) => Err(Error::MixedSets { old, new }),
            _ => Ok(()),
        }
    }

    /// Looks all words up.
    pub fn resolve(&self, catalog: &Catalog) -> Result<KindFilter, Error> {
        self.check()?;
        let resolve =
            |scope, includes, excludes| ResourceFilter::resolve(scope, includes, excludes, catalog);
        let cluster =
            resolve(Scope::Cluster, self.included_cluster_scoped, self.excluded_cluster_scoped)?;
        let namespaced = resolve(
            Scope::Namespaced,
            self.included_namespace_scoped,
            self.excluded_namespace_scoped,
        )?;
        if !self.is_scoped() {
            return Ok(KindFilter::Unscoped {
                resources: resolve(Scope::Any, self.included, self.excluded)?,
                include_cluster_resources: self.include_cluster_resources,
            });
        }
        let names_cluster = !self.included_cluster_scoped.is_empty();
        Ok(KindFilter::Scoped { cluster, names_cluster, namespaced })
    }

    fn is_scoped(&self) -> bool {
        let lists = [
            self.included_cluster_scoped,
            self.excluded_cluster_scoped,
            self.included_namespace_scoped,
            self.excluded_namespace_scoped,
        ];
        lists.iter().any(|list| !list.is_empty())
    }
}

/// Which kinds are meant. By default all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KindFilter {
    /// The older set: one pair of lists for all kinds.
    Unscoped {
        /// By name.
        resources: ResourceFilter,
        /// Whether cluster-scoped objects are meant: `false` none at all, not even Namespace
        /// objects; `true` those of `resources`; unset those, too, but only if no namespace is left
        /// out.
        include_cluster_resources: Option<bool>,
    },
    /// The newer set: a pair of lists for each scope.
    Scoped {
        /// Cluster-scoped kinds by name.
        cluster: ResourceFilter,
        /// Whether any of them was named to be included. Unless it was, they are meant only where
        /// nothing at all is filtered.
        names_cluster: bool,
        /// Namespaced kinds by name.
        namespaced: ResourceFilter,
    },
}

impl Default for KindFilter {
    fn default() -> Self {
        Self::Unscoped { resources: ResourceFilter::default(), include_cluster_resources: None }
    }
}

impl KindFilter {
    /// Whether objects of this kind are meant for their own sake.
    ///
    /// Namespace objects are meant even where a filter by namespace keeps other cluster-scoped
    /// objects out: a namespace comes with its labels.
    pub(super) fn includes(&self, kind: &Kind, all_namespaces: bool) -> bool {
        match self {
            Self::Unscoped { resources, include_cluster_resources } => {
                let in_scope = kind.namespaced
                    || include_cluster_resources.unwrap_or(is_namespaces(kind) || all_namespaces);
                in_scope && resources.includes(&kind.resource)
            }
            Self::Scoped { namespaced, .. } if kind.namespaced => {
                namespaced.includes(&kind.resource)
            }
            Self::Scoped { cluster, .. } if is_namespaces(kind) => {
                !cluster.is_excluded(&kind.resource)
            }
            Self::Scoped { cluster, names_cluster: true, .. } => cluster.includes(&kind.resource),
            Self::Scoped { cluster, namespaced, .. } => {
                cluster.is_everything() && namespaced.is_everything() && all_namespaces
            }
        }
    }

    /// Whether an object of this kind may come along with one that needs it.
    ///
    /// A namespaced one must be meant. A cluster-scoped one may, unless its kind was excluded: by
    /// name, because kinds of all scopes were named and it was not among them, or because
    /// cluster-scoped objects were refused altogether. A definition comes with its custom resources
    /// even where only these were named, since without it they are nothing; and so does a persistent
    /// volume with its claim, unless it is excluded by name.
    pub(super) fn allows_related(&self, kind: &Kind) -> bool {
        match self {
            _ if is_volumes(kind) => !self.excludes(kind),
            Self::Unscoped { resources, .. } if kind.namespaced => {
                resources.includes(&kind.resource)
            }
            Self::Unscoped { resources, include_cluster_resources } => {
                match include_cluster_resources {
                    Some(false) => false,
                    Some(true) => !resources.is_excluded(&kind.resource),
                    None if is_definitions(kind) => !resources.is_excluded(&kind.resource),
                    None => resources.includes(&kind.resource),
                }
            }
            Self::Scoped { namespaced, .. } if kind.namespaced => {
                namespaced.includes(&kind.resource)
            }
            Self::Scoped { cluster, .. } => !cluster.is_excluded(&kind.resource),
        }
    }

    /// Whether an exclude list holds this kind.
    fn excludes(&self, kind: &Kind) -> bool {
        match self {
            Self::Unscoped { resources, .. } => resources.is_excluded(&kind.resource),
            Self::Scoped { cluster, namespaced, .. } => {
                let list = if kind.namespaced { namespaced } else { cluster };
                list.is_excluded(&kind.resource)
            }
        }
    }
}

pub(super) fn is_namespaces(kind: &Kind) -> bool {
    kind.resource.group.is_empty() && kind.resource.resource == "namespaces"
}

fn is_definitions(kind: &Kind) -> bool {
    kind.resource.group == "apiextensions.k8s.io"
        && kind.resource.resource == "customresourcedefinitions"
}

fn is_volumes(kind: &Kind) -> bool {
    kind.resource.group.is_empty() && kind.resource.resource == "persistentvolumes"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::super::resources::tests::catalog;
    use super::*;

    const CLUSTER: &[&str] = &["namespaces", "storageclasses.storage.k8s.io", "*"];
    const NAMESPACED: &[&str] = &["pods", "deployments.apps", "*"];

    fn lists(lists: &[Vec<String>; 4]) -> KindLists<'_> {
        let [included_cluster_scoped, excluded_cluster_scoped, included, excluded] = lists;
        KindLists {
            included_cluster_scoped,
            excluded_cluster_scoped,
            included_namespace_scoped: included,
            excluded_namespace_scoped: excluded,
            ..KindLists::default()
        }
    }

    fn list(words: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
        subsequence(words, 0..=2).prop_map(|words| words.into_iter().map(str::to_owned).collect())
    }

    fn scoped(words: [&[&str]; 4]) -> KindFilter {
        let words = words.map(|list| list.iter().map(ToString::to_string).collect());
        lists(&words).resolve(&catalog()).unwrap()
    }

    fn kind(word: &str) -> Kind {
        catalog().resolve(word).unwrap().clone()
    }

    /// Whether the format's documentation has a kind of the newer set taken; one rule per line.
    fn documented(
        [in_cluster, out_cluster, in_ns, out_ns]: &[Vec<String>; 4],
        kind: &Kind,
        all_namespaces: bool,
    ) -> bool {
        let name = kind.resource.to_string();
        let has = |list: &[String]| list.iter().any(|word| *word == name || word == "*");
        if kind.namespaced {
            return !has(out_ns) && (in_ns.is_empty() || has(in_ns));
        }
        let nothing_is_filtered = in_cluster.is_empty()
            && out_cluster.is_empty()
            && out_ns.is_empty()
            && (in_ns.is_empty() || in_ns.contains(&"*".to_owned()))
            && all_namespaces;
        !has(out_cluster) && (nothing_is_filtered || has(in_cluster) || name == "namespaces")
    }

    proptest! {
        #[test]
        fn the_newer_set_takes_what_its_documentation_says(
            words in (list(CLUSTER), list(CLUSTER), list(NAMESPACED), list(NAMESPACED)),
            all_namespaces: bool,
        ) {
            let words: [Vec<String>; 4] = words.into();
            let Ok(filter) = lists(&words).resolve(&catalog()) else {
                return Ok(()); // a contradiction, which has a test of its own
            };
            for kind in catalog().kinds {
                let expected = documented(&words, &kind, all_namespaces);
                let included = filter.includes(&kind, all_namespaces);
                prop_assert_eq!(included, expected, "{}", kind.resource);
                // What is taken for its own sake may come along, too.
                prop_assert!(!included || filter.allows_related(&kind), "{}", kind.resource);
            }
        }

        #[test]
        fn what_others_need_comes_along_unless_the_newer_set_excludes_it(
            words in (list(CLUSTER), list(CLUSTER), list(NAMESPACED), list(NAMESPACED)),
        ) {
            let words: [Vec<String>; 4] = words.into();
            let is_scoped = words.iter().any(|list| !list.is_empty());
            let (true, Ok(filter)) = (is_scoped, lists(&words).resolve(&catalog())) else {
                return Ok(());
            };
            for kind in catalog().kinds.iter().filter(|kind| !kind.namespaced) {
                let name = kind.resource.to_string();
                let excluded = words[1].iter().any(|word| *word == name || word == "*");
                prop_assert_eq!(filter.allows_related(kind), !excluded, "{}", name);
            }
        }

        #[test]
        fn lists_of_both_sets_are_refused_and_each_set_alone_is_not(given in any::<[bool; 7]>()) {
            let words = given.map(|given| if given { vec!["*".to_owned()] } else { Vec::new() });
            let [included, excluded, _, in_cluster, out_cluster, in_ns, out_ns] = &words;
            let lists = KindLists {
                included,
                excluded,
                include_cluster_resources: given[2].then_some(false),
                included_cluster_scoped: in_cluster,
                excluded_cluster_scoped: out_cluster,
                included_namespace_scoped: in_ns,
                excluded_namespace_scoped: out_ns,
            };
            let mixed = given[..3].contains(&true) && given[3..].contains(&true);
            prop_assert_eq!(lists.check().is_err(), mixed);
            let refused = matches!(lists.resolve(&catalog()), Err(Error::MixedSets { .. }));
            prop_assert_eq!(refused, mixed);
        }
    }

    #[test]
    fn both_flags_of_a_mixture_are_named() {
        let words = ["pods".to_owned()];
        let mixed = KindLists {
            excluded: &words,
            included_namespace_scoped: &words,
            ..KindLists::default()
        };
        assert_eq!(
            mixed.check().unwrap_err().to_string(),
            "--exclude-resources cannot be used with --include-namespace-scoped-resources"
        );
    }

    #[test]
    fn one_excluded_kind_leaves_of_the_cluster_only_what_others_need() {
        let filter = scoped([&[], &["sc"], &[], &[]]);
        assert!(!filter.includes(&kind("clusterrole"), true));
        assert!(filter.allows_related(&kind("clusterrole")));
        assert!(!filter.allows_related(&kind("sc")));
        assert!(filter.includes(&kind("ns"), true) && filter.includes(&kind("po"), true));
    }

    #[test]
    fn a_definition_comes_with_its_objects_even_where_only_these_are_named() {
        let mut definitions = kind("sc");
        definitions.resource = "customresourcedefinitions.apiextensions.k8s.io".parse().unwrap();
        let mut catalog = catalog();
        catalog.kinds.push(definitions.clone());
        let allows = |included: &str, excluded: &str, cluster| {
            let lists = KindLists {
                included: &[included.to_owned()],
                excluded: &[excluded.to_owned()],
                include_cluster_resources: cluster,
                ..KindLists::default()
            };
            lists.resolve(&catalog).unwrap().allows_related(&definitions)
        };
        assert!(allows("pods", "sc", None) && allows("pods", "sc", Some(true)));
        assert!(!allows("pods", "sc", Some(false)));
        assert!(!allows("pods", "customresourcedefinitions.*", None));
    }

    #[test]
    fn a_volume_comes_with_its_claim_unless_it_is_excluded_by_name() {
        let mut volumes = kind("sc");
        volumes.resource = "persistentvolumes".parse().unwrap();
        assert!(scoped([&[], &["sc"], &["pods"], &[]]).allows_related(&volumes));
        let resources = ResourceFilter::default();
        let none = KindFilter::Unscoped { resources, include_cluster_resources: Some(false) };
        assert!(none.allows_related(&volumes) && !none.allows_related(&kind("sc")));
    }
}

//! Filtering by kind.

use std::collections::BTreeSet;

use bowline_api::GroupResource;

use super::super::{Catalog, Kind};
use super::pattern::{Pattern, is_glob};
use super::{Error, closest};

/// Which kinds are meant. By default all.
///
/// Made from words, which a catalog turns into kinds; so it knows kinds only of that catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceFilter {
    /// None includes everything.
    includes: Option<BTreeSet<GroupResource>>,
    excludes: BTreeSet<GroupResource>,
    /// Whether an exclude list was given, be it one that excludes nothing.
    is_limited: bool,
}

/// Which kinds a list may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Any,
    /// Those whose objects live in no namespace.
    Cluster,
    /// Those whose objects live in namespaces.
    Namespaced,
}

impl Scope {
    fn covers(self, kind: &Kind) -> bool {
        match self {
            Self::Any => true,
            Self::Cluster => !kind.namespaced,
            Self::Namespaced => kind.namespaced,
        }
    }
}

impl ResourceFilter {
    /// Looks the words of both lists up: names as `kubectl` takes them, or patterns such as `*.apps`.
    ///
    /// A word that names nothing is an error, and so is a pattern that includes nothing; a pattern
    /// may well exclude nothing. Only where there is another pair of lists may `*` exclude all.
    pub fn resolve(
        scope: Scope,
        includes: &[String],
        excludes: &[String],
        catalog: &Catalog,
    ) -> Result<Self, Error> {
        if scope == Scope::Any && excludes.iter().any(|word| word == "*") {
            return Err(Error::ExcludesEverything);
        }
        let out = union(excludes, |word| found(word, scope, catalog))?;
        let contradicts = |word: &&String| {
            !is_glob(word) && resolve(word, scope, catalog).is_ok_and(|it| out.contains(it))
        };
        if let Some(name) = includes.iter().find(contradicts) {
            return Err(Error::Contradiction { name: name.clone() });
        }
        let everything = includes.is_empty() || includes.iter().any(|word| word == "*");
        let named = union(includes, |word| required(word, scope, catalog))?;
        Ok(Self {
            includes: (!everything).then_some(named),
            excludes: out,
            is_limited: !excludes.is_empty(),
        })
    }

    /// Whether this kind is meant.
    pub fn includes(&self, resource: &GroupResource) -> bool {
        let included = self.includes.as_ref().is_none_or(|set| set.contains(resource));
        included && !self.is_excluded(resource)
    }

    /// Whether the exclude list holds this kind.
    pub fn is_excluded(&self, resource: &GroupResource) -> bool {
        self.excludes.contains(resource)
    }

    /// Whether nothing is filtered.
    pub fn is_everything(&self) -> bool {
        self.includes.is_none() && !self.is_limited
    }
}

/// Looks up what a word that is no pattern names, among the kinds of `scope`.
pub(super) fn resolve<'a>(
    word: &str,
    scope: Scope,
    catalog: &'a Catalog,
) -> Result<&'a GroupResource, Error> {
    let mut answering = catalog.kinds.iter().filter(|kind| kind.answers_to(word));
    if let Some(kind) = answering.clone().find(|kind| scope.covers(kind)) {
        return Ok(&kind.resource);
    }
    Err(match answering.next() {
        Some(kind) => Error::OtherScope { word: word.to_owned(), namespaced: kind.namespaced },
        None => unknown(word, scope, catalog),
    })
}

fn union(
    words: &[String],
    look_up: impl Fn(&str) -> Result<Vec<GroupResource>, Error>,
) -> Result<BTreeSet<GroupResource>, Error> {
    let sets = words.iter().map(|word| look_up(word)).collect::<Result<Vec<_>, _>>()?;
    Ok(sets.into_iter().flatten().collect())
}

fn required(word: &str, scope: Scope, catalog: &Catalog) -> Result<Vec<GroupResource>, Error> {
    let found = found(word, scope, catalog)?;
    if found.is_empty() { Err(Error::NoMatch { pattern: word.to_owned() }) } else { Ok(found) }
}

fn found(word: &str, scope: Scope, catalog: &Catalog) -> Result<Vec<GroupResource>, Error> {
    if !is_glob(word) {
        return Ok(vec![resolve(word, scope, catalog)?.clone()]);
    }
    let pattern = Pattern::new(&word.to_ascii_lowercase())?;
    let kinds = catalog.kinds.iter().filter(|kind| scope.covers(kind));
    let resources = kinds.map(|kind| &kind.resource);
    Ok(resources.filter(|resource| pattern.matches(&resource.to_string())).cloned().collect())
}

fn unknown(word: &str, scope: Scope, catalog: &Catalog) -> Error {
    let wanted = word.to_ascii_lowercase();
    let group = wanted.split_once('.').map(|(_, group)| group);
    let gone = catalog.unavailable.iter().find(|(name, _)| Some(name.as_str()) == group);
    let kinds = catalog.kinds.iter().filter(|kind| scope.covers(kind));
    let names: Vec<String> = kinds.flat_map(names).collect();
    Error::UnknownKind {
        word: word.to_owned(),
        suggestion: closest(&wanted, &names).map(str::to_owned),
        unavailable: gone.map(|(_, reason)| reason.clone()),
    }
}

fn names(kind: &Kind) -> [String; 3] {
    let resource = &kind.resource;
    [resource.resource.clone(), resource.to_string(), kind.kind.to_ascii_lowercase()]
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::pattern::tests::naive;
    use super::*;

    fn kind(kind: &str, resource: &str, short: &str, namespaced: bool) -> Kind {
        Kind {
            resource: resource.parse().unwrap(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            singular: kind.to_ascii_lowercase(),
            short_names: vec![short.to_owned()],
            namespaced,
            verbs: Vec::new(),
        }
    }

    pub(in super::super) fn catalog() -> Catalog {
        let kinds = vec![
            kind("Pod", "pods", "po", true),
            kind("Namespace", "namespaces", "ns", false),
            kind("Deployment", "deployments.apps", "deploy", true),
            kind("StatefulSet", "statefulsets.apps", "sts", true),
            kind("StorageClass", "storageclasses.storage.k8s.io", "sc", false),
            kind("ClusterRole", "clusterroles.rbac.authorization.k8s.io", "", false),
        ];
        let unavailable = vec![("metrics.k8s.io".to_owned(), "no endpoints".to_owned())];
        Catalog { kinds, unavailable, served: Vec::new() }
    }

    pub(in super::super) fn resolve(
        includes: &[&str],
        excludes: &[&str],
    ) -> Result<ResourceFilter, Error> {
        within(Scope::Any, includes, excludes)
    }

    fn within(scope: Scope, includes: &[&str], excludes: &[&str]) -> Result<ResourceFilter, Error> {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        ResourceFilter::resolve(scope, &owned(includes), &owned(excludes), &catalog())
    }

    fn taken(includes: &[&str], excludes: &[&str]) -> Vec<String> {
        let filter = resolve(includes, excludes).unwrap();
        let resources = catalog().kinds.into_iter().map(|kind| kind.resource);
        resources.filter(|r| filter.includes(r)).map(|r| r.to_string()).collect()
    }

    #[test]
    fn words_are_names_of_any_form_and_patterns() {
        assert_eq!(taken(&["po", "Deployment"], &[]), ["pods", "deployments.apps"]);
        assert_eq!(taken(&["*.apps"], &["sts"]), ["deployments.apps"]);
        assert_eq!(taken(&["*.APPS"], &["deploy"]), ["statefulsets.apps"]);
        assert_eq!(taken(&[], &["*.apps", "*.k8s.io"]), ["pods", "namespaces"]);
        assert_eq!(taken(&["*", "po"], &["ns"]).len(), 5);
        assert_eq!(taken(&[], &["*.example.com"]).len(), 6);
        assert!(resolve(&["*"], &[]).unwrap().is_everything());
        assert!(!resolve(&["pods"], &[]).unwrap().is_everything());
    }

    #[test]
    fn a_word_that_names_nothing_is_an_error_with_a_suggestion() {
        let error = resolve(&["Deplyoment"], &[]).unwrap_err();
        assert_eq!(error.to_string(), "there is no kind named \"Deplyoment\"");
        assert!(error.hint().starts_with("did you mean \"deployment\"?"), "{}", error.hint());
        let error = resolve(&[], &["widgets"]).unwrap_err();
        assert_eq!(error.hint(), "\"kubectl api-resources\" lists all kinds");
        let error = resolve(&["nodes.metrics.k8s.io"], &[]).unwrap_err();
        assert_eq!(error.hint(), "its API group does not answer: no endpoints");
    }

    #[test]
    fn lists_that_leave_nothing_over_are_refused() {
        assert_eq!(resolve(&[], &["*"]), Err(Error::ExcludesEverything));
        let pattern = "*.example.com".to_owned();
        assert_eq!(resolve(&["*.example.com"], &[]), Err(Error::NoMatch { pattern }));
        let name = "po".to_owned();
        assert_eq!(resolve(&["po"], &["pods"]), Err(Error::Contradiction { name }));
        assert!(matches!(resolve(&["a|*"], &[]), Err(Error::Pattern { .. })));
    }

    #[test]
    fn a_kind_in_the_list_of_the_other_scope_is_an_error_that_names_the_right_one() {
        let error = within(Scope::Cluster, &["po"], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"po\" is not cluster-scoped, its objects live in namespaces"
        );
        assert!(error.hint().contains("--include-namespace-scoped-resources"), "{}", error.hint());
        let error = within(Scope::Namespaced, &[], &["StorageClass"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"StorageClass\" is cluster-scoped, its objects live in no namespace"
        );
        assert!(error.hint().contains("--include-cluster-scoped-resources"), "{}", error.hint());
    }

    #[test]
    fn a_list_of_one_scope_has_patterns_and_suggestions_of_that_scope_only() {
        let only = within(Scope::Namespaced, &["*s*"], &[]).unwrap();
        assert!(only.includes(&"pods".parse().unwrap()));
        assert!(!only.includes(&"namespaces".parse().unwrap()));
        let pattern = "*.apps".to_owned();
        assert_eq!(within(Scope::Cluster, &["*.apps"], &[]), Err(Error::NoMatch { pattern }));
        let error = within(Scope::Cluster, &["pdos"], &[]).unwrap_err();
        assert!(matches!(error, Error::UnknownKind { suggestion: None, .. }), "{error:?}");
        let none = within(Scope::Cluster, &[], &["*"]).unwrap();
        assert!(none.is_excluded(&"namespaces".parse().unwrap()));
        let name = "ns".to_owned();
        let both = within(Scope::Cluster, &["ns"], &["*"]);
        assert_eq!(both, Err(Error::Contradiction { name }));
    }

    #[test]
    fn a_list_that_excludes_nothing_is_a_list_all_the_same() {
        assert!(!resolve(&[], &["*.example.com"]).unwrap().is_everything());
        assert!(resolve(&[], &[]).unwrap().is_everything());
    }

    proptest! {
        #[test]
        fn a_kind_is_included_where_some_include_and_no_exclude_matches(
            includes in prop::collection::vec("[*]?[ds.]?[*][s.]?(apps|k8s.io)?[*]?", 0..3),
            excludes in prop::collection::vec("[*]?[ds][*](apps|io)?", 0..3),
        ) {
            prop_assume!(!includes.iter().chain(&excludes).any(|text| text.contains("**")));
            let Ok(filter) = ResourceFilter::resolve(Scope::Any, &includes, &excludes, &catalog()) else {
                return Ok(()); // includes nothing, which has a test of its own
            };
            for Kind { resource, .. } in catalog().kinds {
                let hit = |list: &[String]| list.iter().any(|p| naive(p, &resource.to_string()));
                let expected = (includes.is_empty() || hit(&includes)) && !hit(&excludes);
                prop_assert_eq!(filter.includes(&resource), expected, "{}", resource);
            }
        }
    }
}

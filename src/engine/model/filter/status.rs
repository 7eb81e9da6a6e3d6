//! Which objects get their recorded status back.

use std::collections::BTreeSet;

use bowline_api::GroupResource;

use super::super::{Catalog, kinds};
use super::pattern::is_glob;
use super::resources::{Scope, resolve};
use super::{Error, ResourceFilter};

/// Which objects get their recorded status back. By default those only that ask for it themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusFilter {
    /// None if no kind was asked for: excluding has no effect alone.
    kinds: Option<ResourceFilter>,
    /// Kinds that were asked for by name, not by a pattern.
    named: BTreeSet<GroupResource>,
}

impl StatusFilter {
    /// Looks the words of both lists up.
    ///
    /// It is an error to name a kind whose status never comes back.
    pub fn resolve(
        includes: &[String],
        excludes: &[String],
        catalog: &Catalog,
    ) -> Result<Self, Error> {
        let filter = ResourceFilter::resolve(Scope::Any, includes, excludes, catalog)?;
        let mut named = BTreeSet::new();
        for word in includes.iter().filter(|word| !is_glob(word)) {
            let resource = resolve(word, Scope::Any, catalog)?;
            let never = kinds::never_restored(resource);
            if let Some(reason) = never.or_else(|| kinds::status_never_restored(resource)) {
                return Err(Error::StatusNeverRestored { word: word.clone(), reason });
            }
            named.insert(resource.clone());
        }
        Ok(Self { kinds: (!includes.is_empty()).then_some(filter), named })
    }

    /// Whether an object of this kind gets its status back; `wish` is what it says itself.
    ///
    /// A pattern does not ask for a status that the cluster works out: that of built-in kinds.
    pub fn includes(&self, resource: &GroupResource, wish: Option<bool>) -> bool {
        if kinds::status_never_restored(resource).is_some() {
            return false;
        }
        let asked = |filter: &ResourceFilter| {
            filter.includes(resource)
                && (self.named.contains(resource) || !kinds::works_status_out(resource))
        };
        wish.unwrap_or_else(|| self.kinds.as_ref().is_some_and(asked))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::super::Kind;
    use super::super::resources::tests::catalog;
    use super::*;

    /// A catalog with a custom kind beside the built-in ones.
    fn with_widgets() -> Catalog {
        let mut catalog = catalog();
        catalog.kinds.push(Kind {
            resource: "widgets.example.com".parse().unwrap(),
            version: "v1".to_owned(),
            kind: "Widget".to_owned(),
            singular: "widget".to_owned(),
            short_names: vec!["wd".to_owned()],
            namespaced: true,
            verbs: Vec::new(),
        });
        catalog
    }

    fn filter(includes: &[&str], excludes: &[&str]) -> Result<StatusFilter, Error> {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        StatusFilter::resolve(&owned(includes), &owned(excludes), &with_widgets())
    }

    #[test]
    fn a_kind_whose_status_is_never_restored_cannot_be_named() {
        let error = filter(&["po"], &[]).unwrap_err();
        assert!(
            matches!(&error, Error::StatusNeverRestored { word, .. } if word == "po"),
            "{error}"
        );
        assert!(filter(&["wd", "deploy"], &["po"]).is_ok());
        assert!(matches!(filter(&["wigdets"], &[]), Err(Error::UnknownKind { .. })));
        assert!(matches!(filter(&[], &["wigdets"]), Err(Error::UnknownKind { .. })));
    }

    proptest! {
        /// Against the rules, written out as one table.
        #[test]
        fn a_status_comes_back_where_a_list_or_the_object_asks_for_it(
            kind in select(vec!["pods", "deployments.apps", "widgets.example.com"]),
            include in select(vec!["", "*", "*.example.com", "deploy", "wd"]),
            exclude in select(vec!["", "deploy", "wd"]),
            wish: Option<bool>,
        ) {
            prop_assume!(include.is_empty() || include != exclude);
            let list = |word: &'static str| [word].into_iter().filter(|it| !it.is_empty());
            let filter = filter(
                &list(include).collect::<Vec<_>>(),
                &list(exclude).collect::<Vec<_>>(),
            ).unwrap();
            let listed = match kind {
                "widgets.example.com" => {
                    matches!(include, "*" | "*.example.com" | "wd") && exclude != "wd"
                }
                "deployments.apps" => include == "deploy",
                _ => false,
            };
            let expected = kind != "pods" && wish.unwrap_or(listed);
            prop_assert_eq!(filter.includes(&kind.parse().unwrap(), wish), expected);
        }
    }
}

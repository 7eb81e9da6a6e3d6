//! All filters of an operation together.

use super::super::selector::Selector;
use super::super::{Kind, Meta};
use super::{NamespaceFilter, ResourceFilter};

/// Which objects an operation is about. By default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// By namespace.
    pub namespaces: NamespaceFilter,
    /// By kind.
    pub resources: ResourceFilter,
    /// Whether cluster-scoped objects are meant: `false` none at all, not even Namespace objects;
    /// `true` those of [`Self::resources`]; unset those, too, but only if no namespace is left out.
    pub include_cluster_resources: Option<bool>,
    /// By label.
    pub selector: Option<Selector>,
}

impl Filters {
    /// Whether objects of this kind are to be listed at all.
    ///
    /// Namespace objects are meant even where the namespace filter keeps other cluster-scoped
    /// objects out: a namespace comes with its labels.
    pub fn includes_kind(&self, kind: &Kind) -> bool {
        let in_scope = kind.namespaced
            || match self.include_cluster_resources {
                Some(wanted) => wanted,
                None => is_namespaces(kind) || self.namespaces.is_everything(),
            };
        in_scope && self.resources.includes(&kind.resource)
    }

    /// Whether this object is meant for its own sake, not for that of another.
    ///
    /// A Namespace object may also be taken because something in it is, which is not asked here.
    pub fn includes_item(&self, kind: &Kind, meta: &Meta) -> bool {
        let in_namespace = meta.namespace.as_deref().is_none_or(|ns| self.namespaces.includes(ns));
        self.includes_kind(kind)
            && in_namespace
            && if is_namespaces(kind) { self.includes_namespace(meta) } else { self.selects(meta) }
    }

    /// Whether this namespace is meant: by name, or, if no name is given, by the label selector.
    fn includes_namespace(&self, meta: &Meta) -> bool {
        let named = !self.namespaces.is_everything();
        self.namespaces.includes(&meta.name) && (named || self.selects(meta))
    }

    fn selects(&self, meta: &Meta) -> bool {
        self.selector.as_ref().is_none_or(|selector| selector.matches(&meta.labels))
    }

    /// Whether an object that another one needs may come along, whatever its labels.
    ///
    /// A cluster-scoped one may, unless its kind was excluded, by name or because kinds were named
    /// and it was not among them, or cluster-scoped objects were refused altogether.
    pub fn allows_related(&self, kind: &Kind, namespace: Option<&str>) -> bool {
        if kind.namespaced {
            let in_namespace = namespace.is_some_and(|name| self.namespaces.includes(name));
            return in_namespace && self.resources.includes(&kind.resource);
        }
        match self.include_cluster_resources {
            Some(false) => false,
            Some(true) => !self.resources.is_excluded(&kind.resource),
            None => self.resources.includes(&kind.resource),
        }
    }
}

fn is_namespaces(kind: &Kind) -> bool {
    kind.resource.group.is_empty() && kind.resource.resource == "namespaces"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::namespaces::tests::filter;
    use super::super::resources::tests::{catalog, resolve};
    use super::*;

    fn kind(word: &str) -> Kind {
        catalog().resolve(word).unwrap().clone()
    }

    fn meta(namespace: Option<&str>, name: &str, labels: &[(&str, &str)]) -> Meta {
        let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let namespace = namespace.map(str::to_owned);
        Meta { namespace, name: name.to_owned(), labels: labels.collect(), ..Meta::default() }
    }

    fn in_namespace(namespace: &str) -> Filters {
        Filters { namespaces: filter(&[namespace], &[]), ..Filters::default() }
    }

    fn listed(filters: &Filters) -> Vec<String> {
        let kinds = catalog().kinds.into_iter().filter(|kind| filters.includes_kind(kind));
        kinds.map(|kind| kind.kind).collect()
    }

    #[test]
    fn without_filters_everything_is_taken() {
        assert_eq!(listed(&Filters::default()).len(), catalog().kinds.len());
    }

    #[test]
    fn a_namespace_filter_leaves_of_the_cluster_only_the_namespace() {
        let filters = in_namespace("shop");
        assert_eq!(listed(&filters), ["Pod", "Namespace", "Deployment", "StatefulSet"]);
        let filters = Filters { include_cluster_resources: Some(true), ..filters };
        assert_eq!(listed(&filters).len(), catalog().kinds.len());
    }

    #[test]
    fn without_cluster_resources_not_even_the_namespace_is_taken() {
        let filters = Filters { include_cluster_resources: Some(false), ..Filters::default() };
        assert_eq!(listed(&filters), ["Pod", "Deployment", "StatefulSet"]);
        assert!(!filters.allows_related(&kind("sc"), None));
    }

    #[test]
    fn namespaces_are_subject_to_the_resource_lists() {
        let resources = resolve(&["pods"], &[]).unwrap();
        assert_eq!(listed(&Filters { resources, ..in_namespace("shop") }), ["Pod"]);
    }

    #[test]
    fn a_named_namespace_needs_no_label_but_an_unnamed_one_does() {
        let selector = Some("app=web".parse().unwrap());
        let (shop, labelled) = (meta(None, "shop", &[]), meta(None, "shop", &[("app", "web")]));
        let filters = Filters { selector: selector.clone(), ..Filters::default() };
        assert!(!filters.includes_item(&kind("ns"), &shop));
        assert!(filters.includes_item(&kind("ns"), &labelled));
        let filters = Filters { selector, ..in_namespace("shop") };
        assert!(filters.includes_item(&kind("ns"), &shop));
        assert!(!filters.includes_item(&kind("ns"), &meta(None, "dev", &[("app", "web")])));
    }

    #[test]
    fn what_another_object_needs_comes_along_unless_its_kind_was_left_out() {
        let class = kind("sc");
        assert!(in_namespace("shop").allows_related(&class, None));
        let by = |includes: &[&str], excludes: &[&str], cluster| {
            let resources = resolve(includes, excludes).unwrap();
            Filters { resources, include_cluster_resources: cluster, ..in_namespace("shop") }
                .allows_related(&class, None)
        };
        assert!(!by(&[], &["sc"], None));
        assert!(!by(&[], &["sc"], Some(true)));
        assert!(!by(&["pods"], &[], None));
        assert!(by(&["pods"], &[], Some(true)));
        assert!(by(&["pods", "sc"], &[], None));
        let filters = in_namespace("shop");
        assert!(filters.allows_related(&kind("po"), Some("shop")));
        assert!(!filters.allows_related(&kind("po"), Some("dev")));
    }

    proptest! {
        /// Against the rules of the format's documentation, written out as one table.
        #[test]
        fn an_object_is_taken_where_namespace_kind_scope_and_label_say_so(
            index in 0usize..6,
            only_shop: bool,
            without_shop: bool,
            cluster: Option<bool>,
            only_kind: Option<bool>,
            selected: Option<bool>,
            in_shop: bool,
        ) {
            prop_assume!(!(only_shop && without_shop));
            let kind = catalog().kinds.remove(index);
            let word = kind.resource.to_string();
            let listed = |yes: bool| if yes { vec![word.as_str()] } else { Vec::new() };
            let shop = |yes: bool| if yes { vec!["shop"] } else { Vec::new() };
            let filters = Filters {
                namespaces: filter(&shop(only_shop), &shop(without_shop)),
                resources: resolve(&listed(only_kind == Some(true)), &listed(only_kind == Some(false)))
                    .unwrap(),
                include_cluster_resources: cluster,
                selector: selected.map(|_| "app=web".parse().unwrap()),
            };
            let place = if in_shop { "shop" } else { "dev" };
            let (namespace, name) =
                if kind.namespaced { (Some(place), "x") } else { (None, place) };
            let labels: &[_] = if selected == Some(true) { &[("app", "web")] } else { &[] };
            let meta = meta(namespace, name, labels);

            let everywhere = !only_shop && !without_shop;
            let place_fits = everywhere || (in_shop == only_shop);
            let is_namespace = kind.kind == "Namespace";
            let scope_fits = match (kind.namespaced, cluster) {
                (true, _) | (false, Some(true)) => true,
                (false, Some(false)) => false,
                (false, None) => everywhere || is_namespace,
            };
            let name_counts = kind.namespaced || is_namespace;
            let label_fits = selected != Some(false) || (is_namespace && !everywhere);
            let expected = only_kind != Some(false)
                && scope_fits
                && (place_fits || !name_counts)
                && label_fits;
            prop_assert_eq!(filters.includes_item(&kind, &meta), expected);
        }
    }
}

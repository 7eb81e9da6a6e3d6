//! All filters of an operation together.

use super::super::selector::Selectors;
use super::super::{Kind, Meta};
use super::kinds::is_namespaces;
use super::{KindFilter, NamespaceFilter};

/// Which objects an operation is about. By default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// By namespace.
    pub namespaces: NamespaceFilter,
    /// By kind.
    pub kinds: KindFilter,
    /// By label.
    pub selectors: Selectors,
}

impl Filters {
    /// Whether objects of this kind are to be listed at all.
    pub fn includes_kind(&self, kind: &Kind) -> bool {
        self.kinds.includes(kind, self.namespaces.is_everything())
    }

    /// Whether an object of this kind in this namespace, if any, may be meant for its own sake.
    pub fn may_include(&self, kind: &Kind, namespace: Option<&str>) -> bool {
        self.includes_kind(kind) && namespace.is_none_or(|name| self.namespaces.includes(name))
    }

    /// Whether this object is meant for its own sake, not for that of another.
    ///
    /// A Namespace object may also be taken because something in it is, which is not asked here.
    pub fn includes_item(&self, kind: &Kind, meta: &Meta) -> bool {
        self.may_include(kind, meta.namespace.as_deref())
            && if is_namespaces(kind) { self.includes_namespace(meta) } else { self.selects(meta) }
    }

    /// Whether this namespace is meant: by name, or, if no name is given, by the label selector.
    fn includes_namespace(&self, meta: &Meta) -> bool {
        let named = !self.namespaces.is_everything();
        self.namespaces.includes(&meta.name) && (named || self.selects(meta))
    }

    fn selects(&self, meta: &Meta) -> bool {
        self.selectors.matches(&meta.labels)
    }

    /// Whether an object that another one needs may come along, whatever its labels.
    pub fn allows_related(&self, kind: &Kind, namespace: Option<&str>) -> bool {
        let in_namespace = namespace.is_some_and(|name| self.namespaces.includes(name));
        (in_namespace || !kind.namespaced) && self.kinds.allows_related(kind)
    }
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

    fn unscoped(includes: &[&str], excludes: &[&str], cluster: Option<bool>) -> KindFilter {
        let resources = resolve(includes, excludes).unwrap();
        KindFilter::Unscoped { resources, include_cluster_resources: cluster }
    }

    fn cluster_scoped(wanted: Option<bool>) -> KindFilter {
        unscoped(&[], &[], wanted)
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
        let filters = Filters { kinds: cluster_scoped(Some(true)), ..filters };
        assert_eq!(listed(&filters).len(), catalog().kinds.len());
    }

    #[test]
    fn without_cluster_resources_not_even_the_namespace_is_taken() {
        let filters = Filters { kinds: cluster_scoped(Some(false)), ..Filters::default() };
        assert_eq!(listed(&filters), ["Pod", "Deployment", "StatefulSet"]);
        assert!(!filters.allows_related(&kind("sc"), None));
    }

    #[test]
    fn namespaces_are_subject_to_the_resource_lists() {
        let kinds = unscoped(&["pods"], &[], None);
        assert_eq!(listed(&Filters { kinds, ..in_namespace("shop") }), ["Pod"]);
    }

    #[test]
    fn a_named_namespace_needs_no_label_but_an_unnamed_one_does() {
        let selectors: Selectors = "app=web".parse().unwrap();
        let (shop, labelled) = (meta(None, "shop", &[]), meta(None, "shop", &[("app", "web")]));
        let filters = Filters { selectors: selectors.clone(), ..Filters::default() };
        assert!(!filters.includes_item(&kind("ns"), &shop));
        assert!(filters.includes_item(&kind("ns"), &labelled));
        let filters = Filters { selectors, ..in_namespace("shop") };
        assert!(filters.includes_item(&kind("ns"), &shop));
        assert!(!filters.includes_item(&kind("ns"), &meta(None, "dev", &[("app", "web")])));
    }

    #[test]
    fn what_another_object_needs_comes_along_unless_its_kind_was_left_out() {
        let class = kind("sc");
        assert!(in_namespace("shop").allows_related(&class, None));
        let by = |includes: &[&str], excludes: &[&str], cluster| {
            Filters { kinds: unscoped(includes, excludes, cluster), ..in_namespace("shop") }
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
                kinds: unscoped(
                    &listed(only_kind == Some(true)), &listed(only_kind == Some(false)), cluster,
                ),
                selectors: selected.map(|_| "app=web".parse().unwrap()).unwrap_or_default(),
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

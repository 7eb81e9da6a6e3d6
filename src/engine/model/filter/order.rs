//! Which objects of a kind are taken before the others.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use bowline_api::ItemId;

use super::super::{Catalog, Kind};
use super::Error;
use super::resources::{Scope, resolve};

/// Names of objects by kind, in the order in which they are taken; the others of the kind follow.
///
/// Kinds are words that a catalog understands; names are `namespace/name`, or a bare name where the
/// kind has no namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order(BTreeMap<String, Vec<String>>);

impl Order {
    /// Reads the form in which Velero records it: `{"pods": "shop/a,shop/b"}`.
    pub fn of_record(record: &BTreeMap<String, String>) -> Result<Self, Error> {
        let lists = record.iter().map(|(kind, names)| read(kind, names));
        Ok(Self(lists.collect::<Result<_, _>>()?))
    }

    /// The form in which Velero records it.
    pub fn record(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(kind, names)| (kind.clone(), names.join(","))).collect()
    }

    /// The objects, those of a kind in their order.
    pub fn resolve(&self, catalog: &Catalog) -> Result<Vec<ItemId>, Error> {
        let mut seen = BTreeSet::new();
        let mut ids = Vec::new();
        for (word, names) in &self.0 {
            let resource = resolve(word, Scope::Any, catalog)?;
            if !seen.insert(resource) {
                return Err(wrong(word, "another word names the same kind"));
            }
            let kind = catalog.get(resource).into_iter();
            let found = kind.flat_map(|kind| names.iter().map(|name| identity(kind, name)));
            ids.extend(found.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(ids)
    }
}

/// Reads it as it is typed: `pods=shop/a,shop/b;persistentvolumes=pv-1`.
impl FromStr for Order {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut lists = BTreeMap::new();
        for part in text.split(';') {
            let Some((kind, names)) = part.split_once('=') else {
                return Err(wrong(part, "it is not of the form KIND=NAME,..."));
            };
            let (kind, names) = read(kind, names)?;
            if lists.contains_key(&kind) {
                return Err(wrong(&kind, "the kind is listed twice"));
            }
            lists.insert(kind, names);
        }
        Ok(Self(lists))
    }
}

fn read(kind: &str, names: &str) -> Result<(String, Vec<String>), Error> {
    let kind = kind.trim();
    if kind.is_empty() {
        return Err(wrong(names, "no kind is named before the ="));
    }
    let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err(wrong(kind, "a name is empty"));
    }
    Ok((kind.to_owned(), names))
}

fn identity(kind: &Kind, name: &str) -> Result<ItemId, Error> {
    let resource = kind.resource.clone();
    match (kind.namespaced, name.split_once('/')) {
        (_, Some((namespace, rest)))
            if namespace.is_empty() || rest.is_empty() || rest.contains('/') =>
        {
            Err(wrong(name, "a name is written namespace/name"))
        }
        (true, Some((namespace, name))) => Ok(ItemId::namespaced(resource, namespace, name)),
        (true, None) => Err(wrong(name, "its kind has namespaces: write namespace/name")),
        (false, Some(_)) => Err(wrong(name, "its kind has no namespaces: write the name alone")),
        (false, None) => Ok(ItemId::cluster(resource, name)),
    }
}

fn wrong(text: &str, reason: &'static str) -> Error {
    Error::Order { text: text.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::resources::tests::catalog;
    use super::*;

    fn resolved(text: &str) -> Result<Vec<String>, Error> {
        let ids = text.parse::<Order>()?.resolve(&catalog())?;
        Ok(ids.iter().map(ToString::to_string).collect())
    }

    fn reason(text: &str) -> &'static str {
        match resolved(text) {
            Err(Error::Order { reason, .. }) => reason,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn names_keep_their_order_within_a_kind() {
        assert_eq!(
            resolved("sts=b/x, a/y ;Pod=shop/2,shop/1;sc=fast,slow").unwrap(),
            [
                "pods/shop/2",
                "pods/shop/1",
                "storageclasses.storage.k8s.io/fast",
                "storageclasses.storage.k8s.io/slow",
                "statefulsets.apps/b/x",
                "statefulsets.apps/a/y",
            ]
        );
    }

    #[test]
    fn what_is_no_order_is_refused_with_its_reason() {
        assert!(reason("pods").contains("form"));
        assert!(reason("").contains("form"));
        assert!(reason("=a/b").contains("no kind"));
        assert!(reason("pods=a/b,").contains("empty"));
        assert!(reason("pods=a/b;pods=a/c").contains("twice"));
        assert!(reason("pods=a/b;po=a/c").contains("same kind"));
        assert!(reason("pods=b").contains("has namespaces"));
        assert!(reason("sc=a/b").contains("no namespaces"));
        for name in ["/b", "a/", "a/b/c"] {
            assert!(reason(&format!("pods={name}")).contains("namespace/name"), "{name}");
        }
        assert!(matches!(resolved("pdos=a/b"), Err(Error::UnknownKind { .. })));
    }

    proptest! {
        #[test]
        fn what_is_recorded_reads_back(
            lists in prop::collection::btree_map(
                "[a-z.]{1,4}", prop::collection::vec("([a-z]{1,2}/)?[a-z:]{1,3}", 1..3), 0..3),
        ) {
            let order = Order(lists);
            prop_assert_eq!(Order::of_record(&order.record()).unwrap(), order);
        }

        #[test]
        fn reading_never_panics(text in "[a-c=;,/ä ]{0,12}") {
            drop(text.parse::<Order>().map(|order| order.resolve(&catalog())));
        }
    }
}

//! Long lists of names, as `<name>-resource-list.json.gz` has them.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// The names of objects, by `apiVersion/Kind`.
pub type ResourceList = BTreeMap<String, NameList>;

/// Names, each kept as what it does not share with the one before it.
///
/// Lists come in order, so that of a long name a few bytes stay.
#[derive(Clone, Debug, Default)]
pub struct NameList {
    /// Of each name: how much it shares, how much follows (16 bits each), and what follows.
    packed: Vec<u8>,
    last: String,
    count: u64,
    /// Whether one came before another that sorts before it.
    unordered: bool,
}

impl NameList {
    /// Adds a name; the API server takes none of more than a few hundred bytes.
    pub fn push(&mut self, name: &str) {
        let shared = shared(&self.last, name);
        let rest = &name[shared..];
        for length in [shared, rest.len()] {
            self.packed.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        }
        self.packed.extend(rest.as_bytes());
        self.unordered |= name < self.last.as_str();
        name.clone_into(&mut self.last);
        self.count += 1;
    }

    /// How many names there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The names, in the order in which they came.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.packed, name: String::new() }
    }

    /// The names in their own order.
    fn sorted(&self) -> Box<dyn Iterator<Item = String> + '_> {
        if !self.unordered {
            return Box::new(self.iter());
        }
        let mut names: Vec<String> = self.iter().collect();
        names.sort_unstable();
        Box::new(names.into_iter())
    }
}

impl<'a> IntoIterator for &'a NameList {
    type Item = String;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Serialize for NameList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.sorted())
    }
}

/// How many bytes two names begin with alike.
fn shared(before: &str, name: &str) -> usize {
    let most = usize::from(u16::MAX);
    let alike = before.bytes().zip(name.bytes()).take(most).take_while(|(a, b)| a == b).count();
    name.floor_char_boundary(alike)
}

/// Unpacks names.
#[derive(Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
    name: String,
}

impl Iter<'_> {
    fn number(&mut self) -> Option<usize> {
        let (number, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u16::from_le_bytes(*number).into())
    }
}

impl Iterator for Iter<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let (shared, length) = (self.number()?, self.number()?);
        let (own, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.name.truncate(shared);
        self.name.push_str(std::str::from_utf8(own).ok()?);
        Some(self.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(texts: &[String]) -> NameList {
        let mut names = NameList::default();
        for text in texts {
            names.push(text);
        }
        names
    }

    proptest! {
        #[test]
        fn names_come_out_as_they_went_in_and_are_written_in_order(
            texts in prop::collection::vec("[a-c/é]{0,6}", 0..40),
        ) {
            let names = names(&texts);
            prop_assert_eq!(names.count(), texts.len() as u64);
            prop_assert_eq!(&names.iter().collect::<Vec<_>>(), &texts);
            let mut sorted = texts;
            sorted.sort_unstable();
            prop_assert_eq!(serde_json::to_value(&names).unwrap(), serde_json::json!(sorted));
        }
    }

    #[test]
    fn a_long_list_in_order_takes_a_few_bytes_a_name() {
        let texts: Vec<_> = (0..10_000).map(|it| format!("shop/settings-{it:06}")).collect();
        assert!(names(&texts).packed.len() < 6 * texts.len());
    }
}

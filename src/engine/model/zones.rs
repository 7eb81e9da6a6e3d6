//! In which zone each volume of a restore is made. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// Where the volumes of one provider go in a restore, zone by zone.
///
/// One function for all of them: volumes that were in one zone, for one pod perhaps, come together
/// again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zones {
    /// The zone that was recorded, if any, and the one in its place.
    places: BTreeMap<Option<String>, String>,
    /// The zones that volumes can be made in; none where the provider has no zones.
    available: BTreeSet<String>,
}

/// What the zones of a restore depend on.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The zones that the volumes were in; `None` for one of which that is not known.
    pub recorded: BTreeSet<Option<String>>,
    /// What was asked: zones as recorded, and where their volumes shall go.
    pub asked: BTreeMap<String, String>,
    /// The zones that volumes can be made in; empty where the provider has no zones.
    pub available: BTreeSet<String>,
    /// The zones of the nodes; empty where no node tells, as in a cluster that has none yet.
    pub nodes: BTreeSet<String>,
}

/// Why there is no zone for a volume.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Volumes were to be made in a zone that is not there.
    #[error(
        "zone \"{to}\", which \"{from}\" is mapped to, does not exist (there are: {})",
        list(available)
    )]
    UnknownTarget {
        /// The zone as recorded.
        from: String,
        /// Where its volumes were to go.
        to: String,
        /// The zones that there are.
        available: BTreeSet<String>,
    },
    /// A zone was mapped that no volume was in.
    #[error("no volume of the backup was in zone \"{zone}\" (there were: {})", list(recorded))]
    NotRecorded {
        /// What was named.
        zone: String,
        /// The zones that volumes of the backup were in.
        recorded: BTreeSet<String>,
    },
    /// No node could ever use a volume that is made here.
    #[error(
        "the cluster's nodes are in {}, but volumes can be made in {} only",
        list(nodes),
        list(available)
    )]
    Elsewhere {
        /// The zones of the nodes.
        nodes: BTreeSet<String>,
        /// The zones that volumes can be made in.
        available: BTreeSet<String>,
    },
}

impl Zones {
    /// Decides where the volumes of each recorded zone go.
    ///
    /// What was asked for wins. A zone stays where volumes can be made in it and, if nodes tell
    /// their zones, some node is. The others, in order, go to zones that none has gone to yet, as
    /// long as there are some: two zones stay two if possible. Volumes whose zone is not known go to
    /// the first.
    pub fn decide(question: &Question) -> Result<Self, Error> {
        let Question { recorded, asked, available, nodes } = question;
        if available.is_empty() {
            return Ok(Self::default());
        }
        let targets = targets(available, nodes);
        let (mut places, mut homeless) = (BTreeMap::new(), Vec::new());
        for zone in recorded.iter().flatten() {
            match asked.get(zone) {
                Some(to) if available.contains(to) => {
                    places.insert(Some(zone.clone()), to.clone());
                }
                Some(to) => return Err(unknown_target(zone, to, available)),
                None if targets.contains(zone) => {
                    places.insert(Some(zone.clone()), zone.clone());
                }
                None => homeless.push(Some(zone.clone())),
            }
        }
        let order = least_used_first(&targets, &places);
        let unknown = recorded.contains(&None).then_some(None);
        if order.is_empty() && (!homeless.is_empty() || unknown.is_some()) {
            return Err(Error::Elsewhere { nodes: nodes.clone(), available: available.clone() });
        }
        places.extend(homeless.into_iter().zip(order.into_iter().cycle()));
        places.extend(unknown.into_iter().zip(targets.first().cloned()));
        Ok(Self { places, available: available.clone() })
    }

    /// The zone in place of the one that was recorded; the same where the provider has no zones.
    pub fn of(&self, recorded: Option<&str>) -> Option<String> {
        let recorded = recorded.map(str::to_owned);
        self.places.get(&recorded).cloned().or(recorded)
    }

    /// Whether this is a zone of another region, as far as that can be told.
    pub fn is_foreign(&self, zone: &str) -> bool {
        !self.available.is_empty() && !self.available.contains(zone)
    }

    /// Whether the provider has zones at all.
    pub fn are_known(&self) -> bool {
        !self.available.is_empty()
    }

    /// The zones that volumes can be made in, for messages.
    pub fn names(&self) -> String {
        list(&self.available)
    }
}

/// The zones that volumes should go to: those with nodes, or all where no node tells.
fn targets(available: &BTreeSet<String>, nodes: &BTreeSet<String>) -> BTreeSet<String> {
    if nodes.is_empty() { available.clone() } else { available & nodes }
}

fn least_used_first(
    targets: &BTreeSet<String>,
    places: &BTreeMap<Option<String>, String>,
) -> Vec<String> {
    let used: BTreeSet<&String> = places.values().collect();
    let (used, free): (Vec<_>, Vec<_>) = targets.iter().partition(|zone| used.contains(zone));
    free.into_iter().chain(used).cloned().collect()
}

fn unknown_target(from: &str, to: &str, available: &BTreeSet<String>) -> Error {
    Error::UnknownTarget { from: from.to_owned(), to: to.to_owned(), available: available.clone() }
}

fn list(zones: &BTreeSet<String>) -> String {
    if zones.is_empty() {
        return "none".to_owned();
    }
    zones.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{SizeRange, subsequence};

    use super::*;

    fn set(zones: &[&str]) -> BTreeSet<String> {
        zones.iter().map(ToString::to_string).collect()
    }

    fn question(recorded: &[&str], available: &[&str], nodes: &[&str]) -> Question {
        let recorded = recorded.iter().map(|zone| Some((*zone).to_owned())).collect();
        let (available, nodes) = (set(available), set(nodes));
        Question { recorded, available, nodes, asked: BTreeMap::new() }
    }

    /// The new zones, in the order of the old ones.
    fn decided(question: &Question) -> Vec<String> {
        let zones = Zones::decide(question).unwrap();
        question.recorded.iter().filter_map(|zone| zones.of(zone.as_deref())).collect()
    }

    #[test]
    fn a_zone_is_kept_where_volumes_can_be_made_in_it_and_some_node_can_use_them() {
        let here = ["e1a", "e1b", "e1c"];
        for (recorded, nodes, expected) in [
            (["e1a", "e1b"], &[][..], ["e1a", "e1b"]),
            (["e1a", "e1b"], &["e1b", "e1a"], ["e1a", "e1b"]),
            (["e1a", "e1b"], &["e1b", "e1c"], ["e1c", "e1b"]),
            (["e1a", "e1b"], &["e1b"], ["e1b", "e1b"]),
            (["w2a", "w2b"], &[], ["e1a", "e1b"]),
            (["w2b", "w2c"], &["e1c", "e1b"], ["e1b", "e1c"]),
        ] {
            let question = question(&recorded, &here, nodes);
            assert_eq!(decided(&question), expected, "{recorded:?} {nodes:?}");
        }
    }

    #[test]
    fn what_was_asked_for_wins_and_the_others_avoid_it() {
        let mut question = question(&["a", "b", "x"], &["a", "b", "c"], &[]);
        question.asked = [("a".to_owned(), "c".to_owned())].into();
        assert_eq!(decided(&question), ["c", "b", "a"]);
        question.asked = [("x".to_owned(), "d".to_owned())].into();
        let error = Zones::decide(&question).unwrap_err().to_string();
        assert_eq!(
            error,
            "zone \"d\", which \"x\" is mapped to, does not exist (there are: a, b, c)"
        );
    }

    #[test]
    fn a_volume_whose_zone_is_not_known_goes_to_the_first() {
        let mut question = question(&["c"], &["a", "b", "c"], &["b", "c"]);
        question.recorded.insert(None);
        let zones = Zones::decide(&question).unwrap();
        assert_eq!(zones.of(None).as_deref(), Some("b"));
        assert_eq!(zones.of(Some("c")).as_deref(), Some("c"));
    }

    #[test]
    fn nodes_that_could_use_no_volume_are_an_error_unless_somebody_knows_better() {
        let mut question = question(&["a"], &["a", "b"], &["w"]);
        let error = Zones::decide(&question).unwrap_err();
        assert!(matches!(error, Error::Elsewhere { .. }), "{error}");
        question.asked = [("a".to_owned(), "b".to_owned())].into();
        assert_eq!(decided(&question), ["b"]);
    }

    #[test]
    fn without_zones_nothing_is_touched_and_no_zone_is_foreign() {
        let mut question = question(&["a"], &[], &["w"]);
        question.recorded.insert(None);
        question.asked = [("a".to_owned(), "b".to_owned())].into();
        let zones = Zones::decide(&question).unwrap();
        assert_eq!((zones.of(Some("a")).as_deref(), zones.of(None)), (Some("a"), None));
        assert!(!zones.is_foreign("a"));
    }

    const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

    fn zones(size: impl Into<SizeRange>) -> impl Strategy<Value = BTreeSet<String>> {
        subsequence(&NAMES, size).prop_map(|zones| set(&zones))
    }

    prop_compose! {
        /// A question to which there is an answer.
        fn answerable()(recorded in zones(0..=7), available in zones(1..=7), unknown in any::<bool>())(
            recorded in Just(recorded),
            nodes in subsequence(available.iter().cloned().collect::<Vec<_>>(), 0..=available.len()),
            available in Just(available),
            unknown in Just(unknown),
        ) -> Question {
            let recorded = recorded.into_iter().map(Some).chain(unknown.then_some(None)).collect();
            let (nodes, asked) = (nodes.into_iter().collect(), BTreeMap::new());
            Question { recorded, asked, available, nodes }
        }
    }

    proptest! {
        #[test]
        fn every_volume_goes_where_it_can_be_made_and_used(question in answerable()) {
            let targets = targets(&question.available, &question.nodes);
            for zone in decided(&question) {
                prop_assert!(targets.contains(&zone), "{zone}");
            }
        }

        #[test]
        fn zones_stay_apart_as_long_as_there_are_enough(question in answerable()) {
            let Question { recorded, available, nodes, .. } = &question;
            let zones = Zones::decide(&question).unwrap();
            let known = recorded.iter().flatten();
            let new: BTreeSet<_> = known.clone().map(|zone| zones.of(Some(zone))).collect();
            prop_assert_eq!(new.len(), known.count().min(targets(available, nodes).len()));
        }

        #[test]
        fn a_zone_that_can_be_kept_is_kept(question in answerable()) {
            let zones = Zones::decide(&question).unwrap();
            for zone in &targets(&question.available, &question.nodes) {
                if question.recorded.contains(&Some(zone.clone())) {
                    prop_assert_eq!(zones.of(Some(zone)), Some(zone.clone()));
                }
            }
        }

        #[test]
        fn what_was_asked_for_is_done(
            mut question in answerable(),
            asked in proptest::collection::btree_map(0..7_usize, any::<prop::sample::Index>(), 0..4),
        ) {
            let available: Vec<String> = question.available.iter().cloned().collect();
            let to = |index: prop::sample::Index| index.get(&available).clone();
            question.asked =
                asked.into_iter().map(|(from, index)| (NAMES[from].to_owned(), to(index))).collect();
            let zones = Zones::decide(&question).unwrap();
            for (from, to) in &question.asked {
                if question.recorded.contains(&Some(from.clone())) {
                    prop_assert_eq!(zones.of(Some(from)), Some(to.clone()));
                }
            }
        }
    }
}

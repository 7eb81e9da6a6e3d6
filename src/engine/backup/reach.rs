//! Whether the volumes can be reached from here, found out before anything is written.
//!
//! A volume of another region seems not to exist. If that holds for all of a provider's volumes, it
//! is not they that are missing, and the backup would hold no data.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use bowline_api::{SnapshotterError, VolumeSnapshotter};
use futures::StreamExt as _;

use super::claim::{Claim, Decision};
use super::error::Error;
use super::forecast;
use super::preflight::Ready;
use super::volumes::{locate, of_claim};
use crate::engine::context::Context;
use crate::engine::model::topology;

/// How many claims are looked at.
const LOOKS: usize = 500;

/// What was seen of the volumes, by provider.
#[derive(Debug, Default)]
struct Seen(BTreeMap<&'static str, Provider>);

/// What was seen of the volumes of one provider.
#[derive(Debug)]
struct Provider {
    /// The provider's name of the first of them.
    first: String,
    /// Where the provider is reached; none if it is in one place only.
    place: Result<Option<String>, SnapshotterError>,
    /// The zones of those that are somewhere else.
    elsewhere: BTreeSet<String>,
    /// Whether one is where the provider is reached.
    is_near: bool,
}

/// A volume of which a snapshot is to be taken, and who takes it.
struct Located<'a> {
    snapshotter: &'a dyn VolumeSnapshotter,
    id: String,
    zones: BTreeSet<String>,
}

/// Checks that the providers can be used, and are reached where the volumes are.
///
/// Gives back one volume of each provider that was seen and can be used. Looks no further than until
/// a volume of every provider that was seen is known to be in reach. Where only some providers cannot
/// be used, that is an error of their volumes alone, later.
pub(super) async fn check(
    context: &Context,
    ready: &Ready,
) -> Result<BTreeMap<&'static str, String>, Error> {
    let mut seen = Seen::default();
    if !ready.rules().snapshot_volumes && ready.policies.is_none() {
        return Ok(BTreeMap::new());
    }
    let mut volumes = forecast::claims(context, ready)
        .take(LOOKS)
        // What cannot be listed is an error of the backup itself, later.
        .map(|claim| async move { located(context, ready, &claim.ok()?).await })
        .buffered(context.limits.lists)
        .boxed();
    while let Some(volume) = volumes.next().await {
        if let Some(volume) = volume {
            seen.note(volume).await;
            if seen.is_enough() {
                break;
            }
        }
    }
    drop(volumes);
    seen.in_reach()
}

async fn located<'a>(context: &'a Context, ready: &Ready, claim: &Claim) -> Option<Located<'a>> {
    let found = of_claim(context, ready, claim).await;
    let Decision::Snapshot { name, volume } = claim.decide(&ready.rules(), &found) else {
        return None;
    };
    let (snapshotter, id) = locate(context, ready, name, volume).ok()?;
    Some(Located { snapshotter, id, zones: topology::zones(volume) })
}

impl Seen {
    async fn note(&mut self, volume: Located<'_>) {
        let provider = match self.0.entry(volume.snapshotter.provider()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                new.insert(Provider::new(volume.id, volume.snapshotter.place().await))
            }
        };
        provider.look_at(volume.zones);
    }

    /// Whether a provider is known to be of use, and nothing is open about any other.
    fn is_enough(&self) -> bool {
        let mut providers = self.0.values();
        self.0.values().any(|it| it.is_near) && providers.all(|it| it.is_near || it.place.is_err())
    }

    /// A volume of each provider that can be used. Fails if there are volumes, and no provider can.
    fn in_reach(self) -> Result<BTreeMap<&'static str, String>, Error> {
        let (mut first, mut unusable) = (BTreeMap::new(), None);
        for (name, provider) in self.0 {
            match provider.first_in_reach(name) {
                Ok(volume) => {
                    first.insert(name, volume);
                }
                Err(error @ Error::Provider { .. }) => {
                    unusable.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match unusable {
            Some(error) if first.is_empty() => Err(error),
            _ => Ok(first),
        }
    }
}

impl Provider {
    fn new(first: String, place: Result<Option<String>, SnapshotterError>) -> Self {
        // What is in one place only is there.
        let is_near = matches!(place, Ok(None));
        Self { first, place, elsewhere: BTreeSet::new(), is_near }
    }

    fn look_at(&mut self, zones: BTreeSet<String>) {
        let Ok(Some(place)) = &self.place else { return };
        if zones.iter().any(|zone| topology::is_in(zone, place)) {
            self.is_near = true;
        } else {
            self.elsewhere.extend(zones);
        }
    }

    /// The first volume, unless all whose zone is known are somewhere else.
    fn first_in_reach(self, provider: &'static str) -> Result<String, Error> {
        match self.place {
            Err(source) => Err(Error::Provider { provider, source }),
            Ok(Some(place)) if !self.is_near && !self.elsewhere.is_empty() => {
                Err(Error::Elsewhere { provider, place, zones: self.elsewhere })
            }
            Ok(_) => Ok(self.first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> SnapshotterError {
        let (what, reason) = ("the place".to_owned(), "no credentials".to_owned());
        SnapshotterError::Refused { what, reason }
    }

    fn seen<const N: usize>(providers: [(&'static str, Provider); N]) -> Seen {
        Seen(BTreeMap::from(providers))
    }

    fn local() -> Provider {
        Provider::new("disk-1".to_owned(), Ok(None))
    }

    fn unusable() -> Provider {
        Provider::new("vol-1".to_owned(), Err(refused()))
    }

    fn placed(zone: &str) -> Provider {
        let mut provider = Provider::new("vol-2".to_owned(), Ok(Some("east-1".to_owned())));
        provider.look_at(BTreeSet::from([zone.to_owned()]));
        provider
    }

    #[test]
    fn a_provider_that_cannot_be_used_does_not_keep_the_others_from_it() {
        let found = seen([("cloud", unusable()), ("local", local())]).in_reach().unwrap();
        assert_eq!(found, BTreeMap::from([("local", "disk-1".to_owned())]));
        let error = seen([("cloud", unusable())]).in_reach().unwrap_err();
        assert!(matches!(error, Error::Provider { provider: "cloud", .. }), "{error:?}");
        assert!(seen([]).in_reach().unwrap().is_empty());
    }

    #[test]
    fn no_more_is_looked_at_once_each_provider_is_known_to_be_in_reach_or_not_to_be_of_use() {
        assert!(seen([("local", local())]).is_enough(), "there is but one place");
        assert!(seen([("cloud", placed("east-1a")), ("local", local())]).is_enough());
        assert!(!seen([("cloud", placed("west-1a")), ("local", local())]).is_enough());
        assert!(seen([("cloud", unusable()), ("local", local())]).is_enough());
        assert!(!seen([("cloud", unusable())]).is_enough(), "another one may be of use");
        assert!(!seen([]).is_enough());
    }
}

//! Whether the volumes can be reached from here, found out before anything is written.
//!
//! A volume of another region seems not to exist. If that holds for all of a provider's volumes, it
//! is not they that are missing, and the backup would hold no data.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::VolumeSnapshotter;
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

/// What was seen of the volumes of one provider.
#[derive(Debug)]
struct Seen {
    /// The provider's name of the first of them.
    first: String,
    /// Where the provider is reached; none if it is in one place only.
    place: Option<String>,
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
/// Gives back one volume of each provider. Looks no further than to the first volume that is known
/// to be in reach.
pub(super) async fn check(
    context: &Context,
    ready: &Ready,
) -> Result<BTreeMap<&'static str, String>, Error> {
    let mut seen = BTreeMap::new();
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
        if let Some(volume) = volume
            && note(&mut seen, volume).await?
        {
            break;
        }
    }
    drop(volumes);
    seen.into_iter()
        .map(|(provider, seen)| Ok((provider, seen.first_in_reach(provider)?)))
        .collect()
}

async fn located<'a>(context: &'a Context, ready: &Ready, claim: &Claim) -> Option<Located<'a>> {
    let found = of_claim(context, ready, claim).await;
    let Decision::Snapshot { name, volume } = claim.decide(&ready.rules(), &found) else {
        return None;
    };
    let (snapshotter, id) = locate(context, ready, name, volume).ok()?;
    Some(Located { snapshotter, id, zones: topology::zones(volume) })
}

/// Notes a volume; tells whether it is known to be in reach.
async fn note(seen: &mut BTreeMap<&'static str, Seen>, volume: Located<'_>) -> Result<bool, Error> {
    let provider = volume.snapshotter.provider();
    if !seen.contains_key(provider) {
        let place = volume.snapshotter.place().await;
        let place = place.map_err(|source| Error::Provider { provider, source })?;
        let fresh = Seen { first: volume.id, place, elsewhere: BTreeSet::new(), is_near: false };
        seen.insert(provider, fresh);
    }
    Ok(seen.get_mut(provider).is_some_and(|seen| seen.look_at(volume.zones)))
}

impl Seen {
    fn look_at(&mut self, zones: BTreeSet<String>) -> bool {
        let Some(place) = &self.place else { return false };
        if zones.iter().any(|zone| topology::is_in(zone, place)) {
            self.is_near = true;
        } else {
            self.elsewhere.extend(zones);
        }
        self.is_near
    }

    /// The first volume, unless all whose zone is known are somewhere else.
    fn first_in_reach(self, provider: &'static str) -> Result<String, Error> {
        match self.place {
            Some(place) if !self.is_near && !self.elsewhere.is_empty() => {
                Err(Error::Elsewhere { provider, place, zones: self.elsewhere })
            }
            _ => Ok(self.first),
        }
    }
}

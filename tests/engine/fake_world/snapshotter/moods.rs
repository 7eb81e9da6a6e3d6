//! How the cloud behaves when it is asked to.

use super::{Cloud, Mood};

impl Cloud {
    /// Takes everybody for the owner of another account, or no longer.
    pub(crate) fn be_blind(&self, blind: bool) {
        self.state().set(Mood::Blind, blind);
    }

    /// Lets new volumes come up again; those that failed have failed.
    pub(crate) fn heal_volumes(&self) {
        self.state().set(Mood::FailsVolumes, false);
    }

    /// Tells its zones to nobody from here on.
    pub(crate) fn hide_zones(&self) {
        self.state().set(Mood::Secretive, true);
    }
}

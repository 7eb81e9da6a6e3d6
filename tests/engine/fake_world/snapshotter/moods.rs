//! How the cloud behaves when it is asked to.

use super::{Cloud, Mood};

impl Cloud {
    /// Lets everything take a while: it is looked at so often before it is done.
    pub(crate) fn be_slow(&self, looks: usize) {
        self.state().looks = looks;
    }

    /// Lets everything that takes a while be done.
    pub(crate) fn be_done(&self) {
        let mut state = self.state();
        state.looks = 0;
        state.snapshots.values_mut().for_each(|kept| kept.looks = 0);
    }

    /// Tells nobody how snapshots are doing, or tells again.
    pub(crate) fn be_silent(&self, silent: bool) {
        self.state().set(Mood::Silent, silent);
    }

    /// Takes everybody for the owner of another account, or no longer.
    pub(crate) fn be_blind(&self, blind: bool) {
        self.state().set(Mood::Blind, blind);
    }

    /// Lets new volumes come up again; those that failed have failed.
    pub(crate) fn heal_volumes(&self) {
        self.state().set(Mood::FailsVolumes, false);
    }

    /// The snapshots that somebody looked at since the last time, in order.
    pub(crate) fn take_described(&self) -> Vec<String> {
        let mut described = std::mem::take(&mut self.state().described);
        described.sort_unstable();
        described
    }

    /// Tells its zones to nobody from here on.
    pub(crate) fn hide_zones(&self) {
        self.state().set(Mood::Secretive, true);
    }
}

//! Room for the objects that are being made.

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many KiB of JSON are worked on at once: an object is there as text and as a tree, as it was and
/// as it is made, sent and answered, six times in all.
const KIB: u32 = 12 * 1024;

/// Bounds the memory that objects take while they are made: many small ones, or few that are large.
#[derive(Debug)]
pub(super) struct Room(Semaphore);

impl Default for Room {
    fn default() -> Self {
        Self(Semaphore::new(KIB as usize))
    }
}

impl Room {
    /// Waits until there is room for an object of so many bytes, which it has until this is dropped.
    pub(super) async fn of(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(KIB).min(KIB);
        // Never closed, so there always is room.
        self.0.acquire_many(kib).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn four_objects_of_three_mebibytes_are_worked_on_at_once() {
        let room = Room::default();
        let large = || room.of(3 << 20).now_or_never();
        let mut held: Vec<_> = (0..4).map(|_| large().unwrap()).collect();
        assert!(large().is_none());
        held.pop();
        assert!(large().is_some());
    }

    #[test]
    fn an_object_that_is_larger_than_all_room_has_all_of_it() {
        let room = Room::default();
        assert!(room.of(1 << 40).now_or_never().is_some());
        let _small = room.of(1).now_or_never().unwrap();
        assert!(room.of(1 << 40).now_or_never().is_none());
    }
}

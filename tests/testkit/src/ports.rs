//! Free ports of this machine.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the ephemeral range, so that no outgoing connection takes a port between two starts.
const RANGE: std::ops::Range<u16> = 20_000..30_000;

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port of 127.0.0.1 that nobody listens on and that this process was not given before.
///
/// Another process may still take it first: whoever starts a server on it tries again.
pub fn free() -> u16 {
    loop {
        let port = random(RANGE);
        let new = GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        if new && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn random(range: std::ops::Range<u16>) -> u16 {
    let drawn = RandomState::new().build_hasher().finish() % u64::from(range.end - range.start);
    range.start + u16::try_from(drawn).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free()).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }
}

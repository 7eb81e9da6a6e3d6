//! The seeds of the fuzz targets, replayed: what fuzzing found once stays mended.

use std::path::Path;

use crate::properties;

/// Calls a property with each seed of a target: as it is, cut, and with single bytes changed.
fn replay(target: &str, property: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut count = 0;
    for file in std::fs::read_dir(seeds).unwrap() {
        let seed = std::fs::read(file.unwrap().path()).unwrap();
        property(&seed);
        for step in 1..8 {
            property(&seed[..seed.len() * step / 8]);
        }
        let stride = seed.len() / 40 + 1;
        for position in (0..seed.len()).step_by(stride) {
            let mut altered = seed.clone();
            altered[position] ^= 1 << (position % 8);
            property(&altered);
        }
        count += 1;
    }
    assert!(count > 5, "{count} seeds for {target}");
}

#[test]
fn the_seeds_of_archives_are_read_or_refused() {
    replay("archive_read", properties::archive_read);
}

#[test]
fn the_seeds_of_tars_are_read_or_refused() {
    replay("archive_tar", properties::archive_tar);
}

#[test]
fn the_seeds_of_selectors_read_back_or_are_refused() {
    replay("selector_parse", properties::selector_parse);
}

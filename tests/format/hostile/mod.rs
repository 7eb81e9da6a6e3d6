//! Archives, indexes and documents that are damaged or that somebody made on purpose.
//!
//! Each is made by a function, from a sound one that differs in nothing but what is wrong with it,
//! and is refused with its own reason: the tables hold the whole message.

mod accepted;
mod copies;
mod craft;
mod damage;
mod documents;
mod extensions;
mod gzip;
mod index;
mod json;
mod limits;
mod names;
mod objects;
mod tar;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bowline::engine::archive::{self, Contents, Error, Limits};
use bowline::engine::report::chain;
use bytes::Bytes;
use futures::StreamExt as _;

/// An archive that is refused.
struct Case {
    name: &'static str,
    archive: fn() -> Vec<u8>,
    /// The error and its causes, joined by colons.
    expected: &'static str,
    limits: Option<Limits>,
}

impl Case {
    const fn new(name: &'static str, archive: fn() -> Vec<u8>, expected: &'static str) -> Self {
        Self { name, archive, expected, limits: None }
    }

    /// The same under limits that are easier to exceed.
    const fn within(self, limits: Limits) -> Self {
        Self { limits: Some(limits), ..self }
    }
}

const FAMILIES: [&[Case]; 8] = [
    names::CASES,
    tar::CASES,
    extensions::CASES,
    gzip::CASES,
    objects::CASES,
    json::CASES,
    copies::CASES,
    limits::CASES,
];

/// What one archive may take; the largest unpack to 64 MiB before they are given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the tests of this program may hold at once, in KiB: the largest document, as it is unpacked, and then some.
const MOST_MEMORY: u64 = 640 << 10;

fn read(archive: &[u8]) -> Result<Contents, Error> {
    read_within(archive, Limits::default())
}

fn read_within(archive: &[u8], limits: Limits) -> Result<Contents, Error> {
    let chunks: Vec<_> =
        archive.chunks(4096).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    run(archive::read(futures::stream::iter(chunks).boxed(), limits))
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// What is wrong with a case, if its archive is not refused as it should be.
fn fault(case: &Case) -> Option<String> {
    let archive = (case.archive)();
    let begun = Instant::now();
    let found = match read_within(&archive, case.limits.clone().unwrap_or_default()) {
        Ok(contents) => format!("accepted, with {} items", contents.len()),
        Err(error) => chain(&error),
    };
    if found != case.expected {
        return Some(format!("{}\n     found: {found}\n  expected: {}", case.name, case.expected));
    }
    (begun.elapsed() > PATIENCE).then(|| format!("{} took {:?}", case.name, begun.elapsed()))
}

#[test]
fn every_hostile_archive_is_refused_for_its_own_reason() {
    let faults: Vec<_> = FAMILIES.into_iter().flatten().filter_map(fault).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|it| it.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    assert!(peak.is_none_or(|peak| peak < MOST_MEMORY), "{peak:?} KiB");
}

#[test]
fn there_are_more_than_a_hundred_hostile_archives_and_no_two_are_the_same() {
    let cases = || FAMILIES.into_iter().flatten();
    let names: BTreeSet<_> = cases().map(|case| case.name).collect();
    assert!(names.len() > 100, "{}", names.len());
    assert_eq!(names.len(), cases().count());
    let mut archives = BTreeMap::new();
    for case in cases() {
        let limits = case.limits.as_ref().map(|limits| format!("{limits:?}"));
        let earlier = archives.insert(((case.archive)(), limits), case.name);
        assert_eq!(earlier, None, "{}", case.name);
    }
}

#[test]
fn a_sound_archive_that_they_are_made_from_is_accepted() {
    let contents = read(&craft::Tar::new().item("pods/shop/web").item("nodes/a").closed()).unwrap();
    assert_eq!((contents.len(), contents.ignored.count), (2, 0));
}

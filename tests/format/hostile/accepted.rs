//! What is unusual, and yet read: archives that others took apart and put together again.

use super::craft::{Tar, object, path, versioned_path};
use super::{read, run};
use bowline::engine::archive::{self, Error, Ignored, Limits};
use futures::StreamExt as _;

const POD: &str = "pods/shop/web";

fn pod() -> String {
    object(POD).to_string()
}

fn copied(tar: Tar, id: &str) -> Tar {
    let text = object(id).to_string();
    tar.file(versioned_path(id, "v1-preferredversion"), text.as_bytes())
}

#[test]
fn copies_may_come_in_any_order() {
    let other = "nodes/a";
    for tar in [
        copied(Tar::new().item(POD), POD).item(other),
        copied(copied(Tar::new(), POD).item(POD).item(other), other),
        copied(copied(Tar::new().item(POD).item(other), other), POD),
    ] {
        let contents = read(&tar.closed()).unwrap();
        assert_eq!((contents.len(), contents.ignored.count), (2, 0));
    }
}

fn ignored_names(ignored: &Ignored) -> Vec<&str> {
    ignored.entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn a_copy_without_its_item_is_ignored_and_told() {
    let contents = read(&copied(Tar::new(), POD).closed()).unwrap();
    assert!(contents.is_empty());
    assert_eq!(ignored_names(&contents.ignored), [versioned_path(POD, "v1-preferredversion")]);
}

#[test]
fn further_versions_of_an_item_are_kept_apart() {
    let newer = pod().replace("v1", "v2");
    let tar = Tar::new().file(versioned_path(POD, "v2"), newer.as_bytes()).item(POD);
    let contents = read(&copied(tar, POD).closed()).unwrap();
    let id = POD.parse().unwrap();
    let preferred = contents.find(&id).unwrap();
    assert_eq!(contents.read(preferred).unwrap(), pod().as_bytes());
    let versions: Vec<_> =
        contents.versions(&id).map(|entry| (entry.version(), entry.preferred())).collect();
    assert_eq!(versions, [("v1", true), ("v2", false)]);
    let second = contents.versions(&id).nth(1).unwrap();
    assert_eq!(contents.read(second).unwrap(), newer.as_bytes());
}

#[test]
fn extension_headers_are_read_as_go_and_tar_write_them() {
    let id = format!("pods/shop/{}x", "y".repeat(200));
    let (name, text) = (path(&id), object(&id).to_string());
    let size = text.len().to_string();
    let pax = [("mtime", "1.5"), ("path", &name), ("size", &size)];
    for tar in [Tar::new().long_name(&name), Tar::new().pax(&pax)] {
        let tar = tar.file("resources/pods/cut-off", text.as_bytes());
        let contents = read(&tar.closed()).unwrap();
        let entry = contents.find(&id.parse().unwrap()).unwrap();
        assert_eq!(contents.read(entry).unwrap(), text.as_bytes());
    }
}

#[test]
fn headers_of_every_usual_dialect_are_read() {
    let old: &[(usize, &[u8])] = &[(257, &[0; 8])];
    let gnu: &[(usize, &[u8])] = &[(257, b"ustar  \0"), (345, b"14550314131\0")];
    for dialect in [&[][..], old, gnu] {
        let size = format!("{:011o}\0", pod().len());
        let patches = [dialect, &[(124, size.as_bytes())]].concat();
        let tar = Tar::default().patched(&patches).raw(pod().as_bytes());
        assert_eq!(read(&tar.closed()).unwrap().len(), 1);
    }
}

#[test]
fn a_repacked_archive_with_directories_and_notes_is_read() {
    let tar = Tar::default()
        .entry(b'5', "./", b"")
        .entry(b'5', "./resources/", b"")
        .entry(0, "./resources/pods/namespaces/shop/web.json", pod().as_bytes())
        .file("./README", b"taken apart and put together again")
        .file("metadata/revision", b"7");
    let contents = read(&tar.closed()).unwrap();
    assert_eq!(contents.len(), 1);
    assert_eq!(ignored_names(&contents.ignored), ["./README", "metadata/revision"]);
}

#[test]
fn padding_of_zeros_behind_the_end_is_read() {
    for padding in [0, 512, 9 << 10, 9001] {
        let tar = Tar::new().item(POD).tar();
        let padded = [&tar[..], &vec![0; padding]].concat();
        assert_eq!(read(&super::craft::gzip(&padded)).unwrap().len(), 1);
    }
}

#[test]
fn an_archive_of_any_format_one_or_of_none_is_read() {
    for format in ["1", "1.1.0\n", "1.9"] {
        assert!(read(&Tar::default().file("metadata/version", format.as_bytes()).closed()).is_ok());
    }
    assert!(read(&Tar::default().closed()).unwrap().is_empty());
}

#[test]
fn of_many_ignored_entries_only_the_first_names_are_kept() {
    let many = (0..150).fold(Tar::new(), |tar, number| tar.file(format!("x/{number}"), b""));
    let ignored = read(&many.closed()).unwrap().ignored;
    assert_eq!((ignored.count, ignored.entries.len()), (150, 100));
}

#[test]
fn a_reader_that_gives_up_does_not_read_the_rest() {
    let bad = Tar::new().entry(b'2', "x", b"").closed();
    let endless = futures::stream::iter([Ok(bad.into())])
        .chain(futures::stream::repeat_with(|| Ok(bytes::Bytes::from_static(&[0; 1000]))));
    let error = run(archive::read(endless.boxed(), Limits::default())).unwrap_err();
    assert!(matches!(error, Error::Type { .. }), "{error}");
}

//! Everything that makes a file what it is comes back.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bowline_api::contract::SnapshotterFixture as _;
use rustix::fs::{CWD, FileType, Mode, XattrFlags, getxattr, mknodat, setxattr};

use crate::snapshotter_fixture::LocalFixture;

/// One line per file: all that can be seen of it from outside, its inode and its access apart.
fn describe(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_string_lossy();
        let what = if metadata.is_symlink() {
            format!("-> {:?}", fs::read_link(&path).unwrap().as_os_str().as_bytes())
        } else if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            String::from("directory")
        } else if metadata.is_file() {
            format!("{} names, {:?}", metadata.nlink(), short(&fs::read(&path).unwrap()))
        } else {
            format!("{:?}", metadata.file_type())
        };
        lines.push(format!(
            "{name:?} {:o} {}:{} {}.{:09} {what}",
            metadata.mode(),
            metadata.uid(),
            metadata.gid(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        ));
    }
    lines.sort();
    lines
}

fn short(bytes: &[u8]) -> (usize, &[u8]) {
    (bytes.len(), &bytes[..bytes.len().min(20)])
}

fn set(path: &Path, mode: u32, seconds: u64) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let modified = SystemTime::UNIX_EPOCH + Duration::new(seconds, 123_456_789);
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(modified)).unwrap();
}

#[tokio::test]
async fn owners_modes_times_links_and_odd_files_come_back() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let at = |name: &str| source.join(name);
    for (name, mode, seconds) in
        [("plain", 0o644, 1), ("set-user-id", 0o4755, 2), ("secret", 0o000, 3), ("all", 0o7777, 4)]
    {
        fs::write(at(name), name).unwrap();
        set(&at(name), if name == "secret" { 0o400 } else { mode }, seconds);
    }
    fs::write(source.join(OsStr::from_bytes(b"latin-\xe9%\n")), "odd").unwrap();
    fs::create_dir_all(at("a/b/c")).unwrap();
    fs::write(at("a/b/file"), "x").unwrap();
    fs::hard_link(at("a/b/file"), at("z-linked")).unwrap();
    fs::hard_link(at("a/b/file"), at("a/linked")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("/etc", at("a/absolute")).unwrap();
    symlink(OsStr::from_bytes(b"\xff%20"), at("odd-link")).unwrap();
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    if chown(at("plain"), Some(1234), Some(5678)).is_ok() {
        std::os::unix::fs::lchown(at("dangling"), Some(1), Some(2)).unwrap();
        chown(at("a/b"), Some(70), Some(70)).unwrap();
    }
    for (name, mode, seconds) in [("a/b/c", 0o1777, 5), ("a/b", 0o2555, 6), ("a", 0o700, 7)] {
        set(&at(name), mode, seconds);
    }
    set(&source, 0o2770, 8);

    let before = describe(&source);
    let restored = fixture.round_trip(&source).await;
    assert_eq!(describe(&restored), before);
    let inode = |name: &str| fs::metadata(restored.join(name)).unwrap().ino();
    assert_eq!(inode("a/b/file"), inode("z-linked"));
    assert_eq!(inode("a/b/file"), inode("a/linked"));
    assert_eq!(describe(&source), before, "the source is not touched");
}

#[tokio::test]
async fn extended_attributes_come_back() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let names = ["file", "dir", ""];
    fs::write(source.join("file"), "x").unwrap();
    fs::create_dir(source.join("dir")).unwrap();
    let value = b"\0value\xff";
    for name in names {
        let path = source.join(name);
        if setxattr(&path, "user.bowline", value, XattrFlags::empty()).is_err() {
            // The temporary directory's file system has none.
            return;
        }
    }
    let restored = fixture.round_trip(&source).await;
    for name in names {
        let mut buffer = [0; 64];
        let path = restored.join(name);
        let length = getxattr(&path, "user.bowline", &mut buffer[..]).unwrap();
        assert_eq!(&buffer[..length], value, "{name:?}");
    }
}

#[tokio::test]
async fn a_sparse_file_stays_sparse() {
    const SIZE: u64 = 16 << 20;
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let file = File::create(source.join("sparse")).unwrap();
    file.set_len(SIZE).unwrap();
    file.write_all_at(b"middle", 10 << 20).unwrap();
    let restored = fixture.round_trip(&source).await;
    let copies = fixture.snapshots().join("local-round-trip/data/sparse");
    for path in [copies, restored.join("sparse")] {
        let copy = File::open(&path).unwrap();
        let metadata = copy.metadata().unwrap();
        assert_eq!(metadata.len(), SIZE);
        assert!(metadata.blocks() * 512 < 2 << 20, "{} blocks", metadata.blocks());
        let mut middle = [0; 8];
        copy.read_exact_at(&mut middle, (10 << 20) - 1).unwrap();
        assert_eq!(&middle, b"\0middle\0");
    }
}

#[tokio::test]
async fn sockets_are_left_out() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let _listener = UnixListener::bind(source.join("socket")).unwrap();
    fs::write(source.join("file"), "x").unwrap();
    let restored = fixture.round_trip(&source).await;
    assert!(restored.join("file").exists());
    assert!(!restored.join("socket").exists());
    let manifest = fixture.snapshots().join("local-round-trip/files.jsonl");
    assert!(fs::read_to_string(manifest).unwrap().contains(r#""kind":"socket""#));
}

#[tokio::test]
async fn what_a_link_points_to_is_not_copied() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let outside = fixture.make_directory();
    fs::write(outside.join("secret"), "not in this volume").unwrap();
    symlink(&outside, source.join("dir")).unwrap();
    symlink(outside.join("secret"), source.join("file")).unwrap();
    let restored = fixture.round_trip(&source).await;
    assert_eq!(fs::read_link(restored.join("dir")).unwrap(), outside);
    let data = fixture.snapshots().join("local-round-trip/data");
    assert_eq!(fs::read_dir(data).unwrap().count(), 0);
}

/// Nobody on the host gets at a volume's data, or at a program with set-user-id, by its snapshot.
#[tokio::test]
async fn a_snapshot_is_for_its_owner_only() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    fs::create_dir(source.join("dir")).unwrap();
    fs::write(source.join("dir/program"), "x").unwrap();
    set(&source.join("dir/program"), 0o4755, 1);
    set(&source, 0o777, 1);
    fixture.round_trip(&source).await;
    let lines = describe(&fixture.snapshots());
    for line in &lines {
        assert!(line.contains(" 40700 ") || line.contains(" 100600 "), "{line}");
    }
    assert!(lines.iter().any(|line| line.contains("dir/program")), "{lines:?}");
}

#[tokio::test]
async fn a_deep_tree_comes_back() {
    let fixture = LocalFixture::new();
    let source = fixture.make_directory();
    let deep = nest(&source, 300);
    fs::write(source.join(&deep).join("bottom"), "x").unwrap();
    let restored = fixture.round_trip(&source).await;
    assert_eq!(fs::read(restored.join(&deep).join("bottom")).unwrap(), b"x");
    fixture.snapshotter().delete_volume(restored.to_str().unwrap()).await.unwrap();
    assert!(!restored.exists());
}

/// Makes directories in one another and tells the path of the innermost.
fn nest(root: &Path, levels: usize) -> PathBuf {
    let path: PathBuf = std::iter::repeat_n("d", levels).collect();
    fs::create_dir_all(root.join(&path)).unwrap();
    path
}

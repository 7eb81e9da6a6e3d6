//! Owners, modes, times and extended attributes, read and set.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{self, AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags};
use rustix::io::Errno;

use super::entry::Attributes;
use super::path::{from_hex, from_text, to_hex, to_text};
use crate::dir::Dir;

/// The extended attributes that belong to the data. Others (labels of `SELinux`) belong to the host.
const KEPT: [&str; 4] = ["user.", "trusted.", "security.capability", "system.posix_acl_"];

/// Reads the attributes of a file without those that need it to be open.
pub(super) fn of_metadata(metadata: &Metadata) -> Attributes {
    Attributes {
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        extended: BTreeMap::new(),
    }
}

/// Reads all attributes of an open file or directory.
pub(super) fn of_open(file: impl AsFd, metadata: &Metadata) -> io::Result<Attributes> {
    let mut attributes = of_metadata(metadata);
    for name in extended_names(&file)? {
        if KEPT.iter().any(|kept| name.starts_with(kept.as_bytes())) {
            let value = extended_value(&file, &name)?;
            attributes.extended.insert(to_text(&name), to_hex(&value));
        }
    }
    Ok(attributes)
}

fn extended_names(file: impl AsFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = vec![0; 64 << 10];
    match fs::flistxattr(file, &mut names[..]) {
        Ok(length) => names.truncate(length),
        Err(Errno::OPNOTSUPP) => names.clear(),
        Err(error) => return Err(error.into()),
    }
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(<[u8]>::to_vec).collect())
}

fn extended_value(file: impl AsFd, name: &[u8]) -> io::Result<Vec<u8>> {
    let mut value = vec![0; 64 << 10];
    let length = fs::fgetxattr(file, name, &mut value[..])?;
    value.truncate(length);
    Ok(value)
}

/// Sets all attributes of an open file or directory.
///
/// The order matters: a new owner takes set-user-id and capabilities away.
pub(super) fn set(file: impl AsFd, attributes: &Attributes) -> io::Result<()> {
    let now = fs::fstat(&file)?;
    if (now.st_uid, now.st_gid) != (attributes.uid, attributes.gid) {
        let (uid, gid) = owner(attributes);
        fs::fchown(&file, uid, gid)?;
    }
    for (name, value) in &attributes.extended {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let name = from_text(name).ok_or_else(invalid)?;
        let value = from_hex(value).ok_or_else(invalid)?;
        fs::fsetxattr(&file, &name[..], &value, XattrFlags::empty())?;
    }
    fs::fchmod(&file, mode(attributes))?;
    Ok(fs::futimens(&file, &times(attributes))?)
}

/// Sets owner and time of a symbolic link.
pub(super) fn set_link(dir: &Dir, name: &[u8], attributes: &Attributes) -> io::Result<()> {
    let now = fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if (now.st_uid, now.st_gid) != (attributes.uid, attributes.gid) {
        let (uid, gid) = owner(attributes);
        fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(fs::utimensat(dir, name, &times(attributes), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Sets owner, mode and time of a file that was just made but cannot be opened: a FIFO.
pub(super) fn set_closed(dir: &Dir, name: &[u8], attributes: &Attributes) -> io::Result<()> {
    set_link(dir, name, attributes)?;
    fs::chmodat(dir, name, mode(attributes), AtFlags::empty())?;
    Ok(fs::utimensat(dir, name, &times(attributes), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn owner(attributes: &Attributes) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(attributes.uid)), Some(Gid::from_raw(attributes.gid)))
}

fn mode(attributes: &Attributes) -> Mode {
    Mode::from_raw_mode(attributes.mode & 0o7777)
}

fn times(attributes: &Attributes) -> Timestamps {
    let (seconds, nanoseconds) = attributes.modified;
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds },
    }
}

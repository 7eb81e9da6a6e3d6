//! Where each item lies in one of our own archives: the content of `bowline-index.json.gz`.
//!
//! The file is gzip'd JSON Lines, UTF-8, each line at most 4,096 bytes, written in the order of the
//! archive. A line is an object or an array without line breaks; readers ignore fields that they do
//! not know.
//!
//! ```json
//! {"version":1}
//! {"member":0,"offset":0,"length":20203,"unpacked":262656,"sha256":"90c1..."}
//! {"resource":"pods","namespace":"shop","version":"v1"}
//! ["web-0",1024,3924]
//! ["web-1",10240,3797]
//! {"resource":"clusterroles.rbac.authorization.k8s.io","version":"v1"}
//! ["system:node",19456,880]
//! {"items":3,"further":0,"size":20203,"sha256":"6d0b..."}
//! ```
//!
//! - The first line is the **header**. A reader refuses a `version` that it does not know.
//! - A **member** line describes a gzip member of the archive. `member` counts from 0. `offset` and
//!   `length` are its bytes in the archive, `sha256` is their SHA-256 in lower-case hex; members
//!   follow one another without gaps, and unpack to `unpacked` bytes of tar. All items up to the next
//!   member line lie in it, whole.
//! - A **group** line names what the items up to the next group line have in common, across members:
//!   `resource` with its group, `namespace` unless they are cluster-scoped, and the API `version`
//!   without the group.
//! - An **item** line is an array: the object's name, the position of its JSON in the unpacked
//!   member, and the size of the JSON; both in bytes. It points to the entry without a version in
//!   its name; the copy by version, which follows it, has no line.
//! - The **end** line is the last one: the number of items, that of entries in further versions, which
//!   have no lines, and the size in bytes and the SHA-256 in lower-case hex of the archive. An index
//!   without it is truncated.
//!
//! No item has two lines. The index is a shortcut and no authority: a reader that goes by it checks
//! that members have the promised digests and hold the promised objects, and reads the whole archive
//! where they do not, where `further` is not 0, and where there is no `sha256` or `further`.

mod parse;
mod parts;
mod write;

pub use parse::Index;
pub use parts::{Parts, Unfit, read_parts};
pub(super) use write::{BlockLines, IndexWriter, Lines};

use std::borrow::Cow;

use bowline_api::GroupResource;
use serde::{Deserialize, Serialize};

/// The version of the format that is written and read.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct HeaderLine {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line<'a> {
    #[serde(borrow)]
    Member(MemberLine<'a>),
    #[serde(borrow)]
    Group(GroupLine<'a>),
    End(EndLine<'a>),
}

#[derive(Serialize, Deserialize)]
struct MemberLine<'a> {
    member: u64,
    offset: u64,
    length: u64,
    unpacked: u64,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    sha256: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct GroupLine<'a> {
    resource: Cow<'a, GroupResource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Cow<'a, str>>,
    version: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct EndLine<'a> {
    items: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    further: Option<u64>,
    size: u64,
    sha256: Cow<'a, str>,
}

/// The name, the position in the unpacked member, and the size.
type ItemLine<'a> = (Cow<'a, str>, u64, u64);

//! Where each item lies in one of our own archives: the content of `bowline-index.json.gz`.
//!
//! The file is gzip'd JSON Lines, UTF-8, each line at most 4,096 bytes, written in the order of the
//! archive. A line is an object or an array without line breaks; readers ignore fields that they do
//! not know.
//!
//! ```json
//! {"version":1}
//! {"member":0,"offset":0,"length":20203,"unpacked":1049088}
//! {"resource":"pods","namespace":"shop","version":"v1"}
//! ["web-0",1024,3924]
//! ["web-1",10240,3797]
//! {"resource":"clusterroles.rbac.authorization.k8s.io","version":"v1"}
//! ["system:node",19456,880]
//! {"items":3,"size":20203,"sha256":"6d0b..."}
//! ```
//!
//! - The first line is the **header**. A reader refuses a `version` that it does not know.
//! - A **member** line describes a gzip member of the archive. `member` counts from 0. `offset` and
//!   `length` are its bytes in the archive; members follow one another without gaps, and unpack to
//!   `unpacked` bytes of tar. All items up to the next member line lie in it, whole.
//! - A **group** line names what the items up to the next group line have in common, across members:
//!   `resource` with its group, `namespace` unless they are cluster-scoped, and the API `version`
//!   without the group.
//! - An **item** line is an array: the object's name, the position of its JSON in the unpacked
//!   member, and the size of the JSON; both in bytes. It points to the entry without a version in
//!   its name; the copy by version, which follows it, has no line.
//! - The **end** line is the last one: the number of items, and the size in bytes and the SHA-256 in
//!   lower-case hex of the archive. An index without it is truncated.
//!
//! No item has two lines. The index is a shortcut and no authority: a reader checks that a member
//! has the promised size and checksum, and that an object is the one it looks for.

mod location;
mod parse;
mod write;

pub use location::Location;
pub use parse::Index;
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
    Member(MemberLine),
    #[serde(borrow)]
    Group(GroupLine<'a>),
    End(EndLine<'a>),
}

#[derive(Serialize, Deserialize)]
struct MemberLine {
    member: u64,
    offset: u64,
    length: u64,
    unpacked: u64,
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
    size: u64,
    sha256: Cow<'a, str>,
}

/// The name, the position in the unpacked member, and the size.
type ItemLine<'a> = (Cow<'a, str>, u64, u64);

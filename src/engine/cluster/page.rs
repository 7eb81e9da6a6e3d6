//! One page of a list: cut into its items, not parsed. Pure.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::engine::model::{Kind, Meta};

/// An item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The item as the server wrote it, with `apiVersion` and `kind`.
    pub json: Bytes,
    /// Its metadata.
    pub meta: Meta,
}

impl Listed {
    /// An object that was read by itself; none if it is not one.
    pub fn of_object(json: Bytes) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Object {
            metadata: Meta,
        }
        let Object { metadata: meta } = serde_json::from_slice(&json).ok()?;
        Some(Self { json, meta })
    }

    /// Where the API server keeps it, relative to its kind: the order of lists.
    ///
    /// By bytes of `namespace/name`, so that `a-b/x` comes before `a/x`.
    pub(super) fn key(&self) -> String {
        match &self.meta.namespace {
            Some(namespace) => format!("{namespace}/{}", self.meta.name),
            None => self.meta.name.clone(),
        }
    }

    /// The bytes of its [key](Self::key).
    pub(super) fn key_bytes(&self) -> impl Iterator<Item = u8> {
        let namespace = self.meta.namespace.iter().flat_map(|it| it.bytes().chain([b'/']));
        namespace.chain(self.meta.name.bytes())
    }
}

/// The items of a page, and where the next one begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) items: Vec<Listed>,
    pub(super) next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Option<ListMeta>,
    #[serde(borrow)]
    items: Option<Vec<Option<&'a RawValue>>>,
}

#[derive(Deserialize)]
struct ListMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// What is looked at of an item.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    metadata: Meta,
}

/// Cuts the reply to a list request for `kind`.
pub(super) fn parse(kind: &Kind, body: &Bytes) -> serde_json::Result<Parsed> {
    let list: List<'_> = serde_json::from_slice(body)?;
    let type_name = list.kind.as_deref().and_then(|kind| kind.strip_suffix("List"));
    let type_meta = TypeMeta {
        api_version: list.api_version.unwrap_or_else(|| kind.api_version()),
        kind: type_name.filter(|name| !name.is_empty()).unwrap_or(&kind.kind).to_owned(),
    };
    let items = list.items.unwrap_or_default().into_iter().flatten();
    Ok(Parsed {
        items: items.map(|item| listed(body, item, &type_meta)).collect::<Result<_, _>>()?,
        next: list.metadata.and_then(|meta| meta.next).filter(|next| !next.is_empty()),
    })
}

/// The object with `apiVersion` and `kind`, which a server leaves out of the items of a list.
pub(super) fn complete(kind: &Kind, body: &Bytes) -> serde_json::Result<Bytes> {
    let type_meta = TypeMeta { api_version: kind.api_version(), kind: kind.kind.clone() };
    Ok(listed(body, serde_json::from_slice(body)?, &type_meta)?.json)
}

struct TypeMeta {
    api_version: String,
    kind: String,
}

fn listed(body: &Bytes, item: &RawValue, type_meta: &TypeMeta) -> serde_json::Result<Listed> {
    let head: Head = serde_json::from_str(item.get())?;
    let missing = [
        ("apiVersion", &type_meta.api_version, head.api_version.is_none()),
        ("kind", &type_meta.kind, head.kind.is_none()),
    ];
    let missing = missing.iter().filter(|(_, _, missing)| *missing);
    let fields: Vec<_> =
        missing.map(|(key, value, _)| format!("\"{key}\":{}", quoted(value))).collect();
    let json = if fields.is_empty() {
        body.slice_ref(item.get().as_bytes())
    } else {
        insert(item.get(), &fields.join(","))
    };
    Ok(Listed { json, meta: head.metadata })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Inserts fields at the beginning of an object.
fn insert(object: &str, fields: &str) -> Bytes {
    let rest = object.strip_prefix('{').unwrap_or(object);
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    Bytes::from(format!("{{{fields}{comma}{rest}"))
}

//! Objects are listed, a page at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::Object;
use bowline_api::{ObjectMeta, StoreError, validate_key};
use futures::stream::{self, Stream, TryStreamExt as _};

use super::client::Client;
use super::read::timestamp;
use super::retry::Failure;

/// Pages of keys that start with a prefix.
#[derive(Debug)]
struct Pages {
    client: Arc<Client>,
    prefix: String,
    delimiter: Option<String>,
    /// Where the next page begins; none after the last.
    next: Option<Start>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Start {
    First,
    After(String),
}

impl Pages {
    fn new(client: Arc<Client>, prefix: &str, delimiter: Option<&str>) -> Self {
        let prefix = client.options.full_key(prefix);
        let delimiter = delimiter.map(str::to_owned);
        Self { client, prefix, delimiter, next: Some(Start::First) }
    }

    async fn next(&mut self) -> Result<Option<ListObjectsV2Output>, Failure> {
        let token = match self.next.take() {
            None => return Ok(None),
            Some(Start::First) => None,
            Some(Start::After(token)) => Some(token),
        };
        let request = self
            .client
            .sdk
            .list_objects_v2()
            .bucket(&self.client.options.bucket)
            .prefix(&self.prefix)
            .set_delimiter(self.delimiter.clone())
            .set_continuation_token(token.clone());
        let page = self.client.call(0, || request.clone().send()).await?;
        if page.is_truncated().unwrap_or_default() {
            let next = page.next_continuation_token().map(str::to_owned);
            if next.is_none() || next == token {
                return Err(Failure::other("the store does not tell where its list goes on"));
            }
            self.next = next.map(Start::After);
        }
        Ok(Some(page))
    }
}

/// Lists objects whose key starts with `prefix`, in the order of S3, which is that of bytes.
///
/// What others keep in the bucket below names that are no valid keys (the `folder/` of consoles) is
/// no object of this store.
pub(super) fn objects(
    client: Arc<Client>,
    prefix: &str,
) -> impl Stream<Item = Result<ObjectMeta, StoreError>> + use<> {
    let pages = Pages::new(Arc::clone(&client), prefix, None);
    let found = stream::try_unfold(pages, async |mut pages| {
        let page = pages.next().await?;
        Ok(page.map(|page| (stream::iter(describe_all(&pages.client, page)), pages)))
    });
    let prefix = prefix.to_owned();
    found.try_flatten().map_err(move |failure| client.refused("list", &prefix, failure))
}

fn describe_all(client: &Client, page: ListObjectsV2Output) -> Vec<Result<ObjectMeta, Failure>> {
    let objects = page.contents.unwrap_or_default();
    objects.iter().filter_map(|object| describe(client, object).transpose()).collect()
}

fn describe(client: &Client, object: &Object) -> Result<Option<ObjectMeta>, Failure> {
    let key = object.key().and_then(|key| client.options.own_key(key));
    let Some(key) = key.filter(|key| validate_key(key).is_ok()) else { return Ok(None) };
    let size = object.size().and_then(|size| u64::try_from(size).ok());
    Ok(Some(ObjectMeta {
        key: key.to_owned(),
        size: size.ok_or_else(|| Failure::other("the list tells no length"))?,
        modified: timestamp(object.last_modified())?,
        version: object.e_tag().ok_or_else(|| Failure::other("the list tells no ETag"))?.to_owned(),
    }))
}

/// Names the "directories" directly below `prefix`.
pub(super) async fn directories(client: Arc<Client>, prefix: &str) -> Result<Vec<String>, Failure> {
    let mut pages = Pages::new(Arc::clone(&client), prefix, Some("/"));
    // S3 sorts them with their slashes.
    let mut names = BTreeSet::new();
    while let Some(page) = pages.next().await? {
        let found = page.common_prefixes().iter().filter_map(|found| found.prefix());
        let found = found.filter_map(|found| client.options.own_key(found)?.strip_prefix(prefix));
        let found = found.filter_map(|name| name.strip_suffix('/'));
        names.extend(found.filter(|name| validate_key(name).is_ok()).map(str::to_owned));
    }
    Ok(names.into_iter().collect())
}

//! Lists, page by page, in bounded memory.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};

use super::client::Cluster;
use super::error::Error;
use super::page::{self, Listed, Parsed};
use super::path;
use super::refusal::Failure;
use super::share::Share;
use super::wire::{Call, LARGEST_REPLY};
use crate::engine::model::Kind;

/// What a page should weigh.
const PAGE_BYTES: usize = 2 << 20;
/// What a page may weigh before it is given up and asked for in smaller pieces.
const PAGE_LIMIT: usize = 4 << 20;
const LEAST_LIMIT: usize = 256 << 10;
/// How many items the first page has, when nothing is known of their size.
const FIRST_ITEMS: usize = 50;
const MOST_ITEMS: usize = 500;
/// How often in a row a list may expire without getting any further.
const MOST_EXPIRATIONS: u32 = 5;

/// Which objects of a kind to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListScope {
    /// The namespace; all of them by default.
    pub namespace: Option<String>,
    /// A label selector as kubectl takes it; all objects by default.
    pub label_selector: Option<String>,
}

/// Some items of a list, in the server's order.
///
/// A page holds its share of the memory for pages until it is dropped: whoever keeps one while
/// asking for another may wait for ever.
#[derive(Debug)]
pub struct Page {
    /// The items.
    pub items: Vec<Listed>,
    _share: Share,
}

impl Cluster {
    /// Lists the objects of a kind; the stream ends after the first error.
    ///
    /// A list that takes longer than the server keeps its state (5 minutes by default) is taken up
    /// again where it was, at a later state: no object that was there all the time is missed or
    /// seen twice. That rests on the order of its items, which the servers of aggregated APIs may
    /// not keep: a list of theirs that expires has failed.
    pub fn list(&self, kind: &Kind, scope: &ListScope) -> BoxStream<'static, Result<Page, Error>> {
        let listing = Listing::new(self.clone(), kind.clone(), scope.clone());
        stream::try_unfold(listing, |mut listing| async move {
            Ok(listing.next_page().await?.map(|page| (page, listing)))
        })
        .boxed()
    }
}

/// A list that is being read.
struct Listing {
    cluster: Cluster,
    kind: Kind,
    scope: ListScope,
    position: Position,
    /// The key of the last item given out.
    last: Option<String>,
    /// Whether it was begun again: what is not after `last` was given out already.
    again: bool,
    order: Order,
    /// How many items to ask for.
    items: usize,
    /// How many bytes of a reply to take.
    limit: usize,
    /// How often it expired since it last got any further.
    expired: u32,
}

enum Position {
    Start,
    After(String),
    End,
}

/// Whether the items come by their keys, as those of the API server itself do.
#[derive(Debug, Default)]
struct Order {
    /// The key of the last item that was read.
    last: Option<String>,
    is_broken: bool,
}

impl Order {
    fn note(&mut self, items: &[Listed]) {
        let (Some(first), Some(last)) = (items.first(), items.last()) else { return };
        let is_after = self.last.as_ref().is_none_or(|before| first.key() > *before);
        self.is_broken |= !is_after || !items.is_sorted_by(|a, b| a.key_bytes().lt(b.key_bytes()));
        self.last = Some(last.key());
    }
}

impl Listing {
    fn new(cluster: Cluster, kind: Kind, scope: ListScope) -> Self {
        let position = Position::Start;
        let (items, limit) = (FIRST_ITEMS, PAGE_BYTES);
        let (last, again, order) = (None, false, Order::default());
        Self { cluster, kind, scope, position, last, again, order, items, limit, expired: 0 }
    }

    async fn next_page(&mut self) -> Result<Option<Page>, Error> {
        while !matches!(self.position, Position::End) {
            let page = self.step().await?;
            if page.is_some() {
                return Ok(page);
            }
        }
        Ok(None)
    }

    /// Asks once; yields no page where there is nothing new, or another attempt is called for.
    async fn step(&mut self) -> Result<Option<Page>, Error> {
        let budget = Arc::clone(&self.cluster.shared.page_budget);
        let mut share = Share::reserve(budget, self.limit.min(PAGE_LIMIT)).await;
        let call = self.request()?;
        match self.cluster.call(&call).await {
            Ok(body) => {
                share.shrink(body.len());
                let items = self.read(&call, &body)?;
                Ok(items.map(|items| Page { items, _share: share }))
            }
            Err(failure) => self.recover(&call, failure).map(|()| None),
        }
    }

    fn request(&self) -> Result<Call, Error> {
        let namespace = self.scope.namespace.as_deref();
        let items = self.items.to_string();
        let mut query = vec![("limit", items.as_str())];
        if let Some(selector) = &self.scope.label_selector {
            query.push(("labelSelector", selector));
        }
        if let Position::After(token) = &self.position {
            query.push(("continue", token));
        }
        let path = path::with_query(&path::collection(&self.kind, namespace)?, &query);
        let place = namespace.map(|name| format!(" in namespace {name}")).unwrap_or_default();
        let call = Call::get(path, format!("list {}{place}", self.kind.resource));
        Ok(call.limited_to(self.limit))
    }

    /// Takes in a page; none if there is nothing new on it.
    fn read(&mut self, call: &Call, body: &Bytes) -> Result<Option<Vec<Listed>>, Error> {
        let Parsed { mut items, next } = page::parse(&self.kind, body)
            .map_err(|source| Error::Decode { request: call.request(), source: source.into() })?;
        self.size_next(body.len(), items.len());
        self.position = next.map_or(Position::End, Position::After);
        self.order.note(&items);
        if self.again {
            self.check_order(call)?;
            let last = self.last.as_deref().unwrap_or_default();
            items.retain(|item| item.key_bytes().gt(last.bytes()));
        }
        let Some(newest) = items.last() else { return Ok(None) };
        self.last = Some(newest.key());
        self.expired = 0;
        Ok(Some(items))
    }

    /// Sizes the next page by the items of this one.
    fn size_next(&mut self, bytes: usize, items: usize) {
        let average = (bytes / items.max(1)).max(1);
        self.items = (PAGE_BYTES / average).clamp(1, MOST_ITEMS);
        self.limit = (2 * average * self.items).clamp(LEAST_LIMIT, PAGE_LIMIT);
    }

    /// Goes on after a failure, if there is a way.
    fn recover(&mut self, call: &Call, failure: Failure) -> Result<(), Error> {
        match failure.error {
            Error::TooLarge { .. } if self.limit < LARGEST_REPLY => {
                self.items = (self.items / 4).max(1);
                self.limit = if self.items > 1 { PAGE_LIMIT } else { LARGEST_REPLY };
                Ok(())
            }
            ref error if error.status() == Some(410) => {
                self.expired += 1;
                self.again = true;
                // The server's token leads to the same place at a later state.
                self.position = if let Some(token) = failure.resume {
                    Position::After(token)
                } else {
                    self.order.last = None;
                    Position::Start
                };
                self.check_order(call)?;
                self.check_progress(call)
            }
            error => Err(error),
        }
    }

    /// Fails where it cannot be told which items were given out before the list was begun again.
    fn check_order(&self, call: &Call) -> Result<(), Error> {
        if self.order.is_broken {
            return Err(Error::Unordered { request: call.request() });
        }
        Ok(())
    }

    fn check_progress(&self, call: &Call) -> Result<(), Error> {
        if self.expired > MOST_EXPIRATIONS {
            return Err(Error::Expired { request: call.request(), times: self.expired });
        }
        Ok(())
    }
}

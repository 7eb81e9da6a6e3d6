//! Until when objects are retained, as stores tell it.

use bowline_api::{ObjectStore as _, Retention, StoreError};

use super::wire::{Reply, described, refusal, reply, store};

const LOCK: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
    </ObjectLockConfiguration>";
/// A lock that retains for a day what has no period of its own.
const LOCK_FOR_A_DAY: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled\
    </ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days>\
    </DefaultRetention></Rule></ObjectLockConfiguration>";
const PERIOD: &str = "<Retention><Mode>COMPLIANCE</Mode>\
    <RetainUntilDate>2026-12-01T00:00:00Z</RetainUntilDate></Retention>";
/// As versitygw has it.
const OWN_WORDS: &str = "<ObjectLockRetention><Mode>COMPLIANCE</Mode>\
    <RetainUntilDate>2026-12-01T00:00:00Z</RetainUntilDate></ObjectLockRetention>";

fn unset() -> Reply {
    refusal(400, "NoSuchObjectLockConfiguration", "not set")
}

/// Asks a store whose period only a HEAD tells in words that are known, or nothing does.
async fn ask(until: Option<&str>) -> Result<Option<Retention>, StoreError> {
    let known = [("content-length", "1"), ("etag", "\"version\"")];
    let until = until.map(|until| ("x-amz-object-lock-retain-until-date", until));
    let head = reply(200, &known.into_iter().chain(until).collect::<Vec<_>>(), "");
    let replies = [reply(200, &[], LOCK), unset(), reply(200, &[], OWN_WORDS), head];
    store(replies).0.retention("a").await
}

/// Asks a store, and tells in how many requests it answered.
async fn ask_plainly(lock: &str, period: Reply) -> (Option<String>, usize) {
    let (store, wire) = store([reply(200, &[], lock), unset(), period, described(1)]);
    let until = store.retention("a").await.unwrap().map(|it| it.until.unwrap().to_string());
    (until, wire.requests().len())
}

#[tokio::test]
async fn when_an_object_was_written_is_asked_only_where_its_period_begins_with_it() {
    let own = || reply(200, &[], PERIOD);
    let day = "2026-12-01T00:00:00Z".to_owned();
    assert_eq!(ask_plainly(LOCK, own()).await, (Some(day.clone()), 3));
    assert_eq!(ask_plainly(LOCK_FOR_A_DAY, own()).await, (Some(day), 3));
    assert_eq!(ask_plainly(LOCK, unset()).await, (None, 3));
    let a_day_later = "2026-11-22T16:00:00Z".to_owned();
    assert_eq!(ask_plainly(LOCK_FOR_A_DAY, unset()).await, (Some(a_day_later), 4));
}

#[tokio::test]
async fn a_period_in_a_store_s_own_words_is_read_from_a_head() {
    let until = "2026-12-01T00:00:00Z";
    let expected = Retention { until: Some(until.parse().unwrap()) };
    assert_eq!(ask(Some(until)).await.unwrap(), Some(expected));
}

#[tokio::test]
async fn a_period_that_cannot_be_read_at_all_is_not_taken_for_none() {
    let error = ask(None).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("a reply that cannot be read (HTTP 200)"), "{cause}");
}

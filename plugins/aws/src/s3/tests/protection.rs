//! Until when objects are retained, as stores tell it.

use bowline_api::{ObjectStore as _, Retention, StoreError};

use super::wire::{Reply, refusal, reply, store};

const LOCK: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
    </ObjectLockConfiguration>";
/// As versitygw has it; of AWS, the document is a `Retention`.
const PERIOD: &str = "<ObjectLockRetention><Mode>COMPLIANCE</Mode>\
    <RetainUntilDate>2026-12-01T00:00:00Z</RetainUntilDate></ObjectLockRetention>";

/// Asks a store whose period only a HEAD tells in words that are known, or nothing does.
async fn ask(until: Option<&str>) -> Result<Option<Retention>, StoreError> {
    let head = |until: Option<&str>| {
        let known = [
            ("content-length", "1"),
            ("etag", "\"version\""),
            ("last-modified", "Sat, 21 Nov 2026 16:00:00 GMT"),
        ];
        let until = until.map(|until| ("x-amz-object-lock-retain-until-date", until));
        reply(200, &known.into_iter().chain(until).collect::<Vec<_>>(), "")
    };
    let replies: [Reply; 5] = [
        reply(200, &[], LOCK),
        head(None),
        refusal(400, "NoSuchObjectLockConfiguration", "no legal hold"),
        reply(200, &[], PERIOD),
        head(until),
    ];
    store(replies).0.retention("a").await
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

//! How a bucket and its objects are guarded.

use aws_sdk_s3::types::{
    BucketVersioningStatus, DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockLegalHoldStatus, ServerSideEncryptionConfiguration,
};
use bowline_api::{Protection, Retention, Setting};
use jiff::{SignedDuration, Timestamp};

use super::client::Client;
use super::error::Kind;
use super::read::{head, head_object, timestamp};
use super::retry::Failure;

/// Tells until when an object can't be removed.
///
/// A HEAD leaves it out for those who may not know, as if there were none; these calls are refused.
/// Where an object has no period of its own, the bucket's is counted from its last write: not every
/// store notes the bucket's at the object.
pub(super) async fn retention(client: &Client, key: &str) -> Result<Option<Retention>, Failure> {
    let Some(lock) = client.lock.get_or_try_init(|| lock(client)).await? else { return Ok(None) };
    if is_held(client, key).await? {
        return Ok(Some(Retention { until: None }));
    }
    let until = match (own_period(client, key).await?, by_default(lock)) {
        (None, Some(period)) => end(period, head(client, key).await?.modified),
        (own, _) => own,
    };
    Ok(until.map(|until| Retention { until: Some(until) }))
}

fn by_default(lock: &ObjectLockConfiguration) -> Option<&DefaultRetention> {
    lock.rule()?.default_retention()
}

/// The lock of the bucket; none if it has none.
async fn lock(client: &Client) -> Result<Option<ObjectLockConfiguration>, Failure> {
    let request = client.sdk.get_object_lock_configuration().bucket(&client.options.bucket);
    let reply = unless_unset(client.call(0, || request.clone().send()).await)?;
    let lock = reply.and_then(|reply| reply.object_lock_configuration);
    Ok(lock.filter(|lock| lock.object_lock_enabled() == Some(&ObjectLockEnabled::Enabled)))
}

async fn is_held(client: &Client, key: &str) -> Result<bool, Failure> {
    let request = client.sdk.get_object_legal_hold();
    let request = request.bucket(&client.options.bucket).key(client.options.full_key(key));
    let reply = unless_unset(client.call(0, || request.clone().send()).await)?;
    let hold = reply.and_then(|reply| reply.legal_hold);
    Ok(hold.is_some_and(|hold| hold.status() == Some(&ObjectLockLegalHoldStatus::On)))
}

async fn own_period(client: &Client, key: &str) -> Result<Option<Timestamp>, Failure> {
    let request = client.sdk.get_object_retention();
    let request = request.bucket(&client.options.bucket).key(client.options.full_key(key));
    let reply = match client.call(0, || request.clone().send()).await {
        Err(failure) if failure.kind() == Kind::Unreadable => {
            return period_by_head(client, key, failure).await.map(Some);
        }
        reply => unless_unset(reply)?,
    };
    let retention = reply.and_then(|reply| reply.retention);
    let until = retention.as_ref().and_then(|retention| retention.retain_until_date());
    until.map(|until| timestamp(Some(until))).transpose()
}

/// The period of an object that has one, which not every store tells in AWS' form (versitygw calls
/// the document otherwise). Who may ask for it is told by a HEAD, too.
async fn period_by_head(client: &Client, key: &str, unread: Failure) -> Result<Timestamp, Failure> {
    match head_object(client, key).await?.object_lock_retain_until_date() {
        None => Err(unread),
        until => timestamp(until),
    }
}

/// When a period that begins with the last write ends.
fn end(period: &DefaultRetention, written: Timestamp) -> Option<Timestamp> {
    let days = match (period.days(), period.years()) {
        (Some(days), _) => i64::from(days),
        (None, years) => i64::from(years?) * 365,
    };
    written.checked_add(SignedDuration::from_hours(24 * days)).ok()
}

/// What is not set, or not known to the store, is no failure.
fn unless_unset<T>(reply: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match reply {
        Err(failure)
            if matches!(failure.kind(), Kind::NoSetting | Kind::Unsupported | Kind::NotAllowed) =>
        {
            Ok(None)
        }
        reply => reply.map(Some),
    }
}

/// Asks for all settings of the bucket; one that may not be read is unknown.
pub(super) async fn of_bucket(client: &Client) -> Result<Protection, Failure> {
    Ok(Protection {
        versioning: unless_refused(versioning(client).await)?,
        object_lock: unless_refused(object_lock(client).await)?,
        encryption: match unless_refused(encryption(client).await)? {
            // Not that nothing is encrypted: many encrypt everything, and do not tell.
            Setting::NotApplicable => Setting::Unknown("the store does not tell".to_owned()),
            told => told,
        },
    })
}

fn unless_refused(setting: Result<Setting, Failure>) -> Result<Setting, Failure> {
    match setting {
        Err(failure) => match failure.kind() {
            Kind::Denied | Kind::Invalid => Ok(Setting::Unknown(failure.fault.to_string())),
            Kind::Unsupported | Kind::NotAllowed => Ok(Setting::NotApplicable),
            Kind::NoSetting => Ok(Setting::Off),
            _ => Err(failure),
        },
        known => known,
    }
}

async fn versioning(client: &Client) -> Result<Setting, Failure> {
    let request = client.sdk.get_bucket_versioning().bucket(&client.options.bucket);
    let reply = client.call(0, || request.clone().send()).await?;
    Ok(match reply.status() {
        Some(BucketVersioningStatus::Enabled) => Setting::On("enabled".to_owned()),
        _ => Setting::Off,
    })
}

async fn object_lock(client: &Client) -> Result<Setting, Failure> {
    let Some(lock) = lock(client).await? else { return Ok(Setting::Off) };
    Ok(Setting::On(by_default(&lock).map_or_else(|| "no default period".to_owned(), period)))
}

fn period(by_default: &DefaultRetention) -> String {
    let mode = by_default.mode().map_or("unknown mode", |mode| mode.as_str());
    match (by_default.days(), by_default.years()) {
        (Some(1), _) => format!("{mode} for 1 day"),
        (Some(days), _) => format!("{mode} for {days} days"),
        (None, Some(1)) => format!("{mode} for 1 year"),
        (None, Some(years)) => format!("{mode} for {years} years"),
        (None, None) => mode.to_owned(),
    }
}

async fn encryption(client: &Client) -> Result<Setting, Failure> {
    let request = client.sdk.get_bucket_encryption().bucket(&client.options.bucket);
    let reply = client.call(0, || request.clone().send()).await?;
    let rules = reply.server_side_encryption_configuration();
    let rules = rules.map(ServerSideEncryptionConfiguration::rules).unwrap_or_default();
    let by_default = rules.iter().find_map(|rule| rule.apply_server_side_encryption_by_default());
    Ok(match by_default {
        None => Setting::Off,
        Some(by_default) => Setting::On(match by_default.kms_master_key_id() {
            Some(key) => format!("{} with {key}", by_default.sse_algorithm().as_str()),
            None => by_default.sse_algorithm().as_str().to_owned(),
        }),
    })
}

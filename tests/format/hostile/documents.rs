//! Documents beside the archive that are damaged or made up: refused, with the name of the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use bowline::engine::model::backup::{Attempt, ProviderRecord};
use bowline::engine::model::restore::RestoreRecord;
use bowline::engine::model::results::BackupResults;
use bowline::engine::model::started::Started;
use bowline::engine::model::volume::{NativeSnapshot, VolumeInfo};
use bowline::engine::report::{BackupReport, RestoreReport, chain};
use bowline::engine::store::{BackupKeys, BackupState, BackupStore, Digests, Error, RestoreKeys};
use bowline_api::ObjectStore as _;
use bowline_local::MemoryStore;
use serde_json::Value;

use super::craft::gzip;
use super::run;

const KEYS: BackupKeys<'static> = BackupKeys("nightly");

/// A document: how it is read, and what must be refused in its place, with the reason.
struct Document {
    key: fn() -> String,
    read: fn(&BackupStore, &str) -> Result<(), Error>,
    refused: &'static [(&'static str, &'static str)],
}

macro_rules! reads {
    ($method:ident, $type:ty) => {
        |store, key| run(store.$method::<$type>(key)).map(drop)
    };
}

const DOCUMENTS: &[Document] = &[
    Document {
        key: || KEYS.volume_snapshots(),
        read: reads!(json_gz, Vec<NativeSnapshot>),
        refused: &[
            ("{}", "invalid type: map, expected a sequence at line 1 column 0"),
            ("[null]", "invalid type: null, expected struct NativeSnapshot at line 1 column 5"),
            ("[{}]", "missing field `spec` at line 1 column 3"),
            (
                r#"[{"spec":{"persistentVolumeName":7}}]"#,
                "invalid type: integer `7`, expected a string at line 1 column 34",
            ),
            (
                r#"[{"spec":{"persistentVolumeName":null}}]"#,
                "invalid type: null, expected a string at line 1 column 37",
            ),
            (
                r#"[{"spec":{},"status":{"providerSnapshotID":["snap-1"]}}]"#,
                "invalid type: sequence, expected a string at line 1 column 43",
            ),
            (
                r#"[{"spec":{},"status":{"phase":"Perhaps"}}]"#,
                "unknown variant `Perhaps`, expected one of `New`, `Completed`, `Failed` at line 1 column 39",
            ),
            (
                r#"[{"spec":{"volumeIOPS":1.5}}]"#,
                "invalid type: floating point `1.5`, expected i64 at line 1 column 26",
            ),
            (
                r#"[{"spec":{"volumeIOPS":9223372036854775808}}]"#,
                "invalid value: integer `9223372036854775808`, expected i64 at line 1 column 42",
            ),
            (
                r#"[{"spec":{"backupName":"a","backupName":"b"}}]"#,
                "duplicate field \"backupName\" at line 1 column 44",
            ),
            (
                r#"[{"spec":{},"unknown":{"a":1,"a":2}}]"#,
                "duplicate field \"a\" at line 1 column 35",
            ),
        ],
    },
    Document {
        key: || KEYS.volume_info(),
        read: reads!(json_gz, Vec<VolumeInfo>),
        refused: &[
            ("{}", "invalid type: map, expected a sequence at line 1 column 0"),
            (
                r#"["pv"]"#,
                "invalid type: string \"pv\", expected struct VolumeInfo at line 1 column 5",
            ),
            (
                r#"[{"pvName":["pv"]}]"#,
                "invalid type: sequence, expected a string at line 1 column 11",
            ),
            (
                r#"[{"skipped":"yes"}]"#,
                "invalid type: string \"yes\", expected a boolean at line 1 column 17",
            ),
            (
                r#"[{"pvInfo":{"labels":{"a":1}}}]"#,
                "invalid type: integer `1`, expected a string at line 1 column 27",
            ),
            (
                r#"[{"nativeSnapshotInfo":{"snapshotHandle":0}}]"#,
                "invalid type: integer `0`, expected a string at line 1 column 42",
            ),
        ],
    },
    Document {
        key: || KEYS.results(),
        read: reads!(json_gz, BackupResults),
        refused: &[
            (
                r#"{"errors":"none"}"#,
                "invalid type: string \"none\", expected struct Messages at line 1 column 16",
            ),
            (
                r#"{"errors":{"namespaces":["a"]}}"#,
                "invalid type: sequence, expected a map at line 1 column 24",
            ),
            (r#"{"errors":{},"errors":{}}"#, "duplicate field \"errors\" at line 1 column 25"),
        ],
    },
    Document {
        key: || KEYS.resource_list(),
        read: reads!(json_gz, BTreeMap<String, Vec<String>>),
        refused: &[
            ("[]", "invalid type: sequence, expected a map at line 1 column 0"),
            (
                r#"{"v1/Pod":"shop/web"}"#,
                "invalid type: string \"shop/web\", expected a sequence at line 1 column 20",
            ),
            (r#"{"v1/Pod":[null]}"#, "invalid type: null, expected a string at line 1 column 15"),
            (
                r#"{"v1/Pod":["a"],"v1/Pod":["b"]}"#,
                "duplicate field \"v1/Pod\" at line 1 column 31",
            ),
        ],
    },
    Document {
        key: || KEYS.item_operations(),
        read: reads!(json_gz, Vec<Value>),
        refused: &[
            ("{}", "invalid type: map, expected a sequence at line 1 column 0"),
            (r#"[{"spec":{"a":1,"a":2}}]"#, "duplicate field \"a\" at line 1 column 22"),
        ],
    },
    Document {
        key: || KEYS.digests(),
        read: reads!(json, Digests),
        refused: &[
            ("null", "invalid type: null, expected an object at line 1 column 4"),
            ("[{}]", "invalid type: sequence, expected an object at line 1 column 0"),
            (r#"{"files":[]}"#, "invalid type: sequence, expected a map at line 1 column 9"),
            (
                r#"{"files":{"a":{"size":-1,"sha256":""}}}"#,
                "invalid value: integer `-1`, expected u64 at line 1 column 24",
            ),
            (
                r#"{"files":{"a":{"size":1,"sha256":"x"},"a":{"size":2,"sha256":"y"}}}"#,
                "duplicate field \"a\" at line 1 column 66",
            ),
        ],
    },
    Document {
        key: || KEYS.attempt(),
        read: reads!(json, Attempt),
        refused: &[
            ("null", "invalid type: null, expected an object at line 1 column 4"),
            ("[]", "invalid type: sequence, expected an object at line 1 column 0"),
            ("{}", "missing field `name` at line 1 column 2"),
            (r#"{"uid":"a","uid":"b"}"#, "duplicate field \"uid\" at line 1 column 21"),
        ],
    },
    Document {
        key: || KEYS.pending(),
        read: reads!(json, Started),
        refused: &[
            ("null", "invalid type: null, expected an object at line 1 column 4"),
            (r#"{"volumes":{}}"#, "invalid type: map, expected a sequence at line 1 column 11"),
            (r#"{"volumes":[{}]}"#, "missing field `report` at line 1 column 14"),
            (
                r#"{"document":{"metadata":{"uid":7}}}"#,
                "invalid type: integer `7`, expected a string at line 1 column 32",
            ),
        ],
    },
    Document {
        key: || KEYS.report(),
        read: reads!(json, BackupReport),
        refused: &[
            ("null", "invalid type: null, expected an object at line 1 column 4"),
            ("{}", "missing field `name` at line 1 column 2"),
            ("[]", "invalid type: sequence, expected an object at line 1 column 0"),
        ],
    },
    Document {
        key: || KEYS.provider("aws"),
        read: reads!(json, ProviderRecord),
        refused: &[
            ("null", "invalid type: null, expected an object at line 1 column 4"),
            ("{}", "missing field `provider` at line 1 column 2"),
            (
                r#"{"provider":["aws"]}"#,
                "invalid type: sequence, expected a string at line 1 column 12",
            ),
        ],
    },
    Document {
        key: || RestoreKeys("nightly").record(),
        read: reads!(json, RestoreRecord),
        refused: &[
            ("null", "invalid type: null, expected an object at line 1 column 4"),
            ("{}", "missing field `name` at line 1 column 2"),
            (r#"{"name":"nightly"}"#, "missing field `uid` at line 1 column 18"),
        ],
    },
    Document {
        key: || RestoreKeys("nightly").result(),
        read: reads!(json, RestoreReport),
        refused: &[
            ("null", "invalid type: null, expected an object at line 1 column 4"),
            ("{}", "missing field `name` at line 1 column 2"),
            ("[]", "invalid type: sequence, expected an object at line 1 column 0"),
        ],
    },
];

/// What is refused in the place of any document.
const ANYWHERE: &[(&str, &str)] = &[
    ("", "EOF while parsing a value at line 1 column 0"),
    ("yes", "expected value at line 1 column 1"),
    ("{\"a\":1}}", "trailing characters at line 1 column 8"),
    (
        "{\"a\":\"\u{1}\"}",
        "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 7",
    ),
    ("\u{feff}{}", "expected value at line 1 column 1"),
    ("{\"a\":1e999}", "number out of range at line 1 column 10"),
    ("{\"a\":1,\"\\u0061\":2}", "duplicate field \"a\" at line 1 column 18"),
];

fn stored(key: &str, content: Vec<u8>) -> BackupStore {
    let objects = Arc::new(MemoryStore::new());
    run(objects.create(key, content.into())).unwrap();
    BackupStore::new(objects, "memory:")
}

fn packed(key: &str, text: &str) -> Vec<u8> {
    if key.ends_with("gz") { gzip(text.as_bytes()) } else { text.as_bytes().to_vec() }
}

fn refusal(document: &Document, content: Vec<u8>) -> String {
    let key = (document.key)();
    let read = (document.read)(&stored(&key, content), &key);
    read.map_or_else(|error| chain(&error), |()| "accepted".to_owned())
}

#[test]
fn a_document_that_is_made_up_is_refused_by_its_name() {
    let mut faults = Vec::new();
    for document in DOCUMENTS {
        let key = (document.key)();
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let deep = (&deep[..], "recursion limit exceeded at line 1 column 128");
        for (text, reason) in document.refused.iter().chain(ANYWHERE).chain([&deep]) {
            let found = refusal(document, packed(&key, text));
            let expected = format!("\"{key}\" cannot be read: {reason}");
            if found != expected {
                faults.push(format!("{text}\n     found: {found}\n  expected: {expected}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_packed_document_that_is_damaged_is_refused_by_its_name() {
    for document in DOCUMENTS.iter().filter(|it| (it.key)().ends_with("gz")) {
        let key = (document.key)();
        let whole = gzip(b"null");
        assert_eq!(refusal(document, whole.clone()), "accepted");
        let mut altered = whole.clone();
        altered[whole.len() - 8] ^= 1;
        for (content, reason) in [
            (Vec::new(), "unexpected end of file"),
            (b"null".to_vec(), "unexpected end of file"),
            (b"[{\"spec\":{}}]".to_vec(), "invalid gzip header"),
            (whole[..whole.len() - 1].to_vec(), "unexpected end of file"),
            (altered, "corrupt gzip stream does not have a matching checksum"),
            ([&whole[..], b"null and more"].concat(), "invalid gzip header"),
            (gzip(&whole), "expected value at line 1 column 1"),
        ] {
            assert_eq!(refusal(document, content), format!("\"{key}\" cannot be read: {reason}"));
        }
    }
}

#[test]
fn a_document_that_is_too_large_is_refused_before_it_is_read() {
    let bomb = gzip(&vec![b' '; (128 << 20) + 1]);
    let key = KEYS.volume_info();
    let error = (DOCUMENTS[1].read)(&stored(&key, bomb), &key).unwrap_err();
    assert_eq!(error.to_string(), format!("\"{key}\" is larger than 134217728 bytes"));

    let key = KEYS.metadata();
    let store = stored(&key, vec![b' '; (64 << 20) + 1]);
    let Ok(Some(BackupState::Invalid(reason))) = run(store.backup("nightly")) else {
        panic!("one bad backup is no reason to list none");
    };
    assert_eq!(reason, format!("\"{key}\" is larger than 67108864 bytes"));
}

#[test]
fn a_backup_whose_document_is_made_up_is_invalid_and_the_reason_is_told() {
    let key = KEYS.metadata();
    let with = |rest: &str| {
        let head = r#""apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":"nightly"}"#;
        format!("{{{head},{rest}}}")
    };
    let other = with("").replace("nightly\"},", "other\"}");
    for (text, expected) in [
        ("null", "invalid type: null, expected an object"),
        (
            r#"["velero.io/v1","Backup",{"name":"nightly"}]"#,
            "invalid type: sequence, expected an object",
        ),
        (&other, "it names itself \"other\""),
        (&other.replace("velero.io/", ""), "it is a v1 Backup, not a velero.io/v1 Backup"),
        (&with(r#""kind":"Backup""#), "duplicate field \"kind\""),
        (&with(r#""status":{"phase":"Fine"}"#), "unknown variant `Fine`"),
        (&with(r#""status":{"startTimestamp":"yesterday"}"#), "failed to parse"),
        (&with(r#""status":{"warnings":-1}"#), "invalid value: integer `-1`"),
        (&with(r#""spec":{"includedNamespaces":"shop"}"#), "invalid type: string \"shop\""),
    ] {
        let store = stored(&key, text.as_bytes().to_vec());
        let state = run(store.backup("nightly")).unwrap();
        let Some(BackupState::Invalid(reason)) = state else { panic!("{text}: {state:?}") };
        assert!(reason.starts_with(expected), "{text}: {reason}");
    }
}

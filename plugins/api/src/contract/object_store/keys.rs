//! Which keys there are.

use super::{assert_holds, assert_invalid, create, keys};
use crate::ObjectStore;

pub(super) async fn check(store: &dyn ObjectStore) {
    odd_keys_are_as_good_as_others(store).await;
    invalid_keys_are_refused_everywhere(store).await;
}

async fn odd_keys_are_as_good_as_others(store: &dyn ObjectStore) {
    let long = "l".repeat(255);
    let deep = ["d"; 512].join("/");
    let longest = format!("{}{}", "4/".repeat(400), "x".repeat(224));
    let odd = [
        "one",
        "a b",
        " ",
        "a+b&c=d",
        "a%2Fb",
        "%",
        "a?b#c",
        "a:b@c",
        "q'u\"o`t",
        "[{(<*>)}]",
        "a..b",
        "a.",
        "-",
        "--help",
        "~",
        "$HOME",
        "日本語",
        "e\u{301}",
        "é",
        "😀",
        &long,
        &deep,
        &longest,
    ];
    for key in odd {
        let key = format!("odd/{key}");
        let key = if key.len() > 1024 { &key["odd/".len()..] } else { &key };
        create(store, key, "x").await;
        assert_holds(store, key, b"x").await;
        assert!(keys(store, key).await.iter().any(|listed| listed == key), "list {key:?}");
    }
    assert_eq!(keys(store, "").await.len(), odd.len());
}

async fn invalid_keys_are_refused_everywhere(store: &dyn ObjectStore) {
    let long = "l".repeat(256);
    let deep = format!("{}x", "d/".repeat(512));
    for key in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/..",
        "a/../b",
        "a/./b",
        ".hidden",
        "a/.hidden/b",
        "a\0b",
        "a\nb",
        "a\u{7f}",
        "a\\b",
        &long,
        &deep,
    ] {
        assert_invalid(store.create(key, "x".into()).await, key);
        assert_invalid(store.start_upload(key).await, key);
        assert_invalid(store.get(key).await.map(drop), key);
        assert_invalid(store.get_range(key, 0..1).await, key);
        assert_invalid(store.head(key).await, key);
        assert_invalid(store.delete(key).await, key);
    }
}

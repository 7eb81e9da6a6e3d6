//! How objects are kept, as the requests say it.

use bowline_api::ObjectStore as _;

use super::wire::{confirmed, described, object, reply, store_with};
use crate::s3::client::CustomerKey;
use crate::s3::{Encryption, S3Options};

fn header_of_a_write(options: S3Options, name: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (store, wire) = store_with(options, None, [confirmed(b"x")]);
        store.create("a", "x".into()).await.unwrap();
        wire.header(0, name)
    })
}

#[test]
fn objects_are_encrypted_as_asked() {
    let kind_and_key = |encryption: Encryption| {
        let options = S3Options { encryption, ..S3Options::default() };
        let header = |name| header_of_a_write(options.clone(), name);
        let kind = header("x-amz-server-side-encryption");
        (kind, header("x-amz-server-side-encryption-aws-kms-key-id"))
    };
    let of = |text: &str| Some(text.to_owned());
    assert_eq!(kind_and_key(Encryption::Bucket), (None, None));
    assert_eq!(kind_and_key(Encryption::S3), (of("AES256"), None));
    assert_eq!(kind_and_key(Encryption::Kms(None)), (of("aws:kms"), None));
    assert_eq!(kind_and_key(Encryption::Kms(of("key"))), (of("aws:kms"), of("key")));
}

#[test]
fn objects_have_the_class_and_tags_asked_for() {
    let storage_class = Some("STANDARD_IA".to_owned());
    let tags = vec![("a b".to_owned(), "c=d&e".to_owned()), ("f".to_owned(), String::new())];
    let options = S3Options { tags, storage_class, ..S3Options::default() };
    let class = header_of_a_write(options.clone(), "x-amz-storage-class");
    assert_eq!(class.as_deref(), Some("STANDARD_IA"));
    let tagging = header_of_a_write(options.clone(), "x-amz-tagging");
    assert_eq!(tagging.as_deref(), Some("a+b=c%3Dd%26e&f="));
    assert_eq!(header_of_a_write(options, "content-encoding"), None);
}

/// S3 forgets the key: every call that touches content or its digest brings it along.
#[tokio::test]
async fn a_key_of_ones_own_goes_with_every_call() {
    let key = CustomerKey { key: "the-key".to_owned(), md5: "its-md5".to_owned() };
    let range = [("content-length", "1"), ("content-range", "bytes 0-0/1")];
    let replies = [confirmed(b"x"), described(1), object("x"), reply(206, &range, "x")];
    let (store, wire) = store_with(S3Options::default(), Some(key), replies);
    store.create("a", "x".into()).await.unwrap();
    store.head("a").await.unwrap();
    drop(store.get("a").await.unwrap());
    store.get_range("a", 0..1).await.unwrap();
    for request in 0..4 {
        let header = |name: &str| {
            wire.header(request, &format!("x-amz-server-side-encryption-customer-{name}"))
        };
        assert_eq!(header("algorithm").as_deref(), Some("AES256"));
        assert_eq!(header("key").as_deref(), Some("the-key"));
        assert_eq!(header("key-md5").as_deref(), Some("its-md5"));
    }
    assert!(!format!("{store:?}").contains("the-key"));
}

use bytes::Bytes;

use super::super::page::{Listed, Parsed, complete, parse};
use super::{nodes, pods};

fn parsed(body: &str) -> Parsed {
    parse(&pods(), &Bytes::from(body.to_owned())).unwrap()
}

fn jsons(body: &str) -> Vec<String> {
    let items = parsed(body).items;
    items.iter().map(|item| String::from_utf8(item.json.to_vec()).unwrap()).collect()
}

#[test]
fn items_get_the_type_of_their_list_and_keep_all_other_bytes() {
    let body = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"next"},
        "items":[ {"metadata" : {"name":"a","uid":"1"},"z":1.0e3, "y":"\u00e9"} ,{ },{}]}"#;
    let expected = [
        r#"{"apiVersion":"v1","kind":"Pod","metadata" : {"name":"a","uid":"1"},"z":1.0e3, "y":"\u00e9"}"#,
        r#"{"apiVersion":"v1","kind":"Pod" }"#,
        r#"{"apiVersion":"v1","kind":"Pod"}"#,
    ];
    assert_eq!(jsons(body), expected);
    assert_eq!(parsed(body).next.as_deref(), Some("next"));
    assert_eq!(parsed(body).items[0].meta.uid, "1");
}

#[test]
fn the_type_of_the_list_counts_also_where_it_comes_last() {
    let body = r#"{"items":[{}],"kind":"WidgetList","apiVersion":"example.com/v2"}"#;
    assert_eq!(jsons(body), [r#"{"apiVersion":"example.com/v2","kind":"Widget"}"#]);
}

#[test]
fn a_list_without_a_type_of_its_own_takes_that_of_its_kind() {
    for body in [r#"{"items":[{}]}"#, r#"{"kind":"List","apiVersion":"v1","items":[{}]}"#] {
        assert_eq!(jsons(body), [r#"{"apiVersion":"v1","kind":"Pod"}"#]);
    }
}

#[test]
fn an_item_with_a_type_stays_as_it_is_and_half_a_type_is_made_whole() {
    let body = r#"{"kind":"PodList","apiVersion":"v1","items":[
        {"spec":{"kind":"no"},"kind":"Odd","apiVersion":"odd/v1"},{"kind":"Odd"}]}"#;
    let expected = [
        r#"{"spec":{"kind":"no"},"kind":"Odd","apiVersion":"odd/v1"}"#,
        r#"{"apiVersion":"v1","kind":"Odd"}"#,
    ];
    assert_eq!(jsons(body), expected);
}

#[test]
fn a_list_without_items_is_empty() {
    for body in [
        r#"{"kind":"PodList","metadata":{"continue":""},"items":null}"#,
        r#"{"kind":"PodList","metadata":null}"#,
        r#"{"items":[]}"#,
        r#"{"items":[null]}"#,
    ] {
        assert_eq!(parsed(body), Parsed { items: Vec::new(), next: None }, "{body}");
    }
}

#[test]
fn what_is_no_list_of_objects_is_an_error() {
    for body in ["", "<html>", "[]", r#"{"items":["a"]}"#, r#"{"items":[{}]"#] {
        assert!(parse(&pods(), &Bytes::from(body.to_owned())).is_err(), "{body}");
    }
}

#[test]
fn items_are_ordered_as_the_server_keeps_them() {
    let body = r#"{"items":[{"metadata":{"namespace":"a-b","name":"x"}},
        {"metadata":{"namespace":"a","name":"x"}}]}"#;
    let keys: Vec<_> = parsed(body).items.iter().map(Listed::key).collect();
    assert_eq!(keys, ["a-b/x", "a/x"]);
    assert!(keys.is_sorted());
}

#[test]
fn a_single_object_is_completed_too() {
    let body = Bytes::from(r#"{"metadata":{}}"#);
    let whole = complete(&nodes(), &body).unwrap();
    assert_eq!(whole, r#"{"apiVersion":"v1","kind":"Node","metadata":{}}"#);
}

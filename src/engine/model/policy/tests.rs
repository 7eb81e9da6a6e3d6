//! Documents against what they mean, and matching against a simple model.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::*;

fn read(yaml: &str) -> Result<Policies, Error> {
    Policies::read(Origin::File("p.yaml".to_owned()), yaml)
}

/// A document with one policy of these conditions.
fn with_conditions(conditions: &str) -> String {
    format!("version: v1\nvolumePolicies:\n- conditions: {conditions}\n  action: {{type: skip}}\n")
}

fn with_action(action: &str) -> String {
    format!("version: v1\nvolumePolicies:\n- conditions: {{}}\n  action: {action}\n")
}

#[track_caller]
fn refused(yaml: &str, path: &str, reason: &str, hint: &str) {
    let Fault { path: found, reason: why, hint: help } = read(yaml).unwrap_err().fault;
    assert_eq!(found, path, "{why}");
    assert!(why.contains(reason), "{why}");
    assert!(help.contains(hint), "{help}");
}

#[test]
fn velero_own_example_is_read() {
    let policies = read(
        "# it is one document\nversion: v1\nvolumePolicies:\n- conditions:\n    capacity: \
         \"10,100Gi\"\n    csi:\n      driver: ebs.csi.aws.com\n      volumeAttributes:\n        \
         protocol: nfs\n    storageClass:\n    - gp2\n    - standard\n  action:\n    type: skip\n- \
         conditions:\n    nfs: {server: 192.168.200.90}\n    volumeTypes: [nfs, configMap]\n    \
         pvcLabels: {tier: \"1\"}\n    pvcPhase: [Pending, Lost]\n  action: {type: snapshot, \
         parameters: {}}\n- conditions: {nfs: {}}\n  action: {type: reattach}\n",
    )
    .unwrap();
    let facts = |capacity: &str| VolumeFacts {
        claim_phase: "Bound".to_owned(),
        volume: Some(Backing {
            capacity: capacity.parse().unwrap(),
            storage_class: "gp2".to_owned(),
            volume_type: VolumeType::named("csi"),
            nfs: None,
            csi: Some((
                "ebs.csi.aws.com".to_owned(),
                BTreeMap::from([("protocol".to_owned(), "nfs".to_owned())]),
            )),
        }),
        ..VolumeFacts::default()
    };
    let verdict = policies.decide(&facts("100Gi")).unwrap();
    assert_eq!(verdict.action, Action::Skip);
    assert_eq!(
        verdict.reason,
        "matched action is 'skip' in chosen resource policies: volumePolicies[0] of file p.yaml \
         (capacity 10 to 100Gi, csi driver ebs.csi.aws.com protocol=nfs, storageClass gp2 or \
         standard)"
    );
    assert_eq!(policies.decide(&facts("101Gi")), None);
}

#[test]
fn a_document_is_refused_as_a_whole_with_its_reason() {
    refused("", "", "it must be a map", "Velero");
    refused("- a", "", "it must be a map, not a list", "Velero");
    refused("version: [", "", "line 1", "one YAML document");
    refused("version: v1\nversion: v1\n", "", "duplicate", "one YAML document");
    refused("volumePolicies: []", "", "it has no version", "version: v1");
    refused("version: v2", "version", "\"v2\" is not a version", "version: v1");
    refused("version: 1", "version", "it must be text", "quotes");
    refused("version: v1", "", "no volumePolicies", "leave the flag out");
    refused("version: v1\nvolumePolicies: {a: b}", "volumePolicies", "a list, not a map", "");
    refused("version: v1\nvolumePolicy: []", "volumePolicy", "no such field", "\"volumePolicies\"");
    let filters = "version: v1\nincludeExcludePolicy: {}";
    refused(filters, "includeExcludePolicy", "from its flags", "--include-resources");
}

#[test]
fn an_action_is_refused_with_what_to_use_instead() {
    let at = "volumePolicies[0].action";
    let kind = &format!("{at}.type");
    let without = "version: v1\nvolumePolicies: [{conditions: {}}]";
    refused(without, "volumePolicies[0]", "it has no action", "type: skip");
    refused(&with_action("{}"), at, "it has no type", "type: skip");
    refused(&with_action("skip"), at, "it must be a map, not text", "");
    refused(&with_action("{type: fs-backup}"), kind, "copies no files", "use snapshot");
    refused(&with_action("{type: custom}"), kind, "no plugins", "use snapshot");
    refused(&with_action("{type: snapshoot}"), kind, "no action \"snapshoot\"", "\"snapshot\"");
    refused(&with_action("{type: delete-it}"), kind, "no action", "use skip, snapshot or reattach");
    refused(&with_action("{kind: skip}"), &format!("{at}.kind"), "no such field", "type");
    let parameters = with_action("{type: snapshot, parameters: {a: b}}");
    refused(&parameters, &format!("{at}.parameters"), "takes no parameters", "leave");
}

#[test]
fn a_condition_is_refused_where_it_stands() {
    for (conditions, path, reason, hint) in [
        ("{capacty: \"1,2\"}", ".capacty", "no such field", "\"capacity\""),
        ("{capacity: 10Gi}", ".capacity", "not of the form", "\"10Gi,100Gi\""),
        ("{capacity: \"1,2,3\"}", ".capacity", "not of the form", "\"10Gi,100Gi\""),
        ("{capacity: \",\"}", ".capacity", "bounds nothing", "\"10Gi,\""),
        ("{capacity: \"1GB,\"}", ".capacity", "\"1GB\" is not a quantity", "\"10Gi,\""),
        ("{capacity: \"2Gi,1Gi\"}", ".capacity", "2Gi is above the upper one, 1Gi", ""),
        ("{capacity: 10}", ".capacity", "it must be text", "quotes"),
        ("{storageClass: gp2}", ".storageClass", "a list, not text", ""),
        ("{storageClass: []}", ".storageClass", "it is empty", "leave it out"),
        ("{storageClass: [gp2, \"\"]}", ".storageClass[1]", "it is empty", ""),
        ("{nfs: }", ".nfs", "and is empty", ""),
        ("{nfs: {host: a}}", ".nfs.host", "no such field", "server, path"),
        ("{csi: {driver: }}", ".csi.driver", "it must be text, and is empty", ""),
        ("{csi: {volumeAttributes: {a: b}}}", ".csi", "and no driver", "name the driver"),
        ("{csi: {driver: d, volumeAttributes: {a: true}}}", ".csi.volumeAttributes.a", "text", ""),
        ("{volumeTypes: [csi, configmap]}", ".volumeTypes[1]", "no type", "\"configMap\"? Velero"),
        ("{volumeTypes: [something]}", ".volumeTypes[0]", "no type", "there is: awsAzureDisk, "),
        ("{pvcLabels: {}}", ".pvcLabels", "it is empty", ""),
        ("{pvcLabels: {tier: 1.10}}", ".pvcLabels.tier", "it must be text", "quotes"),
        ("{pvcPhase: [bound]}", ".pvcPhase[0]", "no phase \"bound\"", "\"Bound\""),
        ("{pvcPhase: [Gone]}", ".pvcPhase[0]", "no phase", "Pending, Bound, Lost"),
    ] {
        let path = format!("volumePolicies[0].conditions{path}");
        refused(&with_conditions(conditions), &path, reason, hint);
    }
}

#[test]
fn an_error_names_its_origin_and_its_place() {
    let origin = Origin::ConfigMap { namespace: "velero".to_owned(), name: "p".to_owned() };
    let error = Policies::read(origin, &with_conditions("{pvcPhase: [Gone]}")).unwrap_err();
    let told = "ConfigMap velero/p: volumePolicies[0].conditions.pvcPhase[0]: there is no phase \
                \"Gone\" of a claim";
    assert_eq!(error.to_string(), told);
}

#[test]
fn an_upper_bound_of_0_is_none_as_in_velero() {
    let policies = read(&with_conditions("{capacity: \"1Gi,0\"}")).unwrap();
    let size = |size: &str| VolumeFacts {
        volume: Some(Backing {
            capacity: size.parse().unwrap(),
            storage_class: String::new(),
            volume_type: None,
            nfs: None,
            csi: None,
        }),
        ..VolumeFacts::default()
    };
    assert!(policies.decide(&size("5Ti")).is_some());
    assert!(policies.decide(&size("1G")).is_none());
}

/// Conditions as a document has them, and what they are held against, in plain numbers and lists.
#[derive(Clone, Debug)]
struct Asked {
    capacity: Option<(u64, u64)>,
    classes: Vec<&'static str>,
    nfs: Option<(Option<&'static str>, Option<&'static str>)>,
    csi: Option<(&'static str, BTreeMap<&'static str, &'static str>)>,
    types: Vec<&'static str>,
    labels: BTreeMap<&'static str, &'static str>,
    phases: Vec<&'static str>,
    action: &'static str,
}

#[derive(Clone, Debug)]
struct Given {
    phase: &'static str,
    labels: BTreeMap<&'static str, &'static str>,
    /// Size in GiB, class and source.
    volume: Option<(u64, &'static str, Source)>,
}

#[derive(Clone, Debug)]
enum Source {
    Nfs(&'static str, &'static str),
    Csi(&'static str, BTreeMap<&'static str, &'static str>),
    Other(&'static str),
}

const CLASSES: [&str; 3] = ["gp2", "gp3", "slow"];
const WORDS: [&str; 2] = ["a", "b"];
const PHASES: [&str; 3] = ["Pending", "Bound", "Lost"];
const TYPES: [&str; 4] = ["nfs", "csi", "hostPath", "local"];

fn words() -> impl Strategy<Value = BTreeMap<&'static str, &'static str>> {
    btree_map(select(&WORDS[..]), select(&WORDS[..]), 0..=2)
}

fn asked() -> impl Strategy<Value = Asked> {
    let word = || option::of(select(&WORDS[..]));
    // Bounds in GiB; 0 above is none, and 0 below is written as nothing.
    let capacity = (0_u64..6, 0_u64..6).prop_filter("it bounds something", |(low, high)| {
        (*low, *high) != (0, 0) && (*high == 0 || low <= high)
    });
    (
        option::of(capacity),
        subsequence(CLASSES.to_vec(), 0..=2),
        option::of((word(), word())),
        option::of((select(&WORDS[..]), words())),
        subsequence(TYPES.to_vec(), 0..=2),
        words(),
        subsequence(PHASES.to_vec(), 0..=2),
        select(vec!["skip", "snapshot", "reattach"]),
    )
        .prop_map(|(capacity, classes, nfs, csi, types, labels, phases, action)| Asked {
            capacity,
            classes,
            nfs,
            csi,
            types,
            labels,
            phases,
            action,
        })
}

fn given() -> impl Strategy<Value = Given> {
    let source = prop_oneof![
        (select(&WORDS[..]), select(&WORDS[..])).prop_map(|(s, p)| Source::Nfs(s, p)),
        (select(&WORDS[..]), words()).prop_map(|(driver, has)| Source::Csi(driver, has)),
        select(vec!["hostPath", "local"]).prop_map(Source::Other),
    ];
    let volume = option::weighted(0.9, (0_u64..6, select(&CLASSES[..]), source));
    (select(&PHASES[..]), words(), volume).prop_map(|(phase, labels, volume)| Given {
        phase,
        labels,
        volume,
    })
}

impl Asked {
    fn document(&self) -> Value {
        let mut conditions = Map::new();
        let mut put = |name: &str, value: Value| drop(conditions.insert(name.to_owned(), value));
        if let Some((low, high)) = self.capacity {
            let low = if low == 0 { String::new() } else { format!("{}Mi", low * 1024) };
            put("capacity", json!(format!("{low}, {high}Gi")));
        }
        if let Some((server, path)) = self.nfs {
            let fields = [("server", server), ("path", path)];
            put("nfs", fields.into_iter().filter_map(|(k, v)| Some((k, json!(v?)))).collect());
        }
        if let Some((driver, has)) = &self.csi {
            let mut csi = json!({ "driver": driver });
            if !has.is_empty() {
                csi["volumeAttributes"] = json!(has);
            }
            put("csi", csi);
        }
        for (name, list) in [
            ("storageClass", &self.classes),
            ("volumeTypes", &self.types),
            ("pvcPhase", &self.phases),
        ] {
            if !list.is_empty() {
                put(name, json!(list));
            }
        }
        if !self.labels.is_empty() {
            put("pvcLabels", json!(self.labels));
        }
        json!({"conditions": conditions, "action": {"type": self.action}})
    }

    /// What the document means, read off Velero's description of it.
    fn means(&self, it: &Given) -> bool {
        let Self { capacity, classes, nfs, csi, types, labels, phases, .. } = self;
        if !labels.iter().all(|pair| it.labels.iter().any(|other| other == pair)) {
            return false;
        }
        if !phases.is_empty() && !phases.contains(&it.phase) {
            return false;
        }
        let Some((size, class, source)) = &it.volume else {
            let none = capacity.is_none() && classes.is_empty() && types.is_empty();
            return none && nfs.is_none() && csi.is_none();
        };
        let sized = match capacity {
            None => true,
            Some((low, 0)) => low <= size,
            Some((low, high)) => (*low..=*high).contains(size),
        };
        let kind = match source {
            Source::Nfs(..) => "nfs",
            Source::Csi(..) => "csi",
            Source::Other(name) => name,
        };
        let in_nfs = match (nfs, source) {
            (None, _) => true,
            (Some((server, path)), Source::Nfs(s, p)) => {
                server.unwrap_or(s) == *s && path.unwrap_or(p) == *p
            }
            _ => false,
        };
        let of_csi = match (csi, source) {
            (None, _) => true,
            (Some((driver, wanted)), Source::Csi(d, has)) => {
                driver == d && wanted.iter().all(|(key, value)| has.get(key) == Some(value))
            }
            _ => false,
        };
        sized
            && in_nfs
            && of_csi
            && (classes.is_empty() || classes.contains(class))
            && (types.is_empty() || types.contains(&kind))
    }
}

impl Given {
    fn facts(&self) -> VolumeFacts {
        let owned = |map: &BTreeMap<&str, &str>| {
            map.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let volume = self.volume.as_ref().map(|(size, class, source)| {
            let mut spec = json!({"capacity": {"storage": format!("{size}Gi")},
                "storageClassName": class});
            match source {
                Source::Nfs(server, path) => spec["nfs"] = json!({"server": server, "path": path}),
                Source::Csi(driver, has) => {
                    spec["csi"] = json!({"driver": driver, "volumeAttributes": has});
                }
                Source::Other(name) => spec[*name] = json!({"path": "/a"}),
            }
            Backing::read(&json!({ "spec": spec })).unwrap()
        });
        VolumeFacts {
            claim_labels: owned(&self.labels),
            claim_phase: self.phase.to_owned(),
            volume,
        }
    }
}

proptest! {
    #[test]
    fn the_first_policy_all_of_whose_conditions_hold_decides(
        policies in vec(asked(), 1..6),
        given in given(),
    ) {
        let documents: Vec<_> = policies.iter().map(Asked::document).collect();
        let document = json!({"version": "v1", "volumePolicies": documents});
        let read = read(&document.to_string()).unwrap();
        let found = read.decide(&given.facts());
        let expected = policies.iter().position(|policy| policy.means(&given));
        prop_assert_eq!(found.is_some(), expected.is_some());
        if let (Some(found), Some(index)) = (found, expected) {
            prop_assert_eq!(found.action.to_string(), policies[index].action);
            let place = format!("volumePolicies[{index}] ");
            prop_assert!(found.reason.contains(&place), "{}", found.reason);
        }
    }

    #[test]
    fn no_text_is_read_in_panic(text in "\\PC{0,80}") {
        drop(read(&text));
        drop(read(&with_conditions(&text)));
        drop(text.parse::<Quantity>());
    }
}

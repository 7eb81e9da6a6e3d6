//! Faults while a backup is restored.

use std::collections::BTreeMap;

use bowline_testkit::lab;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use serde_json::Value;

use super::case::Case;
use super::machine::Machine;
use super::message::{errors_with_hints, one_error};
use super::site::{Site, all_claims, claims_of};
use crate::application::completed;

/// How many restores are made at once: mostly they wait for the volume controller.
const AT_ONCE: usize = 6;
/// A bucket that does not tell its region is in the account's; a location that takes no records does
/// not keep anybody from restoring; what is listed are the pieces of the log, to be cleared away.
const OPTIONAL: [&str; 3] = ["HeadBucket", "PutObject", "ListObjectsV2"];
const BACKUP: &str = "restored";

pub(super) async fn meet_faults(site: &Site) {
    let machine = Machine::new(site);
    machine.backed_up(BACKUP).await;
    let output = machine.restore("plain", BACKUP, "plain").await;
    is_done(site, "plain", &completed(&output)).await;
    let cases = Case::all(&machine).into_iter().filter(Case::is_certain);
    let runs = cases.map(|case| meet(site, case));
    stream::iter(runs).buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// Restores into a namespace of its own; first something goes wrong, then nothing does.
async fn meet(site: &Site, case: Case) {
    let (machine, name) = (Machine::new(site), case.name());
    let struck = case.befall(&machine);
    let output = machine.restore(&name, BACKUP, &name).await;
    assert!(struck.hits() > 0, "no call met {case}");
    machine.heal();
    let code = case.exit(machine.has_written(), &OPTIONAL);
    assert_eq!(output.code, Some(code), "{case}: {}{}", output.stdout, output.stderr);
    let volumes = site.volumes(&name).await;
    claims_of(&name, &volumes);
    let report = match code {
        0 => completed(&output),
        3 => {
            is_partly_failed(&name, &output.json(), &volumes);
            mended_as_the_hint_says(&machine, &name, BACKUP, &output.json()).await
        }
        5 => {
            one_error(&name, &output, code);
            nothing_was_done(site, &name, &volumes).await;
            completed(&machine.restore(&name, BACKUP, &name).await)
        }
        _ => {
            one_error(&name, &output, code);
            completed(&machine.restore(&name, BACKUP, &name).await)
        }
    };
    is_done(site, &name, &report).await;
}

/// Checks that each claim is bound to the one volume that was made for it.
pub(super) async fn is_done(site: &Site, namespace: &str, report: &Value) {
    let volumes = site.volumes(namespace).await;
    assert_eq!(claims_of(namespace, &volumes), all_claims(namespace));
    let client = site.cluster.client().await.unwrap();
    let handles = lab::handles(&client, namespace).await.unwrap().into_iter();
    let handles = handles.map(|(claim, handle)| (handle, format!("{namespace}/{claim}")));
    assert_eq!(handles.collect::<BTreeMap<_, _>>(), volumes, "{namespace}");
    let made = report["volumes"].as_array().unwrap().iter();
    let made = made.filter_map(|volume| volume["volumeId"].as_str());
    assert!(made.clone().count() > 0 && made.clone().all(|id| volumes.contains_key(id)));
}

/// Checks that a restore says of each claim whether it has a volume, and that no other is there.
pub(super) fn is_partly_failed(case: &str, report: &Value, volumes: &BTreeMap<String, String>) {
    assert_eq!(report["phase"], "PartiallyFailed", "{case}");
    errors_with_hints(case, report);
    let bound = of_state(report, "bound").filter_map(|volume| volume["volumeId"].as_str());
    assert_eq!(bound.collect::<Vec<_>>(), volumes.keys().collect::<Vec<_>>(), "{case}");
    let failed = of_state(report, "failed").count();
    assert_eq!(failed + volumes.len(), report["volumes"].as_array().unwrap().len(), "{case}");
}

/// Deletes the claims that have no volume, which wait for one, and restores again.
pub(super) async fn mended_as_the_hint_says(
    machine: &Machine<'_>,
    namespace: &str,
    backup: &str,
    report: &Value,
) -> Value {
    for volume in of_state(report, "failed") {
        let claim = volume["claim"].as_str().unwrap();
        let phase = ["get", "pvc", claim, "-o", "jsonpath={.status.phase}"];
        assert_eq!(kubectl(machine, namespace, &phase).await, "Pending", "{namespace}/{claim}");
        kubectl(machine, namespace, &["delete", "pvc", claim]).await;
    }
    let again = format!("{namespace}-again");
    completed(&machine.restore(&again, backup, namespace).await)
}

async fn kubectl(machine: &Machine<'_>, namespace: &str, arguments: &[&str]) -> String {
    let arguments = [&["--namespace", namespace], arguments].concat();
    machine.site.cluster.kubectl(&arguments).await.unwrap().success()
}

async fn nothing_was_done(site: &Site, namespace: &str, volumes: &BTreeMap<String, String>) {
    assert_eq!(*volumes, BTreeMap::new(), "{namespace}");
    assert!(site.files(&format!("restores/{namespace}")).is_empty(), "{namespace}");
    let namespaces = Api::<Namespace>::all(site.cluster.client().await.unwrap());
    assert!(namespaces.get_opt(namespace).await.unwrap().is_none(), "{namespace} was made");
}

fn of_state<'a>(report: &'a Value, state: &'a str) -> impl Iterator<Item = &'a Value> {
    let volumes = report["volumes"].as_array().into_iter().flatten();
    volumes.filter(move |volume| volume["state"] == state)
}

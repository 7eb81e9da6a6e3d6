use bowline_api::ItemId;

use super::{lists, names};
use crate::engine::model::Meta;
use crate::engine::model::fields::{Object, maps_at, text_at};

/// An object as the rules look at it.
struct Item<'a> {
    id: &'a ItemId,
    meta: &'a Meta,
    object: &'a Object,
    selects: &'a dyn Fn(&str, &str) -> bool,
}

impl Item<'_> {
    fn is(&self, namespace: &str, name: &str) -> bool {
        self.id.namespace.as_deref() == Some(namespace) && self.id.name == name
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.meta.annotations.get(key).map(String::as_str)
    }
}

/// When an object of some kinds is not restored, and why.
struct Rule {
    reason: &'static str,
    resources: &'static [&'static str],
    applies: fn(&Item<'_>) -> bool,
}

/// Why a job does not come back that had run to its end.
pub const FINISHED_JOB: &str =
    "it had finished, and would run again; --restore-finished-jobs brings it back as finished";

const RULES: &[Rule] = &[
    Rule {
        reason: "the cluster puts its own into every namespace",
        resources: &["configmaps"],
        applies: |item| CERTIFICATES.contains(&item.id.name.as_str()),
    },
    Rule {
        reason: "a lock belongs to a running process",
        resources: &["configmaps", "endpoints"],
        applies: |item| item.annotation("control-plane.alpha.kubernetes.io/leader").is_some(),
    },
    Rule {
        reason: "the API server makes its default rules itself",
        resources: &["*.rbac.authorization.k8s.io"],
        applies: |item| item.meta.has_label("kubernetes.io/bootstrapping", "rbac-defaults"),
    },
    Rule {
        reason: "the API server makes its default rules itself",
        resources: &["*.flowcontrol.apiserver.k8s.io"],
        applies: |item| item.annotation("apf.kubernetes.io/autoupdate-spec") == Some("true"),
    },
    Rule {
        reason: "the API server makes the system classes itself",
        resources: &["priorityclasses.scheduling.k8s.io"],
        applies: |item| item.id.name.starts_with("system-"),
    },
    Rule {
        reason: "the controller manager publishes its own",
        resources: &["clustertrustbundles.certificates.k8s.io"],
        applies: |item| {
            text_at(item.object, &["spec", "signerName"])
                .is_some_and(|signer| signer.starts_with("kubernetes.io/"))
        },
    },
    Rule {
        reason: "it leads to the API server of its own cluster",
        resources: &["services", "endpoints", "endpointslices.discovery.k8s.io"],
        applies: |item| item.is("default", "kubernetes"),
    },
    Rule {
        reason: "the API server registers what it serves itself",
        resources: &["apiservices.apiregistration.k8s.io"],
        applies: |item| item.meta.labels.contains_key("kube-aggregator.kubernetes.io/automanaged"),
    },
    Rule {
        reason: "the service's selector fills it again",
        resources: &["endpointslices.discovery.k8s.io", "endpoints"],
        applies: is_filled_by_a_controller,
    },
    Rule {
        reason: "the node's kubelet mirrors it from a file",
        resources: &["pods"],
        applies: |item| item.annotation("kubernetes.io/config.mirror").is_some(),
    },
    Rule {
        reason: "it had finished, and would run again",
        resources: &["pods"],
        applies: |item| is_finished(item.object),
    },
    Rule {
        reason: FINISHED_JOB,
        resources: &["jobs.batch"],
        applies: |item| is_finished(item.object),
    },
    Rule {
        reason: "it is made for its pod, and goes with it",
        resources: &["persistentvolumeclaims", "resourceclaims.resource.k8s.io"],
        applies: |item| {
            item.meta.controller().is_some_and(|it| it.kind == "Pod" && it.api_version == "v1")
        },
    },
    Rule {
        reason: "the token is worth nothing elsewhere, and the cluster makes its own",
        resources: &["secrets"],
        applies: |item| {
            text_at(item.object, &["type"]) == Some("kubernetes.io/service-account-token")
                && item
                    .annotation("kubernetes.io/service-account.name")
                    .is_some_and(|account| is_generated_token(account, &item.id.name))
        },
    },
];

/// `ConfigMaps` that a controller of the cluster, or of its mesh, puts into every namespace.
const CERTIFICATES: &[&str] =
    &["kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"];

fn is_filled_by_a_controller(item: &Item<'_>) -> bool {
    let slice = item.meta.labels.get("endpointslice.kubernetes.io/managed-by");
    if names("endpointslices.discovery.k8s.io", &item.id.resource) {
        return slice.is_some_and(|manager| {
            manager == "endpointslice-controller.k8s.io"
                || manager == "endpointslicemirroring-controller.k8s.io"
        });
    }
    item.meta.has_label("endpoints.kubernetes.io/managed-by", "endpoint-controller")
        || (item.selects)(item.id.namespace.as_deref().unwrap_or_default(), &item.id.name)
}

/// Tells why this object is not restored although others of its kind are, if so.
///
/// `selects` answers whether the Service of this namespace and name has a selector in the archive;
/// it is asked for Endpoints only, and last.
pub fn never_restored_object(
    id: &ItemId,
    meta: &Meta,
    object: &Object,
    selects: &dyn Fn(&str, &str) -> bool,
) -> Option<&'static str> {
    let item = Item { id, meta, object, selects };
    RULES
        .iter()
        .find(|rule| lists(rule.resources, &id.resource) && (rule.applies)(&item))
        .map(|rule| rule.reason)
}

/// Whether a pod or a job had run to its end, well or not.
pub fn is_finished(object: &Object) -> bool {
    let phase = text_at(object, &["status", "phase"]);
    let ended = |condition: &Object| {
        matches!(text_at(condition, &["type"]), Some("Complete" | "Failed"))
            && text_at(condition, &["status"]) == Some("True")
    };
    matches!(phase, Some("Succeeded" | "Failed"))
        || text_at(object, &["status", "completionTime"]).is_some()
        || maps_at(object, &["status", "conditions"]).any(ended)
}

/// Whether `secret` is the name that clusters before 1.24 gave to a token made for `account`.
///
/// Those end in five characters of an alphabet without vowels; a token that somebody asked for
/// under a name like `web-token-manual` is a secret like any other.
pub fn is_generated_token(account: &str, secret: &str) -> bool {
    let suffix = secret.strip_prefix(account).and_then(|rest| rest.strip_prefix("-token-"));
    suffix.is_some_and(|suffix| {
        suffix.len() == 5 && suffix.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Why this object is skipped in a cluster whose Service `shop/web` has a selector.
    fn reason(id: &str, object: &Value) -> Option<&'static str> {
        let meta = object.get("metadata").cloned().unwrap_or_else(|| json!({}));
        let (id, meta, object) = parsed(id, meta, object.clone());
        never_restored_object(&id, &meta, &object, &|namespace, name| {
            (namespace, name) == ("shop", "web")
        })
    }

    fn parsed(id: &str, meta: Value, object: Value) -> (ItemId, Meta, Object) {
        let meta = serde_json::from_value(meta).unwrap();
        (id.parse().unwrap(), meta, serde_json::from_value(object).unwrap())
    }

    #[test]
    fn what_the_control_plane_makes_itself_is_skipped() {
        let automanaged = json!({"metadata": {"labels":
            {"kube-aggregator.kubernetes.io/automanaged": "onstart"}}});
        let bootstrap = json!({"metadata": {"labels":
            {"kubernetes.io/bootstrapping": "rbac-defaults"}}});
        let flow = json!({"metadata": {"annotations":
            {"apf.kubernetes.io/autoupdate-spec": "true"}}});
        for (id, object) in [
            ("configmaps/shop/kube-root-ca.crt", &json!({})),
            ("apiservices.apiregistration.k8s.io/v1.apps", &automanaged),
            ("clusterroles.rbac.authorization.k8s.io/view", &bootstrap),
            ("rolebindings.rbac.authorization.k8s.io/kube-public/x", &bootstrap),
            ("flowschemas.flowcontrol.apiserver.k8s.io/catch-all", &flow),
            ("priorityclasses.scheduling.k8s.io/system-node-critical", &json!({})),
            ("services/default/kubernetes", &json!({})),
            ("endpoints/default/kubernetes", &json!({})),
            ("endpointslices.discovery.k8s.io/default/kubernetes", &json!({})),
        ] {
            assert!(reason(id, object).is_some(), "{id}");
        }
    }

    #[test]
    fn what_a_person_made_in_their_place_is_restored() {
        let own = json!({"metadata": {"annotations": {"apf.kubernetes.io/autoupdate-spec": "false"},
            "labels": {"kubernetes.io/bootstrapping": "other"}}});
        for (id, object) in [
            ("configmaps/shop/web-config", &json!({})),
            ("apiservices.apiregistration.k8s.io/v1.wardle.example.com", &own),
            ("clusterroles.rbac.authorization.k8s.io/shop-reader", &own),
            ("flowschemas.flowcontrol.apiserver.k8s.io/shop", &own),
            ("priorityclasses.scheduling.k8s.io/shop-high", &json!({})),
            ("services/shop/kubernetes", &json!({})),
            ("deployments.apps/default/kubernetes", &json!({})),
        ] {
            assert_eq!(reason(id, object), None, "{id}");
        }
    }

    #[test]
    fn endpoints_come_back_only_where_no_selector_fills_them() {
        let slice = |manager: &str| json!({"metadata": {"labels": {"endpointslice.kubernetes.io/managed-by": manager}}});
        let id = "endpointslices.discovery.k8s.io/shop/web-52trs";
        assert!(reason(id, &slice("endpointslice-controller.k8s.io")).is_some());
        assert!(reason(id, &slice("endpointslicemirroring-controller.k8s.io")).is_some());
        assert_eq!(reason(id, &slice("staff")), None);
        assert_eq!(reason(id, &json!({})), None);
        assert!(reason("endpoints/shop/web", &json!({})).is_some());
        assert_eq!(reason("endpoints/shop/legacy", &json!({})), None);
        let managed = json!({"metadata": {"labels":
            {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}}});
        assert!(reason("endpoints/shop/legacy", &managed).is_some());
    }

    #[test]
    fn finished_pods_and_jobs_do_not_run_again() {
        let condition = |kind: &str, status: &str| json!({"status": {"conditions": [{"type": kind, "status": status}]}});
        for finished in [
            json!({"status": {"phase": "Succeeded"}}),
            json!({"status": {"phase": "Failed"}}),
            condition("Complete", "True"),
            condition("Failed", "True"),
        ] {
            assert!(is_finished(finished.as_object().unwrap()), "{finished}");
        }
        for running in [
            json!({"status": {"phase": "Running"}}),
            condition("Failed", "False"),
            condition("SuccessCriteriaMet", "True"),
            condition("Suspended", "True"),
            json!({}),
        ] {
            assert!(!is_finished(running.as_object().unwrap()), "{running}");
        }
        assert!(reason("jobs.batch/shop/migrate", &condition("Complete", "True")).is_some());
        assert_eq!(reason("widgets.example.com/shop/w", &condition("Failed", "True")), None);
    }

    #[test]
    fn mirror_pods_and_claims_made_for_a_pod_are_skipped() {
        let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}});
        assert!(reason("pods/kube-system/etcd-a", &mirror).is_some());
        let owned = |kind: &str, version: &str| {
            json!({"metadata": {"ownerReferences":
                [{"apiVersion": version, "kind": kind, "name": "x", "uid": "1", "controller": true}]}})
        };
        let id = "persistentvolumeclaims/shop/scratch";
        assert!(reason(id, &owned("Pod", "v1")).is_some());
        assert_eq!(reason(id, &owned("StatefulSet", "apps/v1")), None);
        assert_eq!(reason(id, &owned("Pod", "example.com/v1")), None);
    }

    #[test]
    fn locks_of_running_processes_are_skipped() {
        let lock = json!({"metadata": {"annotations":
            {"control-plane.alpha.kubernetes.io/leader": "{}"}}});
        assert!(reason("configmaps/shop/operator-lock", &lock).is_some());
        assert_eq!(reason("secrets/shop/operator-lock", &lock), None);
    }

    #[test]
    fn only_tokens_that_the_cluster_made_by_itself_are_skipped() {
        let token = |kind: &str| {
            json!({"type": kind, "metadata": {"annotations":
                {"kubernetes.io/service-account.name": "web"}}})
        };
        let kind = "kubernetes.io/service-account-token";
        assert!(reason("secrets/shop/web-token-x7f2k", &token(kind)).is_some());
        assert_eq!(reason("secrets/shop/web-token-manual", &token(kind)), None);
        assert_eq!(reason("secrets/shop/other-token-x7f2k", &token(kind)), None);
        assert_eq!(reason("secrets/shop/web-token-x7f2k", &token("Opaque")), None);
        assert!(!is_generated_token("web", "web-token-"));
        assert!(!is_generated_token("web", "web-token-abcde"));
    }
}

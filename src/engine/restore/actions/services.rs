use serde_json::{Number, Value};

use super::Draft;
use crate::engine::model::Object;
use crate::engine::model::fields::{at, map_at, maps_at, maps_at_mut, remove, set_text, text_at};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Leaves to the target cluster the addresses and ports that the old one chose; keeps those that a person
/// chose.
///
/// Who chose a node port is told by the last applied configuration and by the managed fields: a port that
/// the API server allocates is in neither. While the namespace is mapped, the original may be beside us: a
/// chosen port that is taken gives way then, unless all are to be kept.
pub(super) fn prepare(draft: &mut Draft<'_>) {
    if text_at(&draft.object, &["spec", "type"]) == Some("ExternalName") {
        return;
    }
    release_addresses(draft);
    // A drill is closed off last, so that modifiers meet what they would meet in the restore.
    if draft.context.is_beside(draft.id) && !draft.context.isolated {
        stay_inside(draft);
    }
    if !draft.context.preserve_node_ports {
        let chosen = Chosen::of(&draft.object);
        release_node_ports(draft, &chosen);
        release_health_check(draft, &chosen);
    }
}

fn release_addresses(draft: &mut Draft<'_>) {
    let address = text_at(&draft.object, &["spec", "clusterIP"]).unwrap_or_default().to_owned();
    if address == "None" {
        return;
    }
    remove(&mut draft.object, &["spec", "clusterIP"]);
    remove(&mut draft.object, &["spec", "clusterIPs"]);
    if !address.is_empty() {
        draft.note(format!("cluster IP {address} left to the cluster"));
    }
}

/// What only a service has that is reached from outside.
const OF_LOAD_BALANCERS: &[&str] = &[
    "allocateLoadBalancerNodePorts",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
];

/// Keeps a clone from drawing traffic from outside: a load balancer costs money, and the addresses are
/// the original's.
pub(in crate::engine::restore) fn stay_inside(draft: &mut Draft<'_>) {
    if remove(&mut draft.object, &["spec", "externalIPs"]).is_some() {
        draft.note("external IPs dropped, as they are the original's");
    }
    let why = match text_at(&draft.object, &["spec", "type"]) {
        Some("LoadBalancer") => "type LoadBalancer -> ClusterIP, as a load balancer acts outward",
        Some("NodePort") if draft.context.isolated => {
            "type NodePort -> ClusterIP, as ports of nodes are open to everybody"
        }
        _ => return,
    };
    set_text(&mut draft.object, &["spec", "type"], "ClusterIP");
    for key in OF_LOAD_BALANCERS {
        remove(&mut draft.object, &["spec", key]);
    }
    for port in maps_at_mut(&mut draft.object, &["spec", "ports"]) {
        port.remove("nodePort");
    }
    draft.note(why);
}

/// What people said about the ports of a Service.
struct Chosen {
    /// The last applied configuration.
    applied: Object,
    /// The `f:spec` of every manager.
    managed: Vec<Object>,
}

impl Chosen {
    fn of(service: &Object) -> Self {
        let applied = text_at(service, &["metadata", "annotations", LAST_APPLIED])
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let managed = maps_at(service, &["metadata", "managedFields"])
            .filter_map(|entry| map_at(entry, &["fieldsV1", "f:spec"]).cloned())
            .collect();
        Self { applied, managed }
    }

    /// Whether somebody chose the node port of this port: by name where it has one, else by number.
    fn has(&self, port: &Object) -> bool {
        let node_port = number(port.get("nodePort"));
        let by_configuration = maps_at(&self.applied, &["spec", "ports"]).any(|applied| {
            number(applied.get("nodePort")) > 0
                && match text_at(port, &["name"]) {
                    Some(name) => text_at(applied, &["name"]) == Some(name),
                    None => number(applied.get("nodePort")) == node_port,
                }
        });
        by_configuration || self.managed.iter().any(|spec| manages(spec, port))
    }

    fn has_health_check(&self) -> bool {
        number(at(&self.applied, &["spec", "healthCheckNodePort"])) > 0
            || self.managed.iter().any(|spec| spec.contains_key("f:healthCheckNodePort"))
    }
}

/// Whether a manager set the node port of this port: `k:{"port":80,"protocol":"TCP"}` holds `f:nodePort`.
fn manages(spec: &Object, port: &Object) -> bool {
    let key = |key: &str| serde_json::from_str::<Object>(key.strip_prefix("k:")?).ok();
    let protocol = |it: &Object| text_at(it, &["protocol"]).unwrap_or("TCP").to_owned();
    map_at(spec, &["f:ports"]).into_iter().flatten().any(|(name, fields)| {
        fields.get("f:nodePort").is_some()
            && key(name).is_some_and(|key| {
                number(key.get("port")) == number(port.get("port"))
                    && protocol(&key) == protocol(port)
            })
    })
}

fn release_node_ports(draft: &mut Draft<'_>, chosen: &Chosen) {
    let (mut left, mut lost) = (Vec::new(), Vec::new());
    let gives_way = gives_way(draft);
    for port in maps_at_mut(&mut draft.object, &["spec", "ports"]) {
        let node_port = number(port.get("nodePort"));
        let is_chosen = chosen.has(port);
        let holder = gives_way(node_port);
        if node_port > 0 && (!is_chosen || holder.is_some()) {
            let label = text_at(port, &["name"])
                .map_or_else(|| number(port.get("port")).to_string(), str::to_owned);
            let what = format!("node port {node_port} of port {label}");
            match holder.filter(|_| is_chosen) {
                Some(holder) => {
                    lost.push(format!("{what} is taken by {holder}: a free one instead"));
                }
                None => left.push(format!("{what} left to the cluster")),
            }
            port.remove("nodePort");
        }
    }
    draft.changes.extend(left);
    for change in lost {
        draft.note_loss(change);
    }
}

fn release_health_check(draft: &mut Draft<'_>, chosen: &Chosen) {
    let port = number(at(&draft.object, &["spec", "healthCheckNodePort"]));
    let holder = gives_way(draft)(port);
    let is_chosen = chosen.has_health_check();
    if port > 0 && (!is_chosen || holder.is_some()) {
        remove(&mut draft.object, &["spec", "healthCheckNodePort"]);
        match holder.filter(|_| is_chosen) {
            Some(holder) => draft.note_loss(format!(
                "health check node port {port} is taken by {holder}: a free one instead"
            )),
            None => draft.note(format!("health check node port {port} left to the cluster")),
        }
    }
}

/// To which Service a chosen port has to give way: to one that is there already, beside a clone.
fn gives_way<'a>(draft: &Draft<'a>) -> impl Fn(i64) -> Option<&'a str> + use<'a> {
    let (id, context) = (draft.id, draft.context);
    let is_mapped = id.namespace.as_deref().is_some_and(|it| context.is_mapped(it));
    move |port| context.holder(id, port).filter(|_| is_mapped && !context.isolated)
}

fn number(value: Option<&Value>) -> i64 {
    value.and_then(Value::as_number).and_then(Number::as_i64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::draft::{into_copy, prepared};
    use crate::engine::restore::Preparation;

    /// A Service as an API server gives it back, created with this `last-applied` specification.
    fn service(applied: Option<Value>, managed: &Value, ports: &Value) -> Value {
        let mut service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "shop", "annotations": {"a": "b"},
                "managedFields": [{"manager": "kubectl", "operation": "Update",
                    "fieldsV1": {"f:spec": managed}}]},
            "spec": {"clusterIP": "10.0.238.227", "clusterIPs": ["10.0.238.227"],
                "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "type": "NodePort",
                "ports": ports},
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}});
        if let Some(spec) = applied {
            service["metadata"]["annotations"][super::LAST_APPLIED] =
                json!({"spec": spec}).to_string().into();
        }
        service
    }

    fn node_ports(service: &Value, context: &Preparation) -> Vec<Value> {
        let (object, _) = prepared("services/shop/web", service.clone(), context);
        object["spec"]["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| port.get("nodePort").cloned().unwrap_or_default())
            .collect()
    }

    #[test]
    fn the_cluster_chooses_its_addresses_anew_and_families_stay() {
        let (object, changes) =
            prepared("services/shop/web", service(None, &json!({}), &json!([])), &into_copy());
        assert_eq!(object["spec"].get("clusterIP"), None);
        assert_eq!(object["spec"].get("clusterIPs"), None);
        assert_eq!(object["spec"]["ipFamilies"], json!(["IPv4"]));
        assert_eq!(object.get("status"), None);
        assert_eq!(changes[0], "cluster IP 10.0.238.227 left to the cluster");
    }

    #[test]
    fn a_headless_service_stays_headless() {
        let mut headless = service(None, &json!({}), &json!([{"port": 80}]));
        headless["spec"]["clusterIP"] = "None".into();
        headless["spec"]["clusterIPs"] = json!(["None"]);
        let (object, changes) = prepared("services/shop/web", headless, &Preparation::default());
        assert_eq!(object["spec"]["clusterIPs"], json!(["None"]));
        assert!(changes.is_empty());
    }

    #[test]
    fn an_external_name_is_untouched() {
        let external = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {
            "type": "ExternalName", "externalName": "example.com", "clusterIP": "",
            "ports": [{"port": 80, "nodePort": 30000}]}});
        let (object, changes) =
            prepared("services/shop/web", external.clone(), &Preparation::default());
        assert_eq!(object["spec"], external["spec"]);
        assert!(changes.is_empty());
    }

    #[test]
    fn node_ports_that_the_cluster_chose_are_dropped() {
        let ports = json!([{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 32266}]);
        let applied = json!({"ports": [{"name": "http", "port": 80}]});
        let managed = json!({"f:ports": {".": {},
            "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}});
        let service = service(Some(applied), &managed, &ports);
        assert_eq!(node_ports(&service, &Preparation::default()), [Value::Null]);
        let (_, changes) = prepared("services/shop/web", service, &Preparation::default());
        assert_eq!(changes[1], "node port 32266 of port http left to the cluster");
    }

    #[test]
    fn node_ports_in_the_last_applied_configuration_are_kept_by_name_or_by_number() {
        let ports = json!([
            {"name": "http", "port": 80, "nodePort": 30080},
            {"name": "admin", "port": 81, "nodePort": 30081}]);
        let applied = json!({"ports": [{"name": "http", "port": 80, "nodePort": 30080}]});
        let named = service(Some(applied), &json!({}), &ports);
        assert_eq!(node_ports(&named, &Preparation::default()), [json!(30080), Value::Null]);
        let applied = json!({"ports": [{"port": 80, "nodePort": 30080}]});
        let unnamed = |number: i64| {
            service(Some(applied.clone()), &json!({}), &json!([{"port": 80, "nodePort": number}]))
        };
        assert_eq!(node_ports(&unnamed(30080), &Preparation::default()), [json!(30080)]);
        assert_eq!(node_ports(&unnamed(30099), &Preparation::default()), [Value::Null]);
    }

    #[test]
    fn node_ports_that_a_manager_set_are_kept_by_port_and_protocol() {
        let managed = json!({"f:ports": {
            "k:{\"port\":53,\"protocol\":\"UDP\"}": {"f:nodePort": {}}, "k:nonsense": {"f:nodePort": {}}}});
        let ports = json!([
            {"name": "udp", "port": 53, "protocol": "UDP", "nodePort": 30053},
            {"name": "tcp", "port": 53, "protocol": "TCP", "nodePort": 30054}]);
        let service = service(None, &managed, &ports);
        assert_eq!(node_ports(&service, &Preparation::default()), [json!(30053), Value::Null]);
    }

    #[test]
    fn a_chosen_port_that_is_taken_gives_way_only_where_the_namespace_is_mapped() {
        let applied = json!({"ports": [{"port": 80, "nodePort": 30080}]});
        let service = service(Some(applied), &json!({}), &json!([{"port": 80, "nodePort": 30080}]));
        let held = |port: i64, by: &str| [(port, by.to_owned())].into();
        let taken = Preparation { node_ports: held(30080, "other/web"), ..Preparation::default() };
        assert_eq!(node_ports(&service, &taken), [json!(30080)]);
        let clone = Preparation { node_ports: held(30080, "other/web"), ..into_copy() };
        assert_eq!(node_ports(&service, &clone), [Value::Null]);
        let free = Preparation { node_ports: held(30081, "other/web"), ..into_copy() };
        assert_eq!(node_ports(&service, &free), [json!(30080)]);
        let own = Preparation { node_ports: held(30080, "copy/web"), ..into_copy() };
        assert_eq!(node_ports(&service, &own), [json!(30080)]);
        let (_, changes) = prepared("services/shop/web", service, &clone);
        let expected = "node port 30080 of port 80 is taken by other/web: a free one instead";
        assert_eq!(changes[1], expected);
    }

    #[test]
    fn beside_its_original_a_load_balancer_stays_inside_of_the_cluster() {
        let balancer = json!({"spec": {"type": "LoadBalancer", "externalIPs": ["198.51.100.4"],
            "loadBalancerIP": "203.0.113.7", "loadBalancerClass": "x", "healthCheckNodePort": 32626,
            "externalTrafficPolicy": "Local", "allocateLoadBalancerNodePorts": true,
            "loadBalancerSourceRanges": ["10.0.0.0/8"], "selector": {"app": "web"},
            "ports": [{"port": 80, "nodePort": 30080}]}});
        let beside = Preparation { beside: ["shop".to_owned()].into(), ..into_copy() };
        let (object, changes) = prepared("services/shop/web", balancer.clone(), &beside);
        let inside =
            json!({"type": "ClusterIP", "selector": {"app": "web"}, "ports": [{"port": 80}]});
        assert_eq!(object["spec"], inside);
        assert_eq!(changes.len(), 3, "{changes:?}");
        let (object, _) = prepared("services/shop/web", balancer, &into_copy());
        assert_eq!(object["spec"]["type"], "LoadBalancer");
    }

    #[test]
    fn all_ports_are_preserved_on_request() {
        let mut service = service(None, &json!({}), &json!([{"port": 80, "nodePort": 32266}]));
        service["spec"]["healthCheckNodePort"] = 32626.into();
        let context = Preparation { preserve_node_ports: true, ..Preparation::default() };
        assert_eq!(node_ports(&service, &context), [json!(32266)]);
        let (object, _) = prepared("services/shop/web", service, &context);
        assert_eq!(object["spec"]["healthCheckNodePort"], 32626);
    }

    #[test]
    fn a_health_check_port_is_kept_only_where_somebody_chose_it() {
        let kept = |applied: Option<Value>, managed: Value| {
            let mut service = service(applied, &managed, &json!([]));
            service["spec"]["healthCheckNodePort"] = 32626.into();
            let (object, _) = prepared("services/shop/web", service, &Preparation::default());
            object["spec"].get("healthCheckNodePort").is_some()
        };
        assert!(!kept(Some(json!({"ports": []})), json!({})));
        assert!(kept(Some(json!({"healthCheckNodePort": 32626})), json!({})));
        assert!(kept(None, json!({"f:healthCheckNodePort": {}})));
    }
}

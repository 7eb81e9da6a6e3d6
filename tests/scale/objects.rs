//! Objects that are made when they are asked for.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::{Value, json};

/// What the objects of a kind are.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub group: String,
    pub resource: String,
    pub kind: String,
    pub count: usize,
    /// How many are in a namespace; none for cluster-scoped ones.
    pub per_namespace: Option<usize>,
    /// How many bytes the object of this number weighs, about.
    pub size: fn(usize) -> usize,
}

impl Served {
    /// Of a built-in or custom kind (its group has a dot), so many in each namespace.
    pub(crate) fn namespaced(path: &str, kind: &str, count: usize, per_namespace: usize) -> Self {
        let (resource, group) = path.split_once('.').unwrap_or((path, ""));
        let (group, resource, kind) = (group.to_owned(), resource.to_owned(), kind.to_owned());
        let per_namespace = Some(per_namespace);
        Self { group, resource, kind, count, per_namespace, size: |_| 300 }
    }

    /// Of a kind without namespaces.
    pub(crate) fn cluster(path: &str, kind: &str, count: usize) -> Self {
        Self { per_namespace: None, ..Self::namespaced(path, kind, count, 1) }
    }

    pub(crate) fn sized(self, size: fn(usize) -> usize) -> Self {
        Self { size, ..self }
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { "v1".to_owned() } else { format!("{}/v1", self.group) }
    }

    pub(crate) fn namespace(&self, number: usize) -> Option<String> {
        self.per_namespace.map(|each| namespace(number / each))
    }

    pub(crate) fn name(&self, number: usize) -> String {
        match (self.resource.as_str(), number.checked_sub(1)) {
            ("namespaces", None) => "kube-system".to_owned(),
            ("namespaces", Some(number)) => namespace(number),
            ("customresourcedefinitions", _) => custom(number).definition(),
            _ => format!("item-{number:06}"),
        }
    }

    /// The path of an object in an archive, below `resources/`.
    pub(crate) fn archived(&self, number: usize) -> String {
        let group = if self.group.is_empty() { "" } else { "." };
        let place = self
            .namespace(number)
            .map_or_else(|| "cluster".to_owned(), |namespace| format!("namespaces/{namespace}"));
        format!("{}{group}{}/{place}/{}.json", self.resource, self.group, self.name(number))
    }

    /// The numbers of the objects in a namespace, or of all.
    pub(crate) fn within(&self, namespace: Option<&str>) -> Range<usize> {
        let index = namespace.and_then(|it| it.strip_prefix("ns-")?.parse::<usize>().ok());
        match (namespace, self.per_namespace, index) {
            (Some(_), Some(each), Some(index)) => {
                (index * each).min(self.count)..((index + 1) * each).min(self.count)
            }
            (Some(_), ..) => 0..0,
            _ => 0..self.count,
        }
    }

    /// An object in pieces, most of which are shared by all.
    pub(crate) fn json(&self, number: usize, labels: &Value) -> [Bytes; 3] {
        let mut metadata = json!({"name": self.name(number), "uid": format!("{}-{number}", self.resource),
            "resourceVersion": "1"});
        if let Some(namespace) = self.namespace(number) {
            metadata["namespace"] = namespace.into();
        }
        if labels.is_object() {
            metadata["labels"] = labels.clone();
        }
        let mut head = String::from("{");
        if self.group.contains('.') {
            let (version, kind) = (self.api_version(), &self.kind);
            write!(head, r#""apiVersion":"{version}","kind":"{kind}","#).unwrap();
        }
        write!(head, r#""metadata":{metadata}"#).unwrap();
        if self.resource == "customresourcedefinitions" {
            let rest = custom(number).described();
            return [head.into(), Bytes::new(), format!(",{rest}}}").into()];
        }
        let weight = (self.size)(number);
        let from = number * 97 % 1000;
        head.push_str(r#","data":{"settings":""#);
        [head.into(), ballast().slice(from..from + weight), Bytes::from_static(b"\"}}")]
    }
}

/// The namespace of this number, among the objects in it.
pub(crate) fn namespace(number: usize) -> String {
    format!("ns-{number:05}")
}

/// A custom kind, one of many groups.
pub(crate) fn custom(number: usize) -> Served {
    let path = format!("widgets.g{number:03}.example.com");
    Served::namespaced(&path, "Widget", 0, 1)
}

impl Served {
    fn definition(&self) -> String {
        format!("{}.{}", self.resource, self.group)
    }

    /// What its definition says, but for the metadata.
    fn described(&self) -> String {
        let spec = json!({"group": self.group, "scope": "Namespaced",
            "names": {"plural": self.resource, "kind": self.kind},
            "versions": [{"name": "v1", "served": true, "storage": true}]});
        let established = json!({"conditions": [{"type": "Established", "status": "True"},
            {"type": "NamesAccepted", "status": "True"}]});
        format!(r#""spec":{spec},"status":{established}"#)
    }
}

/// Letters without a pattern, so that packing them is no less work than usual.
pub(crate) fn ballast() -> &'static Bytes {
    static BALLAST: OnceLock<Bytes> = OnceLock::new();
    BALLAST.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let letter = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                [(state % 64) as usize]
        };
        (0..4 << 20).map(letter).collect::<Vec<u8>>().into()
    })
}

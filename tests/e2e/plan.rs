//! What bowline says that a restore would do.

use std::collections::BTreeMap;

use bowline_api::ItemId;
use bowline_testkit::Bowline;
use serde_json::Value;

/// What becomes of one object, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) verdict: String,
    pub(crate) reason: String,
    pub(crate) changes: Vec<String>,
}

/// What becomes of every object of a backup, by its identity in the target.
pub(crate) type Plan = BTreeMap<ItemId, Planned>;

/// Asks for the plan of a restore.
pub(crate) async fn of(bowline: &Bowline, restore: &[&str]) -> Plan {
    let arguments = [restore, &["--dry-run", "--output=json"]].concat();
    let output = bowline.run(&arguments).await.unwrap();
    let document: Value = serde_json::from_str(&output.success()).unwrap();
    document["items"].as_array().unwrap().iter().map(planned).collect()
}

fn planned(item: &Value) -> (ItemId, Planned) {
    let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let id = ItemId {
        resource: text("resource").parse().unwrap(),
        namespace: item["namespace"].as_str().map(str::to_owned),
        name: text("name"),
    };
    let changes = item["transformations"].as_array().unwrap().iter();
    let changes = changes.map(|it| it.as_str().unwrap().to_owned()).collect();
    (id, Planned { verdict: text("verdict"), reason: text("reason"), changes })
}

//! A plan, printed as it comes.

use std::io;

use crate::cli::commands::rights::Rights;
use crate::cli::exit::Exit;
use crate::cli::long_table::LongTable;
use crate::cli::page::{Lines, Page};
use crate::cli::problems;
use crate::cli::table::{Table, cell};
use crate::engine::archive::IgnoredEntry;
use crate::engine::context::Right;
use crate::engine::model::kinds;
use crate::engine::report::Problem;
use crate::engine::restore::{
    DryRun, PlanFooter, PlanHeader, PlanReader, PlannedItem, Rehearsal, RehearsalStatus, Verdict,
};

impl PlanReader for Page<PlanTable> {
    fn begin(&mut self, header: PlanHeader) -> io::Result<()> {
        Self::begin(self, header)
    }

    fn item(&mut self, item: PlannedItem) -> io::Result<()> {
        Self::item(self, item)
    }
}

/// How a run ends whose plan this was: one that the API server was asked about as the restore would,
/// whoever refuses something; one that only looked has done what it could.
pub(super) fn exit(how: DryRun, footer: &PlanFooter) -> Exit {
    let refuses = footer.counts.contains_key(Verdict::Refuse.word());
    if how == DryRun::Server && refuses { Exit::PartlyFailed } else { Exit::Done }
}

/// A plan for people: objects by step, and what happens to each below it.
///
/// What no restore brings back is a line for each kind.
#[derive(Debug)]
pub(super) struct PlanTable {
    rows: LongTable<5>,
    /// The first of objects of a kind that never comes back, and how many follow one another.
    never: Option<(PlannedItem, u64)>,
    rights: Vec<Right>,
    warnings: Vec<Problem>,
    ignored: Vec<IgnoredEntry>,
}

impl Default for PlanTable {
    fn default() -> Self {
        let rows = LongTable::new(["VERDICT", "RESOURCE", "NAMESPACE", "NAME", "REASON"]);
        let (rights, warnings, ignored) = (Vec::new(), Vec::new(), Vec::new());
        Self { rows, never: None, rights, warnings, ignored }
    }
}

impl PlanTable {
    fn row(&mut self, item: PlannedItem) -> String {
        let below = below(&item);
        let PlannedItem { step, verdict, resource, namespace, name, reason, .. } = item;
        let verdict = verdict.word().to_owned();
        let cells = [verdict, resource, cell(namespace), name, reason.unwrap_or_default()];
        self.rows.push(&step, cells, below)
    }

    /// The line of the objects that never come back and were not told yet.
    fn told_together(&mut self) -> String {
        match self.never.take() {
            None => String::new(),
            Some((item, 1)) => self.row(item),
            Some((item, count)) => {
                let name = format!("{count} objects");
                self.row(PlannedItem { namespace: None, name, ..item })
            }
        }
    }
}

/// Whether an object is left out as all of its kind are.
fn never_comes_back(item: &PlannedItem) -> bool {
    let resource = item.resource.parse().ok();
    let reason = resource.and_then(|it| kinds::never_restored(&it));
    item.verdict == Verdict::Skip && reason.is_some() && reason == item.reason.as_deref()
}

impl Lines for PlanTable {
    type Header = PlanHeader;
    type Item = PlannedItem;
    type Footer = PlanFooter;

    fn begin(&mut self, header: PlanHeader) -> String {
        let PlanHeader { rights, warnings, ignored, .. } = header;
        (self.rights, self.warnings, self.ignored) = (rights, warnings, ignored);
        String::new()
    }

    fn item(&mut self, item: PlannedItem) -> String {
        let is_never = never_comes_back(&item);
        match &mut self.never {
            Some((first, count)) if is_never && first.resource == item.resource => {
                *count += 1;
                return String::new();
            }
            _ => {}
        }
        let text = self.told_together();
        if is_never {
            self.never = Some((item, 1));
            return text;
        }
        text + &self.row(item)
    }

    fn rest(&mut self) -> String {
        self.told_together() + &self.rows.rest()
    }

    fn end(&mut self, footer: &PlanFooter) -> String {
        let mut text = String::new();
        if !self.ignored.is_empty() {
            let mut ignored = Table::new(["IGNORED", "REASON"]);
            let entries = self.ignored.iter();
            ignored.extend(entries.map(|it| [it.name.clone(), it.reason.to_owned()]));
            text = format!("\n{ignored}");
        }
        let warnings = problems::sections(&[], &self.warnings);
        format!("{text}\n{}\n{warnings}{}", Rights(&self.rights), summary(footer))
    }
}

/// What happens to an object, what it differs in and what the API server says, a line each.
fn below(item: &PlannedItem) -> Vec<String> {
    let differences = item.differences.iter();
    let differences = differences.map(|it| it.between("the backup", "the cluster").to_string());
    let said = item.server_dry_run.as_ref().and_then(said);
    let changes = item.transformations.iter().chain(&item.hints).cloned();
    let hint = item.hint.iter().map(|hint| format!("hint: {hint}"));
    changes.chain(differences).chain(hint).chain(said).collect()
}

/// What the API server said, if that is more than yes.
fn said(Rehearsal { status, message }: &Rehearsal) -> Option<String> {
    let message = message.as_ref().filter(|_| *status != RehearsalStatus::Accepted)?;
    Some(format!("{}: {message}", status.words()))
}

fn summary(footer: &PlanFooter) -> String {
    let counts = footer.counts.iter().map(|(verdict, count)| format!("{count} {verdict}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let said = footer.server_dry_run.map(|said| {
        format!(
            "of the API server: {} accepted, {} refused, {} not asked\n",
            said.accepted, said.refused, said.not_asked
        )
    });
    format!("{counts}\n{}", said.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::cli::output::OutputFormat;
    use crate::cli::streamed::Streamed;
    use crate::engine::context::Granted;
    use crate::engine::model::difference::Difference;
    use crate::engine::restore::{PlanDocument, RehearsalCounts};

    fn item(verdict: Verdict, name: &str, reason: Option<&str>) -> PlannedItem {
        PlannedItem {
            step: "workloads".to_owned(),
            verdict,
            resource: "deployments.apps".to_owned(),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
            reason: reason.map(ToOwned::to_owned),
            transformations: Vec::new(),
            hint: None,
            hints: Vec::new(),
            differences: Vec::new(),
            server_dry_run: None,
        }
    }

    fn header() -> PlanHeader {
        let ignored =
            IgnoredEntry { name: "README".to_owned(), reason: "it is nothing of the format" };
        let right = Right {
            action: "create deployments.apps in shop".to_owned(),
            granted: Granted::No,
            reason: None,
        };
        let id = "services/shop/web".parse().unwrap();
        let warnings = vec![Problem::of_item(&id, "plan", "its node port is taken")];
        let (ignored, rights) = (vec![ignored], vec![right]);
        PlanHeader { rights, warnings, ignored, ..PlanHeader::default() }
    }

    fn items() -> Vec<PlannedItem> {
        let transformations = vec!["namespace a -> shop".to_owned()];
        let difference =
            Difference { path: "/spec/replicas".to_owned(), backup: json!(2), cluster: json!(3) };
        let rehearsal =
            |status, message: &str| Some(Rehearsal { status, message: Some(message.to_owned()) });
        let (refused, accepted) = (RehearsalStatus::Refused, RehearsalStatus::Accepted);
        let server_dry_run = rehearsal(refused, "no web here");
        vec![
            PlannedItem { transformations, ..item(Verdict::Create, "web", None) },
            PlannedItem {
                differences: vec![difference],
                server_dry_run: rehearsal(accepted, "asked as if it were not there"),
                ..item(Verdict::Update, "old", Some("it exists and differs"))
            },
            PlannedItem { server_dry_run, ..item(Verdict::Refuse, "bad", Some("refused")) },
        ]
    }

    fn footer() -> PlanFooter {
        PlanFooter {
            counts: BTreeMap::from([("create", 1), ("refuse", 1), ("update", 1)]),
            server_dry_run: Some(RehearsalCounts { accepted: 1, refused: 1, not_asked: 0 }),
        }
    }

    #[test]
    fn a_plan_shows_every_object_with_what_happens_to_it_and_counts_the_verdicts() {
        let mut table = PlanTable::default();
        table.begin(header());
        let text: String = items().into_iter().map(|item| table.item(item)).collect();
        let expected = "\
VERDICT   RESOURCE           NAMESPACE   NAME   REASON
workloads:
create    deployments.apps   shop        web
          namespace a -> shop
update    deployments.apps   shop        old    it exists and differs
          /spec/replicas: 2 in the backup, 3 in the cluster
refuse    deployments.apps   shop        bad    refused
          refused: no web here

IGNORED   REASON
README    it is nothing of the format

RIGHT                             GRANTED   REASON
create deployments.apps in shop   no        <none>

Warnings:
  Namespace shop:
    services web: plan: its node port is taken

1 create, 1 refuse, 1 update
of the API server: 1 accepted, 1 refused, 0 not asked
";
        assert_eq!(text + &table.rest() + &table.end(&footer()), expected);
    }

    #[test]
    fn what_no_restore_brings_back_is_a_line_for_each_kind() {
        let skipped = |resource: &str, name: &str, reason: &str| PlannedItem {
            resource: resource.to_owned(),
            ..item(Verdict::Skip, name, Some(reason))
        };
        let never = |resource: &str, name: &str| {
            skipped(resource, name, kinds::never_restored(&resource.parse().unwrap()).unwrap())
        };
        let mut table = PlanTable::default();
        let items = [
            skipped("configmaps", "a", "it is the cluster's own"),
            skipped("configmaps", "b", "it is the cluster's own"),
            never("events", "a"),
            never("events", "b"),
            never("events", "c"),
            never("leases.coordination.k8s.io", "a"),
            item(Verdict::Create, "web", None),
            never("nodes", "a"),
            never("nodes", "b"),
        ];
        let text: String = items.into_iter().map(|item| table.item(item)).collect();
        let expected = "\
VERDICT   RESOURCE                     NAMESPACE   NAME        REASON
workloads:
skip      configmaps                   shop        a           it is the cluster's own
skip      configmaps                   shop        b           it is the cluster's own
skip      events                       <none>      3 objects   events tell what happened in the cluster they came from
skip      leases.coordination.k8s.io   shop        a           a lease belongs to a running process
create    deployments.apps             shop        web
skip      nodes                        <none>      2 objects   it describes the nodes of the cluster it came from
";
        assert_eq!(text + &table.rest(), expected);
    }

    #[test]
    fn only_a_plan_that_was_tried_out_ends_as_its_restore_would() {
        let (server, client) = (DryRun::Server, DryRun::Client);
        assert_eq!(exit(server, &footer()), Exit::PartlyFailed);
        // Nothing was left to ask the API server about.
        let refused = PlanFooter { server_dry_run: None, ..footer() };
        assert_eq!(exit(server, &refused), Exit::PartlyFailed);
        assert_eq!(exit(client, &refused), Exit::Done);
        let made = PlanFooter { counts: BTreeMap::from([("create", 1)]), server_dry_run: None };
        assert_eq!(exit(server, &made), Exit::Done);
    }

    #[test]
    fn what_is_streamed_is_the_document_that_the_reference_describes() {
        let mut whole = PlanDocument::default();
        whole.begin(header()).unwrap();
        let mut document = Streamed::new(OutputFormat::Json).unwrap();
        let mut text = document.begin(&header()).unwrap();
        for planned in items() {
            text += &document.item(&planned).unwrap();
            whole.item(planned).unwrap();
        }
        text += &document.end(&footer()).unwrap();
        whole.end(footer());
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found, serde_json::to_value(&whole).unwrap());
    }
}

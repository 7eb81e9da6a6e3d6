//! What becomes of new snapshots and volumes, which real ones take their time for.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use roxmltree::{Document, Node};

use super::call::Call;

/// What becomes of a new snapshot or volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is ready at once, as the server makes it.
    #[default]
    Ready,
    /// It is `pending` or `creating` for so long after it was made.
    ReadyAfter(Duration),
    /// It is `pending` or `creating` until that is released.
    Held,
    /// Its creation succeeds, and soon after it turns to `error`.
    Failed,
}

/// The replies that tell a state, and which child of an item is its id.
const REPLIES: [(&str, &str); 6] = [
    ("CreateSnapshot", "snapshotId"),
    ("CreateSnapshots", "snapshotId"),
    ("CopySnapshot", "snapshotId"),
    ("DescribeSnapshots", "snapshotId"),
    ("CreateVolume", "volumeId"),
    ("DescribeVolumes", "volumeId"),
];

/// The fates of what was made, and of what will be.
#[derive(Debug, Default)]
pub(super) struct Fates {
    pub(super) snapshots: Fate,
    pub(super) volumes: Fate,
    /// How many snapshots may be pending at a time.
    pub(super) pending_snapshots: Option<usize>,
    made: BTreeMap<String, Made>,
}

#[derive(Debug)]
struct Made {
    fate: Fate,
    since: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Underway { percent: u128 },
    Ready,
    Failed,
}

impl Made {
    fn state(&self) -> State {
        self.state_after(self.since.elapsed())
    }

    fn state_after(&self, elapsed: Duration) -> State {
        match self.fate {
            Fate::ReadyAfter(time) if elapsed < time => {
                State::Underway { percent: elapsed.as_millis() * 100 / time.as_millis().max(1) }
            }
            Fate::Held => State::Underway { percent: 50 },
            Fate::Failed => State::Failed,
            Fate::Ready | Fate::ReadyAfter(_) => State::Ready,
        }
    }
}

impl Fates {
    /// The status and code with which a call is refused because something is not ready.
    pub(super) fn refuse(&self, call: &Call) -> Option<(u16, &'static str)> {
        let not_ready = |id| self.made.get(id).is_some_and(|made| made.state() != State::Ready);
        let full = || self.pending_snapshots.is_some_and(|limit| self.pending() >= limit);
        match call.kind.as_str() {
            _ if call.is_dry_run() => None,
            "CreateVolume" => call
                .parameters
                .get("SnapshotId")
                .is_some_and(not_ready)
                .then_some((400, "IncorrectState")),
            "CreateSnapshot" if full() => Some((400, "PendingSnapshotLimitExceeded")),
            _ => None,
        }
    }

    fn pending(&self) -> usize {
        let snapshots = self.made.iter().filter(|(id, _)| id.starts_with("snap-"));
        snapshots.filter(|(_, made)| matches!(made.state(), State::Underway { .. })).count()
    }

    /// Lets everything be ready that is held, and what is made from now on.
    pub(super) fn release(&mut self) {
        (self.snapshots, self.volumes) = (Fate::Ready, Fate::Ready);
        self.made.retain(|_, made| made.fate == Fate::Failed);
    }

    /// The body of a successful reply, with the states that things are to have.
    pub(super) fn rewrite(&mut self, call: &Call, body: &str) -> String {
        if call.kind.starts_with("Delete") {
            self.made.retain(|id, _| !call.subject.split(',').any(|gone| gone == id));
        }
        let reply = REPLIES.iter().find(|(kind, _)| *kind == call.kind);
        let Some(((kind, id), document)) = reply.zip(Document::parse(body).ok()) else {
            return body.to_owned();
        };
        let is_new = !kind.starts_with("Describe");
        let mut edits = Vec::new();
        let items = document.descendants().filter(|item| !is_attachment(*item));
        for item in items {
            let Some(id) = child(item, id).and_then(|id| id.text()) else { continue };
            if is_new {
                self.note(id);
            }
            if let Some(made) = self.made.get(id) {
                edits.extend(edit(item, made, is_new));
            }
        }
        apply(body, edits)
    }

    fn note(&mut self, id: &str) {
        let fate = if id.starts_with("snap-") { self.snapshots } else { self.volumes };
        if fate != Fate::Ready {
            self.made.insert(id.to_owned(), Made { fate, since: Instant::now() });
        }
    }
}

/// The texts to be replaced in an item that tells its state.
fn edit(item: Node<'_, '_>, made: &Made, is_new: bool) -> Vec<(Range<usize>, String)> {
    let is_snapshot = child(item, "progress").is_some();
    let (state, percent) = match made.state() {
        State::Ready => return Vec::new(),
        State::Failed if !is_new => ("error", 0),
        State::Failed => (underway(is_snapshot), 0),
        State::Underway { percent } => (underway(is_snapshot), percent),
    };
    let text = |name, new: String| Some((child(item, name)?.first_child()?.range(), new));
    let texts = [text("status", state.to_owned()), text("progress", format!("{percent}%"))];
    texts.into_iter().flatten().collect()
}

fn underway(is_snapshot: bool) -> &'static str {
    if is_snapshot { "pending" } else { "creating" }
}

fn apply(body: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let mut body = body.to_owned();
    for (range, text) in edits.into_iter().rev() {
        body.replace_range(range, &text);
    }
    body
}

/// Whether it is of a volume's attachments, which name the volume and have a status, too.
fn is_attachment(item: Node<'_, '_>) -> bool {
    item.parent().is_some_and(|parent| parent.tag_name().name() == "attachmentSet")
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.tag_name().name() == name)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::super::Service;
    use super::*;

    const SNAPSHOT: &str = "<R><item><snapshotId>snap-1</snapshotId><volumeId>vol-1</volumeId>\
        <status>completed</status><progress>100%</progress></item></R>";
    const VOLUME: &str = "<R><volumeId>vol-1</volumeId><snapshotId>snap-1</snapshotId>\
        <attachmentSet><item><volumeId>vol-0</volumeId><status>attached</status></item>\
        </attachmentSet><status>available</status></R>";

    fn call(form: &'static str) -> Call {
        let request = Request::post("/").body(()).unwrap().into_parts().0;
        Call::new(Service::Ec2, &request, &Bytes::from_static(form.as_bytes()))
    }

    fn status<'a>(reply: &'a str, element: &str) -> &'a str {
        let last = reply.rsplit_once(&format!("<{element}>")).unwrap().1;
        last.split_once('<').unwrap().0
    }

    #[test]
    fn a_held_snapshot_is_pending_until_it_is_released() {
        let mut fates = Fates { snapshots: Fate::Held, ..Fates::default() };
        for form in ["Action=CreateSnapshot", "Action=DescribeSnapshots"] {
            let reply = fates.rewrite(&call(form), SNAPSHOT);
            assert_eq!((status(&reply, "status"), status(&reply, "progress")), ("pending", "50%"));
        }
        let create = call("Action=CreateVolume&SnapshotId=snap-1");
        assert_eq!(fates.refuse(&create), Some((400, "IncorrectState")));
        fates.release();
        assert_eq!(fates.rewrite(&call("Action=DescribeSnapshots"), SNAPSHOT), SNAPSHOT);
        assert_eq!(fates.refuse(&create), None);
    }

    #[test]
    fn a_failed_volume_is_creating_at_first_and_then_in_error() {
        let mut fates = Fates { volumes: Fate::Failed, ..Fates::default() };
        let reply = fates.rewrite(&call("Action=CreateVolume"), VOLUME);
        assert_eq!(status(&reply, "status"), "creating");
        let reply = fates.rewrite(&call("Action=DescribeVolumes"), VOLUME);
        assert_eq!(status(&reply, "status"), "error");
        assert!(reply.contains("<status>attached</status>"));
    }

    #[test]
    fn what_was_there_before_stays_as_it_is() {
        let mut fates = Fates { snapshots: Fate::Failed, ..Fates::default() };
        assert_eq!(fates.rewrite(&call("Action=DescribeSnapshots"), SNAPSHOT), SNAPSHOT);
    }

    #[test]
    fn pending_snapshots_count_against_their_quota() {
        let mut fates =
            Fates { snapshots: Fate::Held, pending_snapshots: Some(1), ..Fates::default() };
        let create = call("Action=CreateSnapshot");
        assert_eq!(fates.refuse(&create), None);
        fates.rewrite(&create, SNAPSHOT);
        assert_eq!(fates.refuse(&create), Some((400, "PendingSnapshotLimitExceeded")));
        fates.rewrite(&call("Action=DeleteSnapshot&SnapshotId=snap-1"), "<R/>");
        assert_eq!(fates.refuse(&create), None);
    }

    #[test]
    fn progress_grows_with_time() {
        let made = Made { fate: Fate::ReadyAfter(Duration::from_mins(1)), since: Instant::now() };
        let after = |seconds| made.state_after(Duration::from_secs(seconds));
        assert_eq!([after(0), after(30)], [0, 50].map(|percent| State::Underway { percent }));
        assert_eq!(after(60), State::Ready);
    }
}

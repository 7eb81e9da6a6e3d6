//! A small EC2 at the other end of the wire, for tests: it keeps snapshots and volumes, and fails
//! as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_sdk_ec2::config::{BehaviorVersion, Config, Credentials, Region, RuntimeComponents};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bowline_api::Tags;
use tokio::time::Instant;

use super::client::Ec2;
use super::options::EbsOptions;
use super::snapshotter::EbsSnapshotter;

pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const REGION: &str = "eu-west-1";

/// A request's parameters.
pub(super) type Form = BTreeMap<String, String>;

/// What goes wrong with a call.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// EC2 does nothing and says so: status, code, message.
    Refused(u16, &'static str, &'static str),
    /// The request never arrives.
    RequestLost,
    /// EC2 does what it is asked, but nobody hears of it.
    ReplyLost,
}

/// A snapshot or a volume, by the names that EC2's XML has for its fields.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) fields: BTreeMap<&'static str, String>,
    pub(super) tags: Tags,
    /// From when on descriptions show it.
    visible: Instant,
}

impl Resource {
    fn id(&self) -> &str {
        self.fields
            .get("snapshotId")
            .filter(|_| !self.is_volume())
            .unwrap_or_else(|| &self.fields["volumeId"])
    }

    fn is_volume(&self) -> bool {
        self.fields.contains_key("availabilityZone")
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) resources: Vec<Resource>,
    pub(super) calls: Vec<Form>,
    troubles: BTreeMap<&'static str, VecDeque<Trouble>>,
    /// How long something that was made stays out of descriptions.
    pub(super) lag: Duration,
}

#[derive(Clone, Debug, Default)]
pub(super) struct FakeEc2(Arc<Mutex<State>>);

impl FakeEc2 {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A snapshotter that has this EC2 at the other end.
    pub(super) fn snapshotter(&self, options: EbsOptions) -> EbsSnapshotter {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"))
            .http_client(self.clone());
        EbsSnapshotter::connected(options, Ec2::new(config, REGION.to_owned()))
    }

    /// Has the next call of an action fail, after those that already shall.
    pub(super) fn trouble(&self, action: &'static str, trouble: Trouble) {
        self.state().troubles.entry(action).or_default().push_back(trouble);
    }

    pub(super) fn add(&self, fields: &[(&'static str, &str)], tags: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let tags = tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        self.state().resources.push(Resource { fields, tags, visible: Instant::now() });
    }

    /// A gp3 volume of the caller's.
    pub(super) fn add_volume(&self, id: &str) {
        let fields = [
            ("volumeId", id),
            ("size", "100"),
            ("availabilityZone", "eu-west-1a"),
            ("status", "in-use"),
            ("volumeType", "gp3"),
            ("iops", "4000"),
            ("throughput", "250"),
            ("encrypted", "true"),
            ("kmsKeyId", "arn:aws:kms:eu-west-1:111122223333:key/k-1"),
        ];
        self.add(&fields, &[("Name", "db"), ("aws:ec2:fleet", "f")]);
    }

    /// A completed snapshot of an account.
    pub(super) fn add_snapshot(&self, id: &str, owner: &str) {
        let fields = [
            ("snapshotId", id),
            ("volumeId", "vol-1"),
            ("status", "completed"),
            ("ownerId", owner),
            ("volumeSize", "100"),
        ];
        self.add(&fields, &[]);
    }

    /// How often an action was called.
    pub(super) fn count(&self, action: &str) -> usize {
        self.state().calls.iter().filter(|form| form["Action"] == action).count()
    }

    pub(super) fn snapshots(&self) -> Vec<Resource> {
        self.state().resources.iter().filter(|one| !one.is_volume()).cloned().collect()
    }

    /// The volumes that were made from snapshots.
    pub(super) fn made_volumes(&self) -> Vec<Resource> {
        let made = |one: &&Resource| one.is_volume() && one.fields.contains_key("snapshotId");
        self.state().resources.iter().filter(made).cloned().collect()
    }
}

impl State {
    fn serve(&mut self, form: &Form) -> Result<(u16, String), ConnectorError> {
        let lost = || ConnectorError::io(io::Error::other("connection reset by peer").into());
        let action = form["Action"].clone();
        self.calls.push(form.clone());
        match self.troubles.get_mut(action.as_str()).and_then(VecDeque::pop_front) {
            Some(Trouble::Refused(status, code, message)) => Ok(failure(status, code, message)),
            Some(Trouble::RequestLost) => Err(lost()),
            Some(Trouble::ReplyLost) => {
                self.answer(&action, form);
                Err(lost())
            }
            None => Ok(self.answer(&action, form)),
        }
    }

    fn answer(&mut self, action: &str, form: &Form) -> (u16, String) {
        if form.get("DryRun").is_some_and(|value| value == "true") {
            return failure(412, "DryRunOperation", "would have succeeded");
        }
        let body = match action {
            "DescribeSnapshots" => match self.described(form, false) {
                found if found.is_empty() && form.contains_key("SnapshotId.1") => {
                    return failure(400, "InvalidSnapshot.NotFound", "no such snapshot");
                }
                found => format!("<snapshotSet>{found}</snapshotSet>"),
            },
            "DescribeVolumes" => {
                format!("<volumeSet>{}</volumeSet>", self.described(form, true))
            }
            "DescribeAvailabilityZones" => zones(&["eu-west-1b", "eu-west-1a"]),
            "CreateSnapshot" => self.create_snapshot(form),
            "CreateVolume" => self.create_volume(form),
            _ => self.delete(form),
        };
        (200, format!("<{action}Response><requestId>r-1</requestId>{body}</{action}Response>"))
    }

    fn described(&self, form: &Form, volumes: bool) -> String {
        let visible = |one: &&Resource| {
            one.is_volume() == volumes && one.visible <= Instant::now() && matches(one, form)
        };
        let found = self.resources.iter().filter(visible);
        found.fold(String::new(), |text, one| text + "<item>" + &xml(one) + "</item>")
    }

    fn create_snapshot(&mut self, form: &Form) -> String {
        self.create(
            form,
            &[
                ("snapshotId", format!("snap-{:x}", self.resources.len() + 100)),
                ("volumeId", form["VolumeId"].clone()),
                ("status", "pending".to_owned()),
                ("progress", "7%".to_owned()),
                ("ownerId", ACCOUNT.to_owned()),
                ("volumeSize", "100".to_owned()),
                ("encrypted", "true".to_owned()),
            ],
        )
    }

    fn create_volume(&mut self, form: &Form) -> String {
        self.create(
            form,
            &[
                ("volumeId", format!("vol-{:x}", self.resources.len() + 100)),
                ("snapshotId", form["SnapshotId"].clone()),
                ("availabilityZone", form["AvailabilityZone"].clone()),
                ("status", "creating".to_owned()),
            ],
        )
    }

    fn create(&mut self, form: &Form, fields: &[(&'static str, String)]) -> String {
        let tag = |number: usize| {
            let part = |part| form.get(&format!("TagSpecification.1.Tag.{number}.{part}"));
            Some((part("Key")?.clone(), part("Value").cloned().unwrap_or_default()))
        };
        let made = Resource {
            fields: fields.iter().cloned().collect(),
            tags: (1..).map_while(tag).collect(),
            visible: Instant::now() + self.lag,
        };
        let body = xml(&made);
        self.resources.push(made);
        body
    }

    fn delete(&mut self, form: &Form) -> String {
        let id = form.get("SnapshotId").or_else(|| form.get("VolumeId")).unwrap();
        self.resources.retain(|one| one.id() != id);
        "<return>true</return>".to_owned()
    }
}

fn matches(one: &Resource, form: &Form) -> bool {
    let list = |prefix: &str| -> Vec<String> {
        (1..).map_while(|number| form.get(&format!("{prefix}.{number}")).cloned()).collect()
    };
    let owner = one.fields.get("ownerId").map(String::as_str);
    if list("Owner").contains(&"self".to_owned()) && owner != Some(ACCOUNT) {
        return false;
    }
    let ids = list("SnapshotId");
    if !ids.is_empty() && !ids.contains(&one.id().to_owned()) {
        return false;
    }
    let Some(name) = form.get("Filter.1.Name") else { return true };
    let values = list("Filter.1.Value");
    if name == "tag-key" {
        return values.iter().any(|key| one.tags.contains_key(key));
    }
    let value = match name.strip_prefix("tag:") {
        Some(key) => one.tags.get(key).map(String::as_str),
        None => Some(one.id()),
    };
    value.is_some_and(|value| values.contains(&value.to_owned()))
}

fn xml(one: &Resource) -> String {
    let mut text = String::new();
    for (name, value) in &one.fields {
        write!(text, "<{name}>{value}</{name}>").unwrap();
    }
    let tag = |(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>");
    text + "<tagSet>" + &one.tags.iter().map(tag).collect::<String>() + "</tagSet>"
}

fn zones(names: &[&str]) -> String {
    let item = |name: &&str| format!("<item><zoneName>{name}</zoneName></item>");
    let items: String = names.iter().map(item).collect();
    format!("<availabilityZoneInfo>{items}</availabilityZoneInfo>")
}

fn failure(status: u16, code: &str, message: &str) -> (u16, String) {
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let body = format!("<Errors>{error}</Errors><RequestID>r-1</RequestID>");
    (status, format!("<Response>{body}</Response>"))
}

/// Reads `a=b&c=d%20e`.
fn form(body: &[u8]) -> Form {
    let pairs = body.split(|byte| *byte == b'&').map(|pair| {
        let split = pair.iter().position(|byte| *byte == b'=').unwrap();
        (decoded(&pair[..split]), decoded(&pair[split + 1..]))
    });
    pairs.collect()
}

fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let digits = [*rest.next().unwrap(), *rest.next().unwrap()];
            let digits = std::str::from_utf8(&digits).unwrap().to_owned();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            bytes.push(if *byte == b'+' { b' ' } else { *byte });
        }
    }
    String::from_utf8(bytes).unwrap()
}

impl HttpConnector for FakeEc2 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let form = form(request.body().bytes().unwrap());
        let answer = self.state().serve(&form);
        HttpConnectorFuture::ready(answer.map(|(status, body)| {
            let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            answer.headers_mut().insert("x-amzn-requestid", "r-1");
            answer
        }))
    }
}

impl HttpClient for FakeEc2 {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

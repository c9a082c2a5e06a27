//! Writes: each message once, and for every write an answer of its own, whatever the message's answer was.

use super::{
    driver::Rfc2136,
    encode::encode,
    observe::{How, Zone, read},
    pack::{self, Batch, Job},
    transport::{Conn, WireError, WireErrorKind},
};
use crate::{
    core::{
        model::{Kind, Refusal, RefusalKind, ResourceId},
        plan::{Act, Write},
        run::{Item, Outcome},
    },
    kinds::dns::{DNS, DnsName, RType, rrset_id, split},
    ports::{Cx, ObserveError, ObserveErrorKind},
};
use hickory_proto::{
    op::ResponseCode,
    rr::{Name, RecordType},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

/// A prerequisite that fails is read again and the rest sent without it, so often. Each round takes out what moved; a third that fails means that
/// someone writes the zone as fast as we do, and the engine's backoff is the better place to wait.
const ROUNDS: u32 = 3;

/// A message refused as a whole is halved to find out what the server refuses. So many extra messages find a few bad names among
/// thousands; a key that may write nothing at all must not cost a message a change.
const HALVINGS: u32 = 64;

/// Does the writes that are not skipped.
pub(super) async fn act(driver: &Rfc2136, cx: &Cx<'_>, act: &Act, skip: &BTreeSet<u32>) -> Outcome {
    let writes = match act {
        Act::Write(writes) => writes,
        Act::Verb { .. } | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => {
            let refusal = Refusal::new(RefusalKind::Target, "a name server knows writes alone").advice("plan the step without verbs and programs");
            return Outcome::all(1, Item::Refused(refusal));
        }
    };
    let mut run = Run { driver, cx, writes, items: vec![Item::NotTried; writes.len()], conn: None, sent: 0, changes: 0, rereads: 0, halvings: HALVINGS, lost: None };
    let mut zones: BTreeMap<Name, Vec<Job>> = BTreeMap::new();
    for (at, write) in writes.iter().enumerate().filter(|(at, _)| !skip.contains(&(*at as u32))) {
        match pack::job(at, &write.id, write.from.as_ref(), write.to.as_ref()) {
            Ok(job) => zones.entry(job.zone.clone()).or_default().push(job),
            Err(refusal) => run.set(at, Item::Refused(refusal)),
        }
    }
    for jobs in zones.into_values() {
        if run.zone(jobs).await == Go::Stop {
            break;
        }
    }
    run.outcome()
}

/// A message as octets, or why it cannot be one.
type Encoded = Result<Vec<u8>, WireError>;

/// Whether the messages after this one may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Go {
    On,
    Stop,
}

/// What the server made of one message.
enum Answer {
    Done,
    /// A prerequisite does not hold, of which write is not said.
    Stale,
    Refused(Refusal),
    /// Nothing was sent.
    Unreachable(String),
    /// It may have happened.
    Lost(String),
}

struct Run<'a> {
    driver: &'a Rfc2136,
    cx: &'a Cx<'a>,
    writes: &'a [Write],
    items: Vec<Item>,
    conn: Option<Conn>,
    sent: usize,
    changes: usize,
    rereads: usize,
    halvings: u32,
    /// Why the last message has no answer.
    lost: Option<String>,
}

impl Run<'_> {
    async fn zone(&mut self, jobs: Vec<Job>) -> Go {
        let jobs = match self.look_first(jobs).await {
            Ok(jobs) => jobs,
            Err(go) => return go,
        };
        let (batches, too_large) = pack::pack(jobs);
        for (job, refusal) in too_large {
            self.set(job.item, Item::Refused(refusal));
        }
        let mut queue: VecDeque<(Batch, u32)> = batches.into_iter().map(|batch| (batch, 1)).collect();
        let mut ready = None;
        while let Some((batch, round)) = queue.pop_front() {
            if self.cx.cancel.is_cancelled() || Instant::now() >= self.cx.deadline {
                return Go::Stop;
            }
            let octets = ready.take().unwrap_or_else(|| encode(&pack::message(&batch)));
            let (answer, next) = self.send(&batch, octets, queue.front().map(|(next, _)| next)).await;
            // Whatever else the answer is, it may change what comes next.
            ready = next.filter(|_| matches!(answer, Answer::Done));
            match answer {
                Answer::Done => self.set_all(&batch, &Item::Done),
                Answer::Stale if round == ROUNDS => {
                    let why = "the zone changes faster than it can be read; try again when the other writer rests";
                    self.set_all(&batch, &Item::Failed { transient: true, why: why.into() });
                }
                Answer::Stale => {
                    let whole = if batch.iter().any(|job| job.rtype == RecordType::CNAME) { How::Whole } else { How::Cheapest };
                    match self.compare(batch, whole).await {
                        Ok(rest) if rest.is_empty() => {}
                        Ok(rest) => queue.push_front((rest, round + 1)),
                        Err(go) => return go,
                    }
                }
                Answer::Refused(refusal) => match pack::halve(batch) {
                    Ok((first, second)) if self.halvings > 0 => {
                        self.halvings -= 1;
                        queue.push_front((second, round));
                        queue.push_front((first, round));
                    }
                    Ok((first, second)) => {
                        let among = Refusal { what: format!("{}, in a message of {} changes", refusal.what, first.len() + second.len()), ..refusal };
                        self.set_all(&first, &Item::Refused(among.clone()));
                        self.set_all(&second, &Item::Refused(among));
                    }
                    Err(one) => self.set_all(&one, &Item::Refused(refusal)),
                },
                Answer::Unreachable(why) => {
                    let failed = Item::Failed { transient: true, why };
                    self.set_all(&batch, &failed);
                    queue.iter().for_each(|(batch, _)| self.set_all(batch, &failed));
                    return Go::Stop;
                }
                Answer::Lost(why) => {
                    self.set_all(&batch, &Item::Unknown);
                    self.lost = Some(why);
                    return Go::Stop;
                }
            }
        }
        Go::On
    }

    /// Reads what no prerequisite can compare before anything is sent: a TTL alone, and the neighbours of a CNAME that takes a used name.
    async fn look_first(&mut self, jobs: Vec<Job>) -> Result<Vec<Job>, Go> {
        let fills: BTreeSet<Name> = jobs.iter().filter(|job| job.rtype == RecordType::CNAME && !job.to.is_empty() && job.from.is_empty()).map(|job| job.owner.clone()).collect();
        let swaps: BTreeSet<Name> = jobs.iter().filter(|job| job.rtype != RecordType::CNAME && fills.contains(&job.owner)).map(|job| job.owner.clone()).collect();
        let (swapped, others): (Batch, Batch) = jobs.into_iter().partition(|job| swaps.contains(&job.owner));
        let (same, mut ready): (Batch, Batch) = others.into_iter().partition(|job| pack::same_data(&job.from, &job.to));
        if !same.is_empty() {
            ready.extend(self.compare(same, How::Cheapest).await?);
        }
        if !swapped.is_empty() {
            ready.extend(self.compare(swapped, How::Whole).await?);
        }
        ready.sort_by_key(|job| job.item);
        Ok(ready)
    }

    /// Reads the RRsets again, answers for those that are done or moved, and returns the rest with what was really read as its prerequisite.
    async fn compare(&mut self, batch: Batch, how: How) -> Result<Batch, Go> {
        self.rereads += 1;
        let Some(zone) = batch.first().and_then(|job| split(&job.id).ok()).map(|parts| parts.zone) else { return Ok(batch) };
        let ids = self.ids_around(&batch, &zone);
        let live = match read(self.driver, self.cx.deadline, &zone, &ids, how).await {
            Ok(live) => live,
            Err(error) => {
                let item = unread(error);
                self.set_all(&batch, &item);
                return Err(Go::Stop);
            }
        };
        let (mut rest, mut stopped) = (Batch::new(), BTreeMap::new());
        for mut job in batch {
            let found = live.get(&job.id);
            let write = &self.writes[job.item];
            let value = found.map(|found| &found.value);
            if value == write.to.as_ref() {
                self.set(job.item, Item::Already);
            } else if value == write.from.as_ref() {
                // As it came, spelling included: some servers compare octets.
                job.from = found.map(|found| found.records.clone()).unwrap_or_default();
                rest.push(job);
            } else {
                stopped.insert(job.owner.clone(), DNS.title(&job.id));
                self.set(job.item, Item::Moved(value.cloned()));
            }
        }
        let blocked: Vec<(usize, ResourceId)> = rest.iter().filter_map(|job| blocker(job, &rest, &live).map(|by| (job.item, by))).collect();
        for (item, by) in blocked {
            let what = format!("`{}` cannot be added while `{}` stands at the same name", DNS.title(&self.writes[item].id), DNS.title(&by));
            let refusal = Refusal::new(RefusalKind::Target, what).advice("ask for it as it is and merge that, then delete it in a second merge request, or remove it by hand");
            stopped.insert(rest.iter().find(|job| job.item == item).map_or_else(Name::root, |job| job.owner.clone()), DNS.title(&by));
            self.set(item, Item::Refused(refusal));
            rest.retain(|job| job.item != item);
        }
        // What swaps with something that stays must stay as well: half a swap leaves a name without an answer.
        let cnames: BTreeSet<Name> =
            self.writes.iter().filter(|write| write.id.name.ends_with("/CNAME")).filter_map(|write| pack::job(0, &write.id, None, None).ok()).map(|job| job.owner).collect();
        let (held, rest): (Batch, Batch) = rest.into_iter().partition(|job| cnames.contains(&job.owner) && stopped.contains_key(&job.owner));
        for job in held {
            let why = format!("`{}` changes together with `{}`, which is not as planned; plan again", DNS.title(&job.id), stopped.get(&job.owner).map_or("", String::as_str));
            self.set(job.item, Item::Failed { transient: false, why });
        }
        Ok(rest)
    }

    /// The RRsets of the batch, and the CNAME that would keep a new one out.
    fn ids_around(&self, batch: &[Job], zone: &DnsName) -> BTreeSet<ResourceId> {
        let mut ids: BTreeSet<ResourceId> = batch.iter().map(|job| job.id.clone()).collect();
        for job in batch.iter().filter(|job| job.from.is_empty() && !job.at_apex()) {
            let cname = split(&job.id).and_then(|parts| rrset_id(&job.id.target, zone, &parts.owner, RType::CNAME));
            ids.extend(cname);
        }
        ids
    }

    /// Sends one message, and encodes the next while the server works.
    async fn send(&mut self, batch: &[Job], octets: Encoded, next: Option<&Batch>) -> (Answer, Option<Encoded>) {
        let octets = match octets {
            Ok(octets) => octets,
            Err(error) => return (Answer::Refused(Refusal::new(RefusalKind::Target, error.what).advice(error.advice)), None),
        };
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => match self.driver.connect(self.cx.deadline).await {
                Ok(conn) => conn,
                Err(error) => return (Answer::Unreachable(error.to_string()), None),
            },
        };
        self.sent += 1;
        self.driver.count_update();
        let (answer, next) = tokio::join!(conn.ask_raw(octets), async { next.map(|next| encode(&pack::message(next))) });
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let answer = match error.kind {
                    WireErrorKind::Unreachable => Answer::Unreachable(error.to_string()),
                    WireErrorKind::Denied | WireErrorKind::Unsendable => Answer::Refused(Refusal::new(RefusalKind::Target, error.what).advice(error.advice)),
                    WireErrorKind::Lost | WireErrorKind::Broken => Answer::Lost(error.to_string()),
                };
                return (answer, next);
            }
        };
        self.conn = Some(conn);
        (self.understood(batch, answer.metadata.response_code), next)
    }

    /// What the server's code says of the message.
    fn understood(&mut self, batch: &[Job], code: ResponseCode) -> Answer {
        let zone = batch.first().map_or_else(Name::root, |job| job.zone.clone());
        let at = &self.driver.primary;
        let refuse = |what: String, advice: &str| Answer::Refused(Refusal::new(RefusalKind::Target, what).advice(advice));
        use ResponseCode as R;
        match code {
            R::NoError => {
                self.changes += batch.len();
                Answer::Done
            }
            R::NXDomain | R::YXDomain | R::YXRRSet | R::NXRRSet => Answer::Stale,
            R::Refused => refuse(format!("{at} refuses the update of `{zone}`"), why_refused(batch)),
            R::NotAuth => {
                refuse(format!("{at} is not the primary of `{zone}`, or does not let this key update it"), "create the zone there as primary and allow the key to update it")
            }
            R::NotZone => refuse(format!("{at} finds a name outside of `{zone}`"), "move the record to the file of its own zone"),
            R::FormErr | R::NotImp => {
                refuse(format!("{at} does not understand the update of `{zone}`"), "check that it takes dynamic updates (RFC 2136) and knows the record types")
            }
            code @ (R::ServFail | R::BADVERS | R::BADSIG | R::BADKEY | R::BADTIME | R::BADMODE | R::BADNAME | R::BADALG | R::BADTRUNC | R::BADCOOKIE | R::Unknown(_)) => {
                Answer::Lost(format!("{at} answers {code}"))
            }
        }
    }

    fn set(&mut self, at: usize, item: Item) {
        if let Some(place) = self.items.get_mut(at) {
            *place = item;
        }
    }

    fn set_all(&mut self, batch: &[Job], item: &Item) {
        batch.iter().for_each(|job| self.set(job.item, item.clone()));
    }

    fn outcome(self) -> Outcome {
        let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let mut report = format!("{} in {}", plural(self.changes, "change"), plural(self.sent, "UPDATE message"));
        if self.rereads > 0 {
            report.push_str(&format!(", {}", plural(self.rereads, "re-read")));
        }
        if let Some(why) = self.lost {
            report.push_str(&format!("; {why}"));
        }
        Outcome { items: self.items, report: Some(report) }
    }
}

/// What makes a name server refuse these changes, the likeliest cause first; its answer never says which, its log does.
fn why_refused(batch: &[Job]) -> &'static str {
    // BIND's `check-names` holds the owners of addresses and mail exchangers to be host names.
    let of_host = |job: &Job| matches!(job.rtype, RecordType::A | RecordType::AAAA | RecordType::MX) && !job.to.is_empty();
    let no_host_name = |job: &Job| job.owner.iter().any(|label| label.iter().any(|octet| !octet.is_ascii_alphanumeric() && !matches!(octet, b'-' | b'*')));
    if batch.iter().any(|job| of_host(job) && no_host_name(job)) {
        "BIND takes addresses and MX at host names alone, and there is no `_` in one: rename it, or set `check-names ignore;` in the zone's options"
    } else if batch.iter().any(|job| matches!(job.rtype, RecordType::MX | RecordType::SRV) && !job.to.is_empty()) {
        "let the key update these names (BIND: `update-policy` or `allow-update`, Knot: `acl`), and see that a mail or service host inside the zone has an address there (BIND: `check-integrity`); the server's log names the cause"
    } else {
        "let the key update these names and types (BIND: `update-policy` or `allow-update`, Knot: `acl`); the server's log names the cause (BIND: category `update`)"
    }
}

/// What keeps a new RRset out: a CNAME at its owner, or anything for a CNAME, that the same batch does not take away.
fn blocker(job: &Job, batch: &[Job], live: &Zone) -> Option<ResourceId> {
    if !job.from.is_empty() || job.to.is_empty() || job.at_apex() {
        return None;
    }
    let (owner, _) = job.id.name.rsplit_once('/')?;
    let beside = |id: &&ResourceId| **id != job.id && id.name.rsplit_once('/').is_some_and(|(at, _)| at == owner);
    let excludes = |id: &&ResourceId| job.rtype == RecordType::CNAME || id.name.ends_with("/CNAME");
    let stays = |id: &&ResourceId| !batch.iter().any(|other| other.id == **id && other.to.is_empty());
    live.keys().filter(beside).filter(excludes).find(stays).cloned()
}

/// The answer for writes whose state could not be read; nothing of them was sent.
fn unread(error: ObserveError) -> Item {
    match error.kind {
        ObserveErrorKind::Unreachable | ObserveErrorKind::Broken => Item::Failed { transient: true, why: error.to_string() },
        ObserveErrorKind::Denied | ObserveErrorKind::Missing => Item::Refused(Refusal::new(RefusalKind::Target, error.to_string())),
    }
}

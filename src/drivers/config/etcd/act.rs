//! Writing: transactions that compare the revision of every key they write.

use super::{
    driver::Etcd,
    observe::{read, token},
};
use crate::{
    core::{
        model::{Refusal, RefusalKind, Token, Value},
        plan::{Act, Write},
        run::{Item, Outcome},
    },
    etcd::{Fault, Live, NO_SPACE, encoded, ranges},
    kinds::config::{bytes, value},
    ports::Cx,
};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

/// A stale revision is read again so often; after that somebody writes the key as fast as we do, and the engine's backoff is the better place to wait.
const ROUNDS: u32 = 4;

/// A transaction refused as a whole is halved to find the key that is refused, with at most so many messages.
const HALVINGS: u32 = 64;

/// What stands around a key and its value in a request.
const BESIDE: usize = 64;

/// One write that is still to be done.
struct Job {
    at: usize,
    to: Option<Vec<u8>>,
    /// The revision whose content is what the plan saw; none before it is read.
    revision: Option<u64>,
    round: u32,
}

struct Run<'a> {
    driver: &'a Etcd,
    deadline: Instant,
    writes: &'a [Write],
    items: Vec<Item>,
    halvings: u32,
    /// All are written or none, so that nothing is ever sent without the rest.
    together: bool,
    report: Option<String>,
}

/// Does the writes that are not skipped.
pub(super) async fn act(driver: &Etcd, cx: &Cx<'_>, act: &Act, skip: &BTreeSet<u32>, tokens: &[Token]) -> Outcome {
    let writes = match act {
        Act::Write(writes) => writes,
        Act::Verb { .. } | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause => {
            let refusal = Refusal::new(RefusalKind::Target, "etcd knows writes alone").advice("plan the step without verbs and programs");
            return Outcome::all(1, Item::Refused(refusal));
        }
    };
    let mut run = Run { driver, deadline: cx.deadline, writes, items: vec![Item::NotTried; writes.len()], halvings: HALVINGS, together: cx.together, report: None };
    let mut jobs = Vec::new();
    for (at, write) in writes.iter().enumerate().filter(|(at, _)| !skip.contains(&(*at as u32))) {
        match driver.kind.holds(&write.id).and_then(|()| write.to.as_ref().map(bytes).transpose()) {
            Ok(to) => jobs.push(Job { at, to, revision: tokens.get(at).and_then(|token| known(token, write.from.as_ref())), round: 1 }),
            Err(refusal) => run.items[at] = Item::Refused(refusal),
        }
    }
    run.all(jobs, cx).await;
    Outcome { items: run.items, report: run.report }
}

/// The revision of a token that was read with just this content; any other says nothing about it.
fn known(found: &Token, from: Option<&Value>) -> Option<u64> {
    let (revision, _) = found.0.as_deref()?.split_once(':')?;
    let live = Live { revision: revision.parse().ok()?, bytes: from.map(bytes).transpose().ok()? };
    (token(&live) == *found).then_some(live.revision)
}

impl Run<'_> {
    async fn all(&mut self, jobs: Vec<Job>, cx: &Cx<'_>) {
        let (known, unknown): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.revision.is_some());
        let mut ready = known;
        let keys: Vec<&str> = unknown.iter().map(|job| &*self.writes[job.at].id.name).collect();
        if !keys.is_empty() {
            match read(self.driver, &keys, self.deadline).await {
                Ok(all) => ready.extend(unknown.into_iter().zip(all).filter_map(|(job, live)| self.judge(job, &live))),
                Err((fault, _)) => {
                    let why = super::observe::error(self.driver, &fault, Vec::new()).what;
                    let transient = matches!(fault, Fault::Unreachable(_) | Fault::Lost(_));
                    for job in unknown.iter().chain(&ready) {
                        self.items[job.at] = Item::Failed { transient, why: why.clone() };
                    }
                    return;
                }
            }
        }
        ready.sort_by_key(|job| job.at);
        let ready = self.whole(ready);
        let mut queue: VecDeque<Vec<Job>> = self.cut(ready).into();
        while let Some(jobs) = queue.pop_front() {
            if jobs.is_empty() {
                continue;
            }
            if cx.cancel.is_cancelled() {
                return;
            }
            match self.send(&jobs).await {
                Ok(None) => jobs.iter().for_each(|job| self.items[job.at] = Item::Done),
                Ok(Some(live)) => {
                    let again: Vec<Job> = jobs.into_iter().zip(live).filter_map(|(job, live)| self.judge(job, &live)).collect();
                    queue.push_front(self.whole(again));
                }
                Err(Fault::TooMany) if jobs.len() > 1 && !self.together => {
                    self.driver.takes_less_than(jobs.len());
                    self.cut(jobs).into_iter().rev().for_each(|cut| queue.push_front(cut));
                }
                Err(Fault::TooLarge) if jobs.len() > 1 && !self.together => halves(jobs, &mut queue),
                Err(Fault::Denied(_)) if jobs.len() > 1 && self.halvings > 0 && !self.together => {
                    self.halvings -= 1;
                    halves(jobs, &mut queue);
                }
                Err(fault) => {
                    if self.fail(&jobs, fault) {
                        return;
                    }
                }
            }
        }
    }

    /// Packs jobs into as few transactions as the server takes.
    fn cut(&self, jobs: Vec<Job>) -> Vec<Vec<Job>> {
        let (mut cuts, mut open, mut size) = (Vec::new(), Vec::new(), 0);
        for job in jobs {
            // The key stands in the comparison, the write and the read of what is there instead.
            let weight = BESIDE + 3 * self.writes[job.at].id.name.len() + job.to.as_ref().map_or(0, Vec::len);
            if !self.together && !open.is_empty() && (open.len() >= self.driver.ops() || size + weight > self.driver.bytes()) {
                cuts.push(std::mem::take(&mut open));
                size = 0;
            }
            open.push(job);
            size += weight;
        }
        cuts.push(open);
        cuts
    }

    /// The jobs that may be sent: where all are written or none, none once one of them cannot be.
    fn whole(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let stopped = |item: &Item| match item {
            Item::Moved(_) | Item::Refused(_) | Item::Failed { .. } | Item::Unknown => true,
            Item::Done | Item::Already | Item::NotTried => false,
        };
        if !self.together || !self.items.iter().any(stopped) {
            return jobs;
        }
        for job in jobs {
            let what = format!("`{}` is written all or none with the others of its group, and one of them cannot be written", self.writes[job.at].id.name);
            self.items[job.at] = Item::Refused(Refusal::new(RefusalKind::Target, what).advice("see what became of the others, then `/trueup retry`"));
        }
        Vec::new()
    }

    /// What is live decides: done already, moved, or to be written over this revision.
    fn judge(&mut self, job: Job, live: &Live) -> Option<Job> {
        if live.bytes == job.to {
            self.items[job.at] = Item::Already;
            return None;
        }
        let found = live.bytes.as_deref().map(value);
        if found != self.writes[job.at].from {
            self.items[job.at] = Item::Moved(found);
            return None;
        }
        if job.round > ROUNDS {
            self.items[job.at] = Item::Failed { transient: true, why: "somebody else writes this key again and again; find out who".into() };
            return None;
        }
        Some(Job { revision: Some(live.revision), round: job.round + 1, ..job })
    }

    /// One transaction; what is live instead where a comparison did not hold.
    async fn send(&self, jobs: &[Job]) -> Result<Option<Vec<Live>>, Fault> {
        let key = |job: &Job| encoded(self.writes[job.at].id.name.as_bytes());
        let compare: Vec<Json> =
            jobs.iter().map(|job| json!({ "key": key(job), "target": "MOD", "result": "EQUAL", "mod_revision": job.revision.unwrap_or(0).to_string() })).collect();
        let write = |job: &Job| match &job.to {
            Some(bytes) => json!({ "request_put": { "key": key(job), "value": encoded(bytes) } }),
            None => json!({ "request_delete_range": { "key": key(job) } }),
        };
        let success: Vec<Json> = jobs.iter().map(write).collect();
        let failure: Vec<Json> = jobs.iter().map(|job| json!({ "request_range": { "key": key(job) } })).collect();
        self.driver.count();
        let answer = self.driver.wire.ask("/v3/kv/txn", &json!({ "compare": compare, "success": success, "failure": failure }), self.deadline).await?;
        if answer["succeeded"].as_bool().unwrap_or(false) { Ok(None) } else { ranges(&answer, jobs.len()).map(Some) }
    }

    /// Says of each job what became of it; true when nothing more may be sent.
    fn fail(&mut self, jobs: &[Job], fault: Fault) -> bool {
        let refuse = |what: String, advice: &str| Item::Refused(Refusal::new(RefusalKind::Target, what).advice(advice));
        for job in jobs {
            let key = &self.writes[job.at].id.name;
            self.items[job.at] = match &fault {
                Fault::Denied(why) if !why.contains("permission denied") => Item::Failed { transient: false, why: why.clone() },
                Fault::Denied(_) => refuse(format!("the user `{}` may not write `{key}`", self.driver.wire.user()), "grant its role the right to, or take the key out"),
                Fault::TooMany | Fault::TooLarge => refuse(format!("`{key}` is larger than the server takes"), "raise --max-request-bytes, and `max_request_bytes` with it"),
                Fault::Unreachable(why) => Item::Failed { transient: true, why: why.clone() },
                Fault::Lost(_) => Item::Unknown,
                Fault::NoSpace => Item::Failed { transient: false, why: NO_SPACE.to_owned() },
                Fault::Other(why) => Item::Failed { transient: false, why: why.clone() },
            };
        }
        match fault {
            Fault::Denied(_) | Fault::TooMany | Fault::TooLarge | Fault::Other(_) => false,
            Fault::Unreachable(why) | Fault::Lost(why) => {
                self.report = Some(why);
                true
            }
            Fault::NoSpace => true,
        }
    }
}

fn halves(mut jobs: Vec<Job>, queue: &mut VecDeque<Vec<Job>>) {
    let second = jobs.split_off(jobs.len() / 2);
    queue.push_front(second);
    queue.push_front(jobs);
}

//! Writing: transactions that compare the revision of every key they write, cut at what the server takes, answered key by key.

use super::{
    Center, Live, Put, Sent,
    read::{error, known, read},
};
use crate::{
    cluster::Fault,
    core::{
        model::{Refusal, RefusalKind, Token},
        plan::{Act, Write},
        run::{Item, Outcome},
    },
    kinds::config::{bytes, value},
    ports::Cx,
};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

/// A stale revision is read again so often; after that somebody writes the key as fast as we do, and the engine's backoff is the better place to wait.
const ROUNDS: u32 = 4;

/// A transaction refused as a whole is halved to find the key that is refused, with at most so many messages.
const HALVINGS: u32 = 64;

/// One write that is still to be done.
struct Job {
    at: usize,
    to: Option<Vec<u8>>,
    /// What was read together with the content that the plan saw; none before it is read.
    over: Option<Live>,
    round: u32,
}

struct Run<'a> {
    center: &'a dyn Center,
    deadline: Instant,
    writes: &'a [Write],
    items: Vec<Item>,
    halvings: u32,
    /// All are written or none, so that nothing is ever sent without the rest.
    together: bool,
    report: Option<String>,
}

/// Does the writes that are not skipped.
pub(in crate::drivers::config) async fn act(center: &dyn Center, cx: &Cx<'_>, act: &Act, skip: &BTreeSet<u32>, tokens: &[Token]) -> Outcome {
    let writes = match act {
        Act::Write(writes) => writes,
        Act::Verb { .. } | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => {
            let refusal = Refusal::new(RefusalKind::Target, format!("{} knows writes alone", center.words().name)).advice("plan the step without verbs and programs");
            return Outcome::all(1, Item::Refused(refusal));
        }
    };
    let mut run = Run { center, deadline: cx.deadline, writes, items: vec![Item::NotTried; writes.len()], halvings: HALVINGS, together: cx.together, report: None };
    let mut jobs = Vec::new();
    for (at, write) in writes.iter().enumerate().filter(|(at, _)| !skip.contains(&(*at as u32))) {
        match center.kind().holds(&write.id).and_then(|()| write.to.as_ref().map(bytes).transpose()) {
            Ok(to) => jobs.push(Job { at, to, over: tokens.get(at).and_then(|token| known(token, write.from.as_ref())), round: 1 }),
            Err(refusal) => run.items[at] = Item::Refused(refusal),
        }
    }
    run.all(jobs, cx).await;
    Outcome { items: run.items, report: run.report }
}

impl Run<'_> {
    async fn all(&mut self, jobs: Vec<Job>, cx: &Cx<'_>) {
        let Some(ready) = self.known(jobs).await else { return };
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
                Ok(Sent::Done) => jobs.iter().for_each(|job| self.items[job.at] = Item::Done),
                Ok(Sent::Instead(live)) => {
                    let again: Vec<Job> = jobs.into_iter().zip(live).filter_map(|(job, live)| self.judge(job, live)).collect();
                    queue.push_front(self.whole(again));
                }
                Err(Fault::TooMany(told)) if jobs.len() > 1 && !self.together => {
                    self.center.learned().too_many(jobs.iter().map(|job| self.center.ops(job.to.as_deref())).sum(), told);
                    self.cut(jobs).into_iter().rev().for_each(|cut| queue.push_front(cut));
                }
                Err(Fault::TooLarge(told)) if jobs.len() > 1 && !self.together => {
                    if self.center.learned().too_large(told) {
                        self.cut(jobs).into_iter().rev().for_each(|cut| queue.push_front(cut));
                    } else {
                        halves(jobs, &mut queue);
                    }
                }
                Err(Fault::Denied(which)) if !which.is_empty() => {
                    let (denied, rest): (Vec<_>, Vec<_>) = jobs.into_iter().enumerate().partition(|(n, _)| which.contains(n));
                    let denied: Vec<Job> = denied.into_iter().map(|(_, job)| job).collect();
                    self.fail(&denied, Fault::Denied(Vec::new()));
                    queue.push_front(self.whole(rest.into_iter().map(|(_, job)| job).collect()));
                }
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

    /// Reads what no token tells; what may not be read fails alone. `None`: nothing can be read, and that is said of every item.
    async fn known(&mut self, jobs: Vec<Job>) -> Option<Vec<Job>> {
        let (mut ready, mut unknown): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.over.is_some());
        let writes = self.writes;
        while !unknown.is_empty() {
            let keys: Vec<&str> = unknown.iter().map(|job| &*writes[job.at].id.name).collect();
            let (fault, some) = match read(self.center, &keys, self.deadline).await {
                Ok(all) => {
                    ready.extend(unknown.into_iter().zip(all).filter_map(|(job, live)| self.judge(job, live)));
                    break;
                }
                Err(failed) => failed,
            };
            if matches!(fault, Fault::Denied(_)) && !some.is_empty() {
                let denied: BTreeSet<usize> = some.into_iter().collect();
                let (unseen, rest): (Vec<_>, Vec<_>) = unknown.into_iter().enumerate().partition(|(n, _)| denied.contains(n));
                unseen.iter().for_each(|(_, job)| self.unseen(job));
                unknown = rest.into_iter().map(|(_, job)| job).collect();
            } else {
                let about = some.iter().map(|at| writes[unknown[*at].at].id.clone()).collect();
                let why = error(self.center, &fault, about).what;
                let transient = matches!(fault, Fault::Unreachable(_) | Fault::Lost(_));
                for job in unknown.iter().chain(&ready) {
                    self.items[job.at] = Item::Failed { transient, why: why.clone() };
                }
                return None;
            }
        }
        ready.sort_by_key(|job| job.at);
        Some(ready)
    }

    /// Says that a key may not be read, so that nobody knows what would be written over.
    fn unseen(&mut self, job: &Job) {
        let why = error(self.center, &Fault::Denied(Vec::new()), vec![self.writes[job.at].id.clone()]).what;
        self.items[job.at] = Item::Failed { transient: false, why };
    }

    /// Packs jobs into as few transactions as the server takes.
    fn cut(&self, jobs: Vec<Job>) -> Vec<Vec<Job>> {
        let (mut cuts, mut open, mut size, mut ops) = (Vec::new(), Vec::new(), 0, 0);
        let learned = self.center.learned();
        for job in jobs {
            let (weight, more) = (self.center.weight(&self.writes[job.at].id.name, job.to.as_deref()), self.center.ops(job.to.as_deref()));
            if !self.together && !open.is_empty() && (ops + more > learned.ops() || size + weight > learned.bytes()) {
                cuts.push(std::mem::take(&mut open));
                (size, ops) = (0, 0);
            }
            open.push(job);
            size += weight;
            ops += more;
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
    fn judge(&mut self, job: Job, live: Live) -> Option<Job> {
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
        Some(Job { over: Some(live), round: job.round + 1, ..job })
    }

    /// One transaction; what is live instead where a comparison did not hold.
    async fn send(&self, jobs: &[Job]) -> Result<Sent, Fault> {
        let put = |job: &Job| {
            let (revision, flags) = job.over.as_ref().map_or((0, 0), |over| (over.revision, over.flags));
            (&*self.writes[job.at].id.name, revision, flags)
        };
        let puts: Vec<Put<'_>> = jobs.iter().map(|job| (job, put(job))).map(|(job, (key, revision, flags))| Put { key, to: job.to.as_deref(), revision, flags }).collect();
        self.center.learned().sent();
        self.center.put(&puts, self.deadline).await
    }

    /// Says of each job what became of it; true when nothing more may be sent.
    fn fail(&mut self, jobs: &[Job], fault: Fault) -> bool {
        let words = self.center.words();
        let refuse = |what: String, advice: &str| Item::Refused(Refusal::new(RefusalKind::Target, what).advice(advice));
        for job in jobs {
            let key = &self.writes[job.at].id.name;
            self.items[job.at] = match &fault {
                Fault::Denied(_) => refuse(format!("{} may not write `{key}`", words.who), &format!("{}, or take the key out", words.grant)),
                Fault::TooMany(_) | Fault::TooLarge(_) => refuse(format!("`{key}` is larger than the server takes"), words.larger),
                Fault::Unreachable(why) => Item::Failed { transient: true, why: why.clone() },
                Fault::Lost(_) => Item::Unknown,
                Fault::Full(what) => Item::Failed { transient: false, why: (*what).to_owned() },
                Fault::Stranger(why) | Fault::Other(why) => Item::Failed { transient: false, why: why.clone() },
            };
        }
        match fault {
            Fault::Denied(_) | Fault::TooMany(_) | Fault::TooLarge(_) | Fault::Stranger(_) | Fault::Other(_) => false,
            Fault::Unreachable(why) | Fault::Lost(why) => {
                self.report = Some(why);
                true
            }
            Fault::Full(_) => true,
        }
    }
}

fn halves(mut jobs: Vec<Job>, queue: &mut VecDeque<Vec<Job>>) {
    let second = jobs.split_off(jobs.len() / 2);
    queue.push_front(second);
    queue.push_front(jobs);
}

//! The claims board: who may touch what, as a pure fold over its own events, equal on every replica (I5).
//!
//! A request is granted whole or waits whole. The queue is fair: a later request passes an earlier one only where they
//! share nothing, so a large request cannot be starved by small ones. Everything is found by resource, never by
//! looking at all changes.

use super::words;
use crate::core::{
    model::{MrId, ResourceId, Time},
    plan::Claim,
    run::ClaimAnswer,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One fact of the board's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoardEvent {
    /// A change asks for all it needs; a share is the most it takes of a pool at a time. Asking again replaces what it asked before and keeps its place; what it holds already it keeps.
    Requested { mr: MrId, claims: BTreeSet<Claim>, incident: bool, at: Time },
    /// A change gives back all it holds and asks for nothing: merged, restored, freed or closed.
    Released { mr: MrId },
    /// How much of a pool may be taken at once, as last observed.
    Capacity { of: ResourceId, n: u32 },
}

/// A request's place: lower goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Turn {
    class: Class,
    seq: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Class {
    /// It holds claims and asks for more: whoever waits for what it holds cannot go before it, so it must be able to go before them.
    Holder,
    Incident,
    Ordinary,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Request {
    claims: BTreeSet<Claim>,
    turn: Turn,
    at: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    claims: BTreeSet<Claim>,
    seq: u64,
    since: Time,
}

/// What one resource's claims are, held and asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lane {
    writers: BTreeSet<MrId>,
    readers: BTreeSet<MrId>,
    shares: BTreeMap<MrId, u32>,
    asked_writes: BTreeMap<Turn, MrId>,
    asked_reads: BTreeMap<Turn, MrId>,
    asked_shares: BTreeMap<Turn, (MrId, u32)>,
}

/// The board's state. Feed it events in order; equal events give equal boards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    seq: u64,
    lanes: BTreeMap<ResourceId, Lane>,
    held: BTreeMap<MrId, Held>,
    waiting: BTreeMap<MrId, Request>,
    capacity: BTreeMap<ResourceId, u32>,
}

/// A board as it stands, for a store that keeps it instead of the events that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardImage {
    seq: u64,
    held: Vec<(MrId, Held)>,
    waiting: Vec<(MrId, Request)>,
    capacity: Vec<(ResourceId, u32)>,
}

impl From<&Board> for BoardImage {
    fn from(board: &Board) -> Self {
        let Board { seq, lanes: _, held, waiting, capacity } = board;
        let pairs = (held.iter().map(|(mr, held)| (mr.clone(), held.clone())), waiting.iter().map(|(mr, request)| (mr.clone(), request.clone())));
        Self { seq: *seq, held: pairs.0.collect(), waiting: pairs.1.collect(), capacity: capacity.iter().map(|(of, n)| (of.clone(), *n)).collect() }
    }
}

impl From<BoardImage> for Board {
    /// Lanes are what held and waiting say, found by resource.
    fn from(image: BoardImage) -> Self {
        let BoardImage { seq, held, waiting, capacity } = image;
        let mut board = Self { seq, capacity: capacity.into_iter().collect(), ..Self::default() };
        for (mr, held) in held {
            board.enter(&mr, &held.claims);
            board.held.insert(mr, held);
        }
        for (mr, request) in waiting {
            board.ask(&mr, &request.claims, request.turn);
            board.waiting.insert(mr, request);
        }
        board
    }
}

impl Board {
    /// Folds one event and returns the changes whose claims it granted, in the order of the queue.
    pub fn apply(&mut self, event: &BoardEvent) -> Vec<MrId> {
        self.seq += 1;
        match event {
            BoardEvent::Requested { mr, claims, incident, at } => {
                let touched = self.request(mr, claims, *incident, *at);
                self.grant(&touched, Some(mr))
            }
            BoardEvent::Released { mr } => {
                let touched = self.release(mr);
                self.grant(&touched, None)
            }
            BoardEvent::Capacity { of, n } => {
                self.capacity.insert(of.clone(), *n);
                self.grant(&BTreeSet::from([of.clone()]), None)
            }
        }
    }

    /// What the board says to a change; none when it neither holds nor asks.
    pub fn answer(&self, mr: &MrId) -> Option<ClaimAnswer> {
        match self.waiting.get(mr) {
            None => self.held.get(mr).map(|_| ClaimAnswer::Granted),
            Some(request) => Some(ClaimAnswer::Queued { ahead: self.ahead(mr, request) }),
        }
    }

    /// What a change holds.
    pub fn held(&self, mr: &MrId) -> Option<(&BTreeSet<Claim>, Time)> {
        self.held.get(mr).map(|held| (&held.claims, held.since))
    }

    /// Who may write a resource now.
    pub fn writer(&self, id: &ResourceId) -> Option<&MrId> {
        self.lanes.get(id)?.writers.first()
    }

    /// Everyone who holds something, with the time since when.
    pub fn holders(&self) -> impl Iterator<Item = (&MrId, Time)> {
        self.held.iter().map(|(mr, held)| (mr, held.since))
    }

    /// Everyone who waits, first first, with the time since when.
    pub fn queue(&self) -> Vec<(&MrId, Time)> {
        let mut queue: Vec<_> = self.waiting.iter().collect();
        queue.sort_by_key(|(_, request)| request.turn);
        queue.into_iter().map(|(mr, request)| (mr, request.at)).collect()
    }

    /// Queues a request, and returns the resources at which others may have become free.
    fn request(&mut self, mr: &MrId, claims: &BTreeSet<Claim>, incident: bool, at: Time) -> BTreeSet<ResourceId> {
        let before = self.unask(mr);
        let mut touched = before.as_ref().map(|request| resources(&request.claims)).unwrap_or_default();
        let class = match (self.held.contains_key(mr), incident) {
            (true, _) => Class::Holder,
            (false, true) => Class::Incident,
            (false, false) => Class::Ordinary,
        };
        let (seq, at) = before.map_or((self.seq, at), |request| (request.turn.seq, request.at));
        let turn = Turn { class, seq };
        self.ask(mr, claims, turn);
        self.waiting.insert(mr.clone(), Request { claims: claims.clone(), turn, at });
        touched.extend(self.told_how_much(claims));
        touched
    }

    /// Takes note of how much there is of what is shared, as the newest plan saw it; where that changed others may have become free.
    fn told_how_much(&mut self, claims: &BTreeSet<Claim>) -> Vec<ResourceId> {
        let mut changed = Vec::new();
        for claim in claims {
            if let Claim::Share { of, n: _, most: Some(most) } = claim
                && self.capacity.insert(of.clone(), *most) != Some(*most)
            {
                changed.push(of.clone());
            }
        }
        changed
    }

    /// Puts a request's claims into their lanes.
    fn ask(&mut self, mr: &MrId, claims: &BTreeSet<Claim>, turn: Turn) {
        for claim in claims {
            let lane = self.lanes.entry(resource(claim).clone()).or_default();
            match claim {
                Claim::Write(_) => drop(lane.asked_writes.insert(turn, mr.clone())),
                Claim::Read(_) => drop(lane.asked_reads.insert(turn, mr.clone())),
                Claim::Share { of: _, n, most: _ } => {
                    let share = lane.asked_shares.entry(turn).or_insert_with(|| (mr.clone(), 0));
                    share.1 = share.1.max(*n);
                }
            }
        }
    }

    /// Puts granted claims into their lanes.
    fn enter(&mut self, mr: &MrId, claims: &BTreeSet<Claim>) {
        for claim in claims {
            let lane = self.lanes.entry(resource(claim).clone()).or_default();
            match claim {
                Claim::Write(_) => drop(lane.writers.insert(mr.clone())),
                Claim::Read(_) => drop(lane.readers.insert(mr.clone())),
                Claim::Share { of: _, n, most: _ } => {
                    let share = lane.shares.entry(mr.clone()).or_insert(0);
                    *share = (*share).max(*n);
                }
            }
        }
    }

    fn release(&mut self, mr: &MrId) -> BTreeSet<ResourceId> {
        let asked = self.unask(mr).map(|request| resources(&request.claims)).unwrap_or_default();
        let held = self.held.remove(mr).map(|held| resources(&held.claims)).unwrap_or_default();
        for id in &held {
            if let Some(lane) = self.lanes.get_mut(id) {
                lane.writers.remove(mr);
                lane.readers.remove(mr);
                lane.shares.remove(mr);
            }
            self.sweep(id);
        }
        asked.into_iter().chain(held).collect()
    }

    /// Takes a change out of the queue.
    fn unask(&mut self, mr: &MrId) -> Option<Request> {
        let request = self.waiting.remove(mr)?;
        for id in resources(&request.claims) {
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.asked_writes.remove(&request.turn);
                lane.asked_reads.remove(&request.turn);
                lane.asked_shares.remove(&request.turn);
            }
            self.sweep(&id);
        }
        Some(request)
    }

    /// Forgets a resource nobody speaks of.
    fn sweep(&mut self, id: &ResourceId) {
        if self.lanes.get(id).is_some_and(Lane::is_idle) {
            self.lanes.remove(id);
        }
    }

    /// Grants what can be granted now: to `asker`, or to those who wait at a touched resource, for nobody else can have
    /// become free. One pass in the queue's order is enough, because a grant takes exactly what the request was already
    /// keeping from those behind it.
    fn grant(&mut self, touched: &BTreeSet<ResourceId>, asker: Option<&MrId>) -> Vec<MrId> {
        let mut candidates: BTreeMap<Turn, MrId> = BTreeMap::new();
        if let Some((mr, request)) = asker.and_then(|mr| self.waiting.get_key_value(mr)) {
            candidates.insert(request.turn, mr.clone());
        }
        for id in touched {
            if let Some(lane) = self.lanes.get(id) {
                candidates.extend(lane.heads(self.capacity.get(id).copied()));
            }
        }
        let mut granted = Vec::new();
        for mr in candidates.into_values() {
            let free = self.waiting.get(&mr).is_some_and(|request| request.claims.iter().all(|claim| self.is_free(&mr, request.turn, claim)));
            if free && let Some(request) = self.unask(&mr) {
                self.hold(&mr, request);
                granted.push(mr);
            }
        }
        granted
    }

    fn hold(&mut self, mr: &MrId, request: Request) {
        self.enter(mr, &request.claims);
        let seq = self.seq;
        let held = self.held.entry(mr.clone()).or_insert_with(|| Held { claims: BTreeSet::new(), seq, since: request.at });
        held.claims.extend(request.claims);
    }

    fn is_free(&self, mr: &MrId, turn: Turn, claim: &Claim) -> bool {
        let Some(lane) = self.lanes.get(resource(claim)) else { return true };
        // Whoever asked for it before waits for this one: both would wait for ever.
        if lane.has(mr, claim) {
            return true;
        }
        let others = |holders: &BTreeSet<MrId>| holders.iter().any(|holder| holder != mr);
        match claim {
            Claim::Write(_) => {
                let held = others(&lane.writers) || others(&lane.readers);
                !held && lane.asked_writes.range(..turn).next().is_none() && lane.asked_reads.range(..turn).next().is_none()
            }
            Claim::Read(_) => !others(&lane.writers) && lane.asked_writes.range(..turn).next().is_none(),
            Claim::Share { of, n, most: _ } => {
                let taken = lane.taken(mr, turn);
                match self.capacity.get(of) {
                    Some(capacity) => taken.values().fold(*n, |sum, n| sum.saturating_add(*n)) <= *capacity,
                    // Capacity that nobody observed is not divided: one at a time.
                    None => taken.is_empty(),
                }
            }
        }
    }

    /// Who keeps a claim from being granted: holders, and those who asked before.
    fn blockers<'a>(&'a self, mr: &MrId, turn: Turn, claim: &Claim) -> BTreeSet<&'a MrId> {
        let Some(lane) = self.lanes.get(resource(claim)).filter(|lane| !lane.has(mr, claim)) else { return BTreeSet::new() };
        let mut out: BTreeSet<&MrId> = match claim {
            Claim::Write(_) => {
                let asked = lane.asked_writes.range(..turn).chain(lane.asked_reads.range(..turn)).map(|(_, other)| other);
                lane.writers.iter().chain(&lane.readers).chain(asked).collect()
            }
            Claim::Read(_) => lane.writers.iter().chain(lane.asked_writes.range(..turn).map(|(_, other)| other)).collect(),
            Claim::Share { .. } if self.is_free(mr, turn, claim) => BTreeSet::new(),
            Claim::Share { .. } => lane.taken(mr, turn).into_keys().collect(),
        };
        out.remove(mr);
        out
    }

    /// The changes ahead of one that waits, holders first, each with what it keeps.
    fn ahead(&self, mr: &MrId, request: &Request) -> Vec<(MrId, String)> {
        let mut keeps: BTreeMap<&MrId, BTreeSet<&ResourceId>> = BTreeMap::new();
        for claim in &request.claims {
            for other in self.blockers(mr, request.turn, claim) {
                keeps.entry(other).or_default().insert(resource(claim));
            }
        }
        let mut ahead: Vec<_> = keeps.into_iter().collect();
        ahead.sort_by_key(|(other, _)| (self.held.get(*other).map_or(u64::MAX, |held| held.seq), self.waiting.get(*other).map(|request| request.turn)));
        let asked = |other: &MrId| self.held.get(other).map(|held| held.since).or(self.waiting.get(other).map(|request| request.at));
        ahead.into_iter().map(|(other, ids)| (other.clone(), words::keeps(self.held.contains_key(other), &ids, asked(other)))).collect()
    }
}

impl Lane {
    /// Whether a change holds a claim already, or more than it.
    fn has(&self, mr: &MrId, claim: &Claim) -> bool {
        match claim {
            Claim::Write(_) => self.writers.contains(mr),
            Claim::Read(_) => self.writers.contains(mr) || self.readers.contains(mr),
            Claim::Share { of: _, n, most: _ } => self.shares.get(mr).is_some_and(|held| held >= n),
        }
    }

    /// Those in the queue with nobody before them here who keeps them out; everyone else waits for these.
    fn heads(&self, capacity: Option<u32>) -> Vec<(Turn, MrId)> {
        let write = self.asked_writes.first_key_value();
        let reads = self.asked_reads.iter().take_while(|(turn, _)| write.is_none_or(|(first, _)| *turn < first));
        let mut out: Vec<_> = reads.chain(write).map(|(turn, mr)| (*turn, mr.clone())).collect();
        let mut taken: BTreeMap<&MrId, u32> = self.shares.iter().map(|(mr, n)| (mr, *n)).collect();
        for (turn, (mr, n)) in &self.asked_shares {
            out.push((*turn, mr.clone()));
            let share = taken.entry(mr).or_insert(0);
            *share = (*share).max(*n);
            if capacity.is_none_or(|capacity| taken.values().fold(0u32, |sum, n| sum.saturating_add(*n)) > capacity) {
                break;
            }
        }
        out
    }

    /// What others have of a pool, held or asked for before `turn`: of each the most it takes at a time.
    fn taken(&self, mr: &MrId, turn: Turn) -> BTreeMap<&MrId, u32> {
        let asked = self.asked_shares.range(..turn).map(|(_, (other, n))| (other, *n));
        let mut taken = BTreeMap::new();
        for (other, n) in self.shares.iter().map(|(other, n)| (other, *n)).chain(asked).filter(|(other, _)| *other != mr) {
            let share = taken.entry(other).or_insert(0);
            *share = n.max(*share);
        }
        taken
    }

    fn is_idle(&self) -> bool {
        let Self { writers, readers, shares, asked_writes, asked_reads, asked_shares } = self;
        writers.is_empty() && readers.is_empty() && shares.is_empty() && asked_writes.is_empty() && asked_reads.is_empty() && asked_shares.is_empty()
    }
}

fn resource(claim: &Claim) -> &ResourceId {
    match claim {
        Claim::Write(id) | Claim::Read(id) | Claim::Share { of: id, n: _, most: _ } => id,
    }
}

fn resources(claims: &BTreeSet<Claim>) -> BTreeSet<ResourceId> {
    claims.iter().map(|claim| resource(claim).clone()).collect()
}

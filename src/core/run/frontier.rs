//! The frontier: which steps may go now. Predecessor counters and a ready queue a target, never a scan.

use crate::core::{
    model::{StepId, Str},
    plan::{Needs, Plan},
};
use std::collections::BTreeSet;

/// How many steps of one change are under way on one target at once.
///
/// The dispatcher of the target owns its rate over all changes; this only bounds what a crash leaves in doubt and what a pause must wait
/// for, while enough is under way to keep the wire busy between an answer and the next turn's append.
pub const IN_FLIGHT: u32 = 8;

/// Counters over one plan's steps, by position in the plan's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    ids: Vec<StepId>,
    target: Vec<u32>,
    waiting: Vec<u32>,
    edges: Vec<Link>,
    /// Edge numbers grouped by the step they leave, and where each step's group starts.
    out: Vec<u32>,
    out_at: Vec<u32>,
    into: Vec<u32>,
    into_at: Vec<u32>,
    /// By target.
    ready: Vec<BTreeSet<u32>>,
    under_way: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    before: u32,
    after: u32,
    needs: Needs,
    open: bool,
}

impl Frontier {
    /// Counts a plan's edges; the cost is linear in the plan, once a run.
    pub fn new(plan: &Plan) -> Self {
        let ids: Vec<StepId> = plan.steps.keys().copied().collect();
        let n = ids.len();
        let mut targets: Vec<&Str> = plan.steps.values().map(|step| &step.target).collect();
        targets.sort_unstable();
        targets.dedup();
        let target = plan.steps.values().map(|step| targets.binary_search(&&step.target).unwrap_or(0) as u32).collect();
        let at = |id: StepId| ids.binary_search(&id).ok().map(|at| at as u32);
        // An edge that names no step orders nothing; lint refuses such plans before they are shown.
        let edges: Vec<Link> = plan.edges.iter().filter_map(|edge| Some(Link { before: at(edge.before)?, after: at(edge.after)?, needs: edge.needs, open: true })).collect();
        let (out, out_at) = group(n, edges.iter().map(|link| link.before));
        let (into, into_at) = group(n, edges.iter().map(|link| link.after));
        let waiting: Vec<u32> = (0..n).map(|step| into_at[step + 1] - into_at[step]).collect();
        let mut frontier = Self { ids, target, waiting, edges, out, out_at, into, into_at, ready: vec![BTreeSet::new(); targets.len()], under_way: vec![0; targets.len()] };
        for step in 0..n as u32 {
            frontier.offer(step);
        }
        frontier
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The position of a step.
    pub fn at(&self, id: StepId) -> Option<u32> {
        // Plans number from 1 without holes, so this guess is right unless a plan was made by hand.
        let guess = id.0.wrapping_sub(1);
        if self.ids.get(guess as usize) == Some(&id) {
            return Some(guess);
        }
        self.ids.binary_search(&id).ok().map(|at| at as u32)
    }

    pub fn id(&self, step: u32) -> StepId {
        self.ids[step as usize]
    }

    /// The next step that may go: nothing is before it any more and its target has room.
    pub fn next(&self) -> Option<u32> {
        self.ready.iter().zip(&self.under_way).find_map(|(ready, under_way)| if *under_way < IN_FLIGHT { ready.first().copied() } else { None })
    }

    pub fn is_ready(&self, step: u32) -> bool {
        self.ready[self.target[step as usize] as usize].contains(&step)
    }

    /// Takes a step out of the queue; `room`: it takes room on its target until `leave`.
    pub fn enter(&mut self, step: u32, room: bool) {
        let target = self.target[step as usize] as usize;
        self.ready[target].remove(&step);
        self.under_way[target] += u32::from(room);
    }

    pub fn leave(&mut self, step: u32) {
        let target = self.target[step as usize] as usize;
        self.under_way[target] = self.under_way[target].saturating_sub(1);
    }

    /// Takes a step that was over in an earlier try of the run out for good: nothing offers it again.
    pub fn retire(&mut self, step: u32) {
        self.enter(step, false);
        self.waiting[step as usize] = u32::MAX;
    }

    /// Puts a step that nothing holds back any more into the queue.
    pub fn offer(&mut self, step: u32) {
        if self.waiting[step as usize] == 0 {
            self.ready[self.target[step as usize] as usize].insert(step);
        }
    }

    /// The numbers of the edges that leave a step.
    pub fn leaving(&self, step: u32) -> std::ops::Range<usize> {
        self.out_at[step as usize] as usize..self.out_at[step as usize + 1] as usize
    }

    /// The edge at a place of `leaving`.
    pub fn out(&self, place: usize) -> (u32, Needs, bool) {
        let edge = self.out[place];
        let link = self.edges[edge as usize];
        (edge, link.needs, link.open)
    }

    /// The step that an edge holds back.
    pub fn after(&self, edge: u32) -> u32 {
        self.edges[edge as usize].after
    }

    /// The edges that lead to a step, as (edge number, step before).
    pub fn before(&self, step: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let range = self.into_at[step as usize] as usize..self.into_at[step as usize + 1] as usize;
        self.into[range].iter().map(|edge| (*edge, self.edges[*edge as usize].before))
    }

    /// Lets go of an edge: what comes after it has one thing less to wait for.
    pub fn release(&mut self, edge: u32) {
        let link = &mut self.edges[edge as usize];
        if std::mem::replace(&mut link.open, false) {
            let after = link.after;
            self.waiting[after as usize] -= 1;
            self.offer(after);
        }
    }

    pub fn is_open(&self, edge: u32) -> bool {
        self.edges.get(edge as usize).is_some_and(|link| link.open)
    }

    /// The steps that hold this one back.
    pub fn why_blocked(&self, id: StepId) -> Vec<StepId> {
        let Some(step) = self.at(id) else { return Vec::new() };
        let mut out: Vec<StepId> = self.before(step).filter(|(edge, _)| self.is_open(*edge)).map(|(_, before)| self.id(before)).collect();
        out.sort_unstable();
        out.dedup();
        out
    }
}

/// Groups edge numbers by one of their ends: all numbers in one list, and where each end's part starts.
fn group(n: usize, ends: impl Iterator<Item = u32> + Clone) -> (Vec<u32>, Vec<u32>) {
    let mut at = vec![0u32; n + 1];
    for end in ends.clone() {
        at[end as usize + 1] += 1;
    }
    for i in 0..n {
        at[i + 1] += at[i];
    }
    let mut next = at.clone();
    let mut list = vec![0u32; at[n] as usize];
    for (edge, end) in ends.enumerate() {
        list[next[end as usize] as usize] = edge as u32;
        next[end as usize] += 1;
    }
    (list, at)
}

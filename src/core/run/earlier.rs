//! What a change wrote in all its runs, one write at a time, so that no wait of an amended plan is shorter than it was.

use super::{
    Ledger,
    ledger::{At, Doing},
};
use crate::core::{
    model::{ResourceId, Time, Value},
    plan::{Act, Earlier, Needs, Step, Write},
};
use std::collections::{BTreeMap, BTreeSet};

impl Ledger {
    /// Everything written so far, oldest first, with when that was proven; what was written twice alike counts from the last time.
    pub fn earlier(&self) -> Vec<Earlier> {
        let mut found = self.earlier.clone();
        for (position, step) in (0..).zip(self.plan.steps.values()) {
            // A step that never acted wrote nothing.
            let Some(at) = self.since.get(position as usize).copied().flatten() else { continue };
            let healthy = self.held.contains(&position);
            match &step.act {
                Act::Write(writes) => {
                    let sent = writes.iter().zip(self.of(position)).filter(|(write, at)| write.from != write.to && self.may_have_happened(write, **at));
                    found.extend(sent.map(|(write, _)| Earlier { id: write.id.clone(), from: write.from.clone(), to: write.to.clone(), at, healthy, other: None }));
                }
                // Seen healthy since, of the same write.
                Act::Earlier(wrote) if healthy => {
                    let awaited = self.awaited(position, step);
                    let seen = wrote.iter().enumerate().filter(|(item, _)| awaited.contains(&(*item as u32)));
                    found.extend(seen.map(|(_, earlier)| Earlier { healthy, ..earlier.clone() }));
                }
                Act::Earlier(_) | Act::Verb { .. } | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause => {}
            }
        }
        found.sort_by_key(|earlier| earlier.at);
        let content = |value: &Option<Value>| value.as_ref().map(Value::fingerprint);
        let mut known = BTreeSet::new();
        let newest = found.into_iter().rev().filter(|earlier| known.insert((earlier.id.clone(), content(&earlier.from), content(&earlier.to))));
        let mut all: Vec<Earlier> = newest.collect();
        all.reverse();
        all
    }

    fn may_have_happened(&self, write: &Write, at: At) -> bool {
        match at {
            At::Proven | At::Applied | At::Unknown => true,
            At::Failed | At::Skipped => self.written.get(&write.id).is_some_and(|written| written.after == write.to),
            At::Pending | At::Blocked => false,
        }
    }

    /// The items of a step of earlier writes whose health others wait for.
    pub(super) fn awaited(&self, position: u32, step: &Step) -> BTreeSet<u32> {
        let mut items = BTreeSet::new();
        for place in self.frontier.leaving(position) {
            let (edge, needs, _) = self.frontier.out(place);
            if needs == Needs::Healthy {
                let named = &self.plan.edges[edge as usize].items;
                items.extend(named.iter().map(|(item, _)| *item));
                items.extend((0..step.items()).filter(|_| named.is_empty()));
            }
        }
        items
    }

    /// Closes the steps that stand for earlier writes: they are over, and only who remembers them, or their health, is still waited for.
    pub(super) fn close_earlier(&mut self, at: Time) {
        let plan = self.plan.clone();
        for (position, _) in (0..).zip(plan.steps.values()).filter(|(_, step)| matches!(step.act, Act::Earlier(_))) {
            if self.doing[position as usize] != Doing::Over {
                self.frontier.enter(position, false);
                self.end(position, At::Proven, at);
            }
        }
    }

    /// From when on the time of an edge counts: from the write of an earlier run, else from now. A clock that went back makes no wait longer.
    pub(super) fn counts_from(&self, edge: u32, at: Time) -> Time {
        let since = self.plan.edges.get(edge as usize).and_then(|edge| self.plan.since(edge));
        since.map_or(at, |since| since.min(at))
    }

    /// What a step of earlier writes left where others wait for its health, each with what was there before.
    pub(super) fn earlier_writes<'a>(&self, position: u32, step: &Step, wrote: &'a [Earlier]) -> BTreeMap<&'a ResourceId, &'a Earlier> {
        let awaited = self.awaited(position, step);
        let open = |item: usize| self.of(position).get(item) == Some(&At::Proven) && awaited.contains(&(item as u32));
        wrote.iter().enumerate().filter(|(item, _)| open(*item)).map(|(_, earlier)| (&earlier.id, earlier)).collect()
    }
}

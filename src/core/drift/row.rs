//! What a search for drift tells, row by row: on the wire, in the store and on paper, already veiled.

use crate::core::model::{ResourceId, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One thing a search tells, in the order it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub enum Row {
    /// What is live is not what is asked for.
    Drift(Box<Found>),
    /// A part was looked at whole; its drift was told before.
    Part(Part),
    /// A part was not looked at, and why.
    Fault(Fault),
    /// The search is over: without this row it broke off.
    End(Tally),
}

/// One drifted resource, in words; values of sensitive ones are not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub id: ResourceId,
    pub title: String,
    /// What of the target it stands in: the zone, the folder of keys.
    pub area: String,
    /// Where the repository asks for it; empty where only an open change does.
    pub place: String,
    pub how: How,
    /// What is asked for, line by line.
    pub asked: Vec<String>,
    pub live: Vec<String>,
    #[serde(default)]
    pub sensitive: bool,
    /// The open change that wrote what is asked for here, ahead of base.
    #[serde(default)]
    pub ahead: Option<String>,
    /// What the target tells of who changed it and when: a revision, a time.
    #[serde(default)]
    pub known: Option<String>,
    /// The override that covers exactly what is live.
    #[serde(default)]
    pub covered: Option<Covered>,
    /// The override that covered something else, which was there before.
    #[serde(default)]
    pub uncovered: Option<Covered>,
}

/// How a resource drifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Changed,
    /// It is asked for and not there.
    Missing,
    /// An open change deleted it, and it is there.
    Appeared,
}

/// An override as readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    pub by: String,
    pub reason: String,
    pub until: Time,
}

/// One part that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub target: String,
    pub area: String,
    pub resources: u64,
    pub drifted: u64,
    /// Drift that an override covers; not in `drifted`.
    #[serde(default)]
    pub overridden: u64,
    /// Resources that policy says to ignore.
    #[serde(default)]
    pub ignored: u64,
    /// What open changes have written ahead of base.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<Ahead>,
    /// What open changes are writing just now, which nothing can be said of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writing: Vec<Ahead>,
}

/// How many resources one open change speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    pub change: String,
    pub resources: u64,
}

/// A part that was not looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fault {
    /// Empty where the repository itself is at fault.
    pub target: String,
    /// Empty: all of the target that is left.
    pub area: String,
    pub what: String,
}

/// All rows in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub resources: u64,
    pub drifted: u64,
    pub overridden: u64,
    pub ignored: u64,
    pub faults: u64,
    /// By open change.
    pub ahead: BTreeMap<String, u64>,
    pub writing: BTreeMap<String, u64>,
}

impl Tally {
    pub fn add(&mut self, row: &Row) {
        match row {
            // Counted with their part, which follows.
            Row::Drift(_) | Row::End(_) => {}
            Row::Fault(_) => self.faults += 1,
            Row::Part(Part { target: _, area: _, resources, drifted, overridden, ignored, ahead, writing }) => {
                self.resources += resources;
                self.drifted += drifted;
                self.overridden += overridden;
                self.ignored += ignored;
                for (all, some) in [(&mut self.ahead, ahead), (&mut self.writing, writing)] {
                    some.iter().for_each(|of| *all.entry(of.change.clone()).or_default() += of.resources);
                }
            }
        }
    }

    /// Adds another search's numbers.
    pub fn join(&mut self, other: Tally) {
        let Tally { resources, drifted, overridden, ignored, faults, ahead, writing } = other;
        self.resources += resources;
        self.drifted += drifted;
        self.overridden += overridden;
        self.ignored += ignored;
        self.faults += faults;
        for (all, some) in [(&mut self.ahead, ahead), (&mut self.writing, writing)] {
            some.into_iter().for_each(|(change, n)| *all.entry(change).or_default() += n);
        }
    }
}

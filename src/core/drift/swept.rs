//! What sweeps know of one repository on one target: what was found in which part, and how far the round under way has come.

use super::{Fault, Found, Row};
use crate::core::model::{ResourceId, Span, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// So many drifted resources of one target are kept in words; whoever has more reads `trueup drift`.
const KEPT: usize = 500;

/// The part that is none of the walk: what only open changes ask for.
const BEYOND: &str = "";

/// Where a part stands in the order of a walk: at its first unit, up to its last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stretch {
    pub first: String,
    pub last: String,
}

impl Stretch {
    /// The name of the part; one that begins or ends elsewhere is another one.
    pub fn key(&self) -> String {
        format!("{}\n{}", self.first, self.last)
    }
}

/// What sweeps know; kept in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// How far the round under way has come in the order of its walk.
    pub after: Option<String>,
    pub began: Option<Time>,
    /// When the last whole round ended.
    pub ended: Option<Time>,
    /// Resources compared in the round under way, and in the last whole one.
    pub compared: u64,
    pub compared_last: u64,
    /// By part: what was found there when it was last looked at. Parts without anything are left out.
    pub parts: BTreeMap<String, FoundIn>,
}

/// What was found in one part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundIn {
    /// When it was found. A look that told nothing leaves it.
    pub at: Time,
    /// None beside the walk, and in what older versions kept.
    #[serde(default)]
    pub stretch: Option<Stretch>,
    pub found: Vec<Found>,
    /// Drifted resources that are not kept in words.
    pub more: u64,
    pub faults: Vec<Fault>,
}

/// What a look at a part told.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub rows: &'a [Row],
    /// What is as asked.
    pub same: &'a BTreeSet<ResourceId>,
    /// What nobody can say now what it should be.
    pub unknown: &'a BTreeSet<ResourceId>,
}

impl Told<'_> {
    /// Whether anything was compared or there was nothing to compare: faults alone tell nothing of what is live.
    pub fn anything(&self) -> bool {
        let (mut fault, mut part) = (false, false);
        for row in self.rows {
            match row {
                Row::Fault(_) => fault = true,
                Row::Part(_) => part = true,
                Row::Drift(_) | Row::End(_) => {}
            }
        }
        part || !fault
    }
}

/// A part that the walk has in another cut by now, because files came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    pub key: String,
    /// The parts of today's walk, by their places in it, that must be looked at before what it says is over.
    pub needs: BTreeSet<usize>,
    /// What was found there, which other parts may ask for today.
    pub ids: Vec<ResourceId>,
}

impl Swept {
    pub fn found(&self) -> impl Iterator<Item = &Found> {
        self.parts.values().flat_map(|part| &part.found)
    }

    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.parts.values().flat_map(|part| &part.faults)
    }

    /// Drifted resources that no override covers.
    pub fn drifted(&self) -> u64 {
        self.found().filter(|found| found.covered.is_none()).count() as u64 + self.parts.values().map(|part| part.more).sum::<u64>()
    }

    pub fn overridden(&self) -> u64 {
        self.found().filter(|found| found.covered.is_some()).count() as u64
    }

    /// Whether a whole round has begun and not ended.
    pub fn under_way(&self) -> bool {
        self.began.is_some() && self.ended < self.began
    }

    /// When the next whole round begins, or goes on; none: at once.
    pub fn due(&self, every: Span) -> Option<Time> {
        self.began.filter(|_| !self.under_way()).map(|began| began + every)
    }

    /// A whole round begins.
    pub fn begin(&mut self, now: Time) {
        (self.began, self.after, self.compared) = (Some(now), None, 0);
    }

    /// A whole round is over, in which so many resources were compared.
    pub fn end(&mut self, began: Time, now: Time, compared: u64) {
        (self.began, self.after, self.ended, self.compared_last) = (Some(began), None, Some(now), compared);
    }

    /// What the walk has in another cut by now.
    pub fn strays(&self, walk: &[Stretch]) -> Vec<Stray> {
        let now: BTreeSet<String> = walk.iter().map(Stretch::key).collect();
        let gone = self.parts.iter().filter(|(key, _)| !now.contains(*key) && *key != BEYOND);
        let stray = |(key, part): (&String, &FoundIn)| Stray {
            key: key.clone(),
            needs: (0..walk.len()).filter(|at| overlaps(key, part, &walk[*at])).collect(),
            ids: part.found.iter().map(|found| found.id.clone()).collect(),
        };
        gone.map(stray).collect()
    }

    /// Forgets parts that are told by others now.
    pub fn forget<'a>(&mut self, keys: impl IntoIterator<Item = &'a String>) {
        keys.into_iter().for_each(|key| drop(self.parts.remove(key)));
    }

    /// Takes in what a look at a part told; without a stretch it is the one beside the walk. What it could not tell is as it was: nobody saw it end.
    pub fn take(&mut self, stretch: Option<&Stretch>, told: Told<'_>, now: Time) {
        let key = stretch.map_or_else(|| BEYOND.to_owned(), Stretch::key);
        let before = self.parts.remove(&key).unwrap_or_default();
        let mut part = FoundIn { at: now, stretch: stretch.cloned(), ..FoundIn::default() };
        if !told.anything() {
            part = FoundIn { stretch: part.stretch, faults: Vec::new(), at: if before.found.is_empty() && before.more == 0 { now } else { before.at }, ..before };
        } else {
            let spoken: BTreeSet<&ResourceId> =
                told.rows.iter().filter_map(|row| if let Row::Drift(found) = row { Some(&found.id) } else { None }).chain(told.same).chain(told.unknown).collect();
            // What another cut of the walk found of the same resources is not counted twice.
            let mut known = before.found;
            for other in self.parts.values_mut() {
                let (here, there): (Vec<Found>, Vec<Found>) = std::mem::take(&mut other.found).into_iter().partition(|found| spoken.contains(&found.id));
                known.extend(here);
                other.found = there;
            }
            part.found.extend(known.into_iter().filter(|found| told.unknown.contains(&found.id)));
        }
        let room = KEPT.saturating_sub(self.found().count());
        for row in told.rows {
            match row {
                Row::Drift(found) if part.found.len() < room => part.found.push((**found).clone()),
                Row::Drift(found) => part.more += u64::from(found.covered.is_none()),
                Row::Fault(fault) => part.faults.push(fault.clone()),
                Row::Part(_) | Row::End(_) => {}
            }
        }
        if !part.found.is_empty() || !part.faults.is_empty() || part.more > 0 {
            self.parts.insert(key, part);
        }
    }
}

/// Whether a part of an earlier cut may have asked for what one of today's asks for.
fn overlaps(key: &str, part: &FoundIn, now: &Stretch) -> bool {
    match &part.stretch {
        Some(before) => before.first <= now.last && now.first <= before.last,
        // An older version told where a part began, and not where it ended.
        None => *key <= *now.last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::drift::{How, Part};

    fn stretch(first: &str, last: &str) -> Stretch {
        Stretch { first: first.into(), last: last.into() }
    }

    fn id(name: &str) -> ResourceId {
        ResourceId { target: "t".into(), kind: "key".into(), name: name.into() }
    }

    fn drift(name: &str) -> Row {
        Row::Drift(Box::new(Found {
            id: id(name),
            title: name.into(),
            area: String::new(),
            place: String::new(),
            how: How::Changed,
            asked: Vec::new(),
            live: Vec::new(),
            sensitive: false,
            ahead: None,
            known: None,
            covered: None,
            uncovered: None,
        }))
    }

    fn fault() -> Row {
        Row::Fault(Fault { target: "t".into(), area: "all".into(), what: "it does not answer".into() })
    }

    fn part() -> Row {
        Row::Part(Part::default())
    }

    /// Takes in a look with these rows, what is as asked, and what nobody knows.
    fn take(swept: &mut Swept, stretch: &Stretch, rows: &[Row], same: &[&str], unknown: &[&str], now: i64) {
        let ids = |names: &[&str]| names.iter().map(|name| id(name)).collect::<BTreeSet<_>>();
        swept.take(Some(stretch), Told { rows, same: &ids(same), unknown: &ids(unknown) }, Time(now));
    }

    fn names(swept: &Swept) -> Vec<&str> {
        swept.found().map(|found| &*found.id.name).collect()
    }

    #[test]
    fn what_a_look_could_not_tell_is_as_it_was_found() {
        let (mut swept, all) = (Swept::default(), stretch("a", "c"));
        take(&mut swept, &all, &[drift("a"), drift("b"), part()], &["c"], &[], 1);
        take(&mut swept, &all, &[fault()], &[], &[], 2);
        assert_eq!((swept.drifted(), swept.faults().count(), swept.parts[&all.key()].at), (2, 1, Time(1)), "the target was away");
        take(&mut swept, &all, &[fault(), part()], &["b", "c"], &["a"], 3);
        assert_eq!((names(&swept), swept.faults().count()), (vec!["a"], 1), "one has no readable secret, one is as asked again");
        take(&mut swept, &all, &[part()], &["a", "b", "c"], &[], 4);
        assert!(swept.parts.is_empty());
    }

    #[test]
    fn a_part_that_is_cut_in_another_way_is_over_when_all_of_it_was_looked_at() {
        let mut swept = Swept::default();
        take(&mut swept, &stretch("s c", "s d"), &[drift("d"), part()], &["c"], &[], 1);
        // A file in front: what the second part asked for stands in the second and the third now.
        let walk = [stretch("s 0", "s a"), stretch("s b", "s c"), stretch("s d", "s d")];
        let strays = swept.strays(&walk);
        assert_eq!((strays.len(), &strays[0].needs, &strays[0].ids), (1, &BTreeSet::from([1, 2]), &vec![id("d")]));
        take(&mut swept, &walk[1], &[part()], &["b", "c"], &[], 2);
        assert_eq!(names(&swept), ["d"], "nobody looked at it yet");
        take(&mut swept, &walk[2], &[drift("d"), part()], &[], &[], 3);
        assert_eq!(names(&swept), ["d"], "and it is not counted twice");
        swept.forget(strays.iter().map(|stray| &stray.key));
        assert_eq!((names(&swept), swept.strays(&walk)), (vec!["d"], Vec::new()));
        // The same beginning and another end is another part, too.
        assert_eq!(swept.strays(&[stretch("s d", "s e")])[0].needs, BTreeSet::from([0]));
        // Its files are gone.
        assert!(swept.strays(&walk[..1])[0].needs.is_empty());
    }

    #[test]
    fn a_part_that_an_older_version_kept_is_looked_for_in_all_that_follows() {
        let old = r#"{ "after": "s b", "began": 5, "ended": null, "compared": 1, "compared_last": 0, "parts": { "s b": { "at": 5, "found": [], "more": 1, "faults": [] } } }"#;
        let swept: Swept = serde_json::from_str(old).expect("it is read as before");
        assert!(swept.under_way());
        let strays = swept.strays(&[stretch("s a", "s a"), stretch("s b", "s c"), stretch("s d", "s e")]);
        assert_eq!((strays.len(), &strays[0].needs), (1, &BTreeSet::from([1, 2])));
    }

    #[test]
    fn a_round_that_did_not_end_goes_on_at_once() {
        let (mut swept, every) = (Swept::default(), Span::secs(60));
        assert_eq!(swept.due(every), None, "the first one");
        swept.begin(Time(1000));
        assert_eq!((swept.under_way(), swept.due(every)), (true, None), "though no part was looked at yet");
        swept.end(Time(1000), Time(9000), 3);
        assert_eq!((swept.under_way(), swept.due(every)), (false, Some(Time(61_000))));
    }
}

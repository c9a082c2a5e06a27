//! The digest of a plan (I2): a Merkle root with a leaf per item, plus the edges between items and the rules that fired.
//!
//! Not in it: how items are batched, commit ids, tokens, times, notes, places, report text. Approvals bind to leaves, so that a
//! plan made again keeps every approval whose leaf is still the same.

use crate::core::{
    diff::{Delta, Op, Reason},
    model::{Digest, Fingerprint, ResourceId, StepId, Str, Value},
    plan::{Act, Claim, Edge, EdgeReason, ItemRef, Needs, Note, Plan, Step, Undo, Write, health::Covered},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Names a leaf the same way in every plan that has it: `write dns-outside/rrset/example.com./www/A`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeafKey(pub Str);

impl fmt::Display for LeafKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The leaves of a plan: what approvals bind to.
pub type LeafSet = BTreeMap<LeafKey, Digest>;

/// What is left of an approval when the plan was made again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Approved, and still the same.
    pub same: BTreeSet<LeafKey>,
    /// Approved with other content.
    pub changed: BTreeSet<LeafKey>,
    /// Never approved.
    pub new: BTreeSet<LeafKey>,
    /// Approved and no longer planned: done by this change, or not asked for any more.
    pub gone: BTreeSet<LeafKey>,
}

impl Kept {
    /// Whether the approval covers all that is now planned.
    pub fn covers_all(&self) -> bool {
        self.changed.is_empty() && self.new.is_empty()
    }
}

/// Compares what was approved with what is now planned.
pub fn kept(approved: &LeafSet, now: &LeafSet) -> Kept {
    let mut kept = Kept::default();
    for (key, leaf) in now {
        let place = match approved.get(key) {
            Some(was) if was == leaf => &mut kept.same,
            Some(_) => &mut kept.changed,
            None => &mut kept.new,
        };
        place.insert(key.clone());
    }
    kept.gone = approved.keys().filter(|key| !now.contains_key(*key)).cloned().collect();
    kept
}

impl Plan {
    /// The plan's name by its content.
    pub fn digest(&self) -> Digest {
        let keys = self.keys();
        let leaves = self.leaves_with(&keys);
        let parts: Vec<&[u8]> = leaves.iter().flat_map(|(key, leaf)| [key.0.as_bytes(), &leaf.0]).collect();
        let leaves = Fingerprint::of("trueup/leaves/1", &parts);
        let edges = self.edges_between(&keys);
        let parts: Vec<&[u8]> = edges.iter().map(Vec::as_slice).collect();
        let edges = Fingerprint::of("trueup/edges/1", &parts);
        let rules: BTreeSet<Vec<u8>> = self.rules.iter().map(|matched| json(&matched.rule)).collect();
        let parts: Vec<&[u8]> = rules.iter().map(Vec::as_slice).collect();
        let rules = Fingerprint::of("trueup/rules/1", &parts);
        let shares = json(&self.shares());
        Digest::of("trueup/plan/1", &[&leaves.0, &edges.0, &rules.0, &shares])
    }

    /// The leaves of the plan: one an item, and one a resource that changes hands without a write.
    pub fn leaves(&self) -> LeafSet {
        self.leaves_with(&self.bound())
    }

    /// The leaf of each item.
    pub fn item_leaves(&self) -> BTreeMap<ItemRef, Digest> {
        let keys = self.bound();
        let covered = Covered::new(&self.health);
        keys.keys().filter_map(|at| Some((*at, self.leaf(*at, &keys, &covered)?))).collect()
    }

    /// The leaves of one step's items: what approving the step approves. Empty for a step the plan does not have.
    pub fn step_leaves(&self, step: StepId) -> LeafSet {
        let keys = self.bound();
        let covered = Covered::new(&self.health);
        let items = (0..self.steps.get(&step).map_or(0, Step::items)).map(|item| ItemRef { step, item });
        items.filter_map(|at| Some((keys.get(&at)?.clone(), self.leaf(at, &keys, &covered)?))).collect()
    }

    /// One digest over a step's leaves; `None` for a step the plan does not have.
    pub fn step_digest(&self, step: StepId) -> Option<Digest> {
        self.steps.get(&step)?;
        let leaves = self.step_leaves(step);
        let parts: Vec<&[u8]> = leaves.iter().flat_map(|(key, leaf)| [key.0.as_bytes(), &leaf.0]).collect();
        Some(Digest::of("trueup/step/1", &parts))
    }

    /// Whether it has no step at all: everything is already true.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether nothing would be sent.
    pub fn writes_nothing(&self) -> bool {
        let sends = |step: &Step| match &step.act {
            Act::Write(_) | Act::Verb { .. } | Act::Run { .. } => true,
            Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => false,
        };
        !self.steps.values().any(sends)
    }

    /// Whether resources stop being governed by it: a change to approve, though nothing is sent.
    pub fn gives_up(&self) -> bool {
        self.deltas.iter().any(|delta| delta.op == Op::Release)
    }

    /// The key of each item; hops of one resource and equal acts are numbered in the order of steps.
    fn keys(&self) -> BTreeMap<ItemRef, LeafKey> {
        let (mut hops, mut acts): (BTreeMap<&ResourceId, u32>, BTreeMap<Fingerprint, u32>) = Default::default();
        let mut keys = BTreeMap::new();
        for (id, step) in &self.steps {
            for (item, write) in (0..).zip(step.writes()) {
                let hop = hops.entry(&write.id).and_modify(|n| *n += 1).or_insert(1);
                let text = if *hop == 1 { format!("write {}", write.id) } else { format!("write {} hop {hop}", write.id) };
                keys.insert(ItemRef { step: *id, item }, LeafKey(text.into()));
            }
            if let Act::Earlier(wrote) = &step.act {
                // Only an end of edges: it was approved before it was written.
                keys.extend((0..).zip(wrote).map(|(item, earlier)| (ItemRef { step: *id, item }, LeafKey(format!("earlier {}", earlier.id).into()))));
            } else if !matches!(step.act, Act::Write(_)) {
                let act = Fingerprint::of("trueup/act/1", &[step.target.as_bytes(), &unnumbered(&step.act)]);
                let nth = acts.entry(act).and_modify(|n| *n += 1).or_insert(1);
                keys.insert(ItemRef { step: *id, item: 0 }, LeafKey(format!("act {} {nth}", act.short()).into()));
            }
        }
        keys
    }

    /// The keys that approvals bind to: the last hop of a resource has the same whether or not the hops before it are done already.
    fn bound(&self) -> BTreeMap<ItemRef, LeafKey> {
        let mut keys = self.keys();
        let mut hops: BTreeMap<&ResourceId, Vec<ItemRef>> = BTreeMap::new();
        for (id, step) in &self.steps {
            (0..).zip(step.writes()).for_each(|(item, write)| hops.entry(&write.id).or_default().push(ItemRef { step: *id, item }));
        }
        for (id, hops) in hops.into_iter().filter(|(_, hops)| hops.len() > 1) {
            for (after, hop) in hops.into_iter().rev().enumerate() {
                let text = if after == 0 { format!("write {id}") } else { format!("write {id} before {after} more") };
                keys.insert(hop, LeafKey(text.into()));
            }
        }
        keys
    }

    fn leaves_with(&self, keys: &BTreeMap<ItemRef, LeafKey>) -> LeafSet {
        let covered = Covered::new(&self.health);
        let items = keys.iter().filter_map(|(at, key)| Some((key.clone(), self.leaf(*at, keys, &covered)?)));
        items.chain(self.deltas.iter().filter_map(|delta| owned(delta, &covered))).chain(self.notes.iter().filter_map(governs)).collect()
    }

    fn leaf(&self, at: ItemRef, keys: &BTreeMap<ItemRef, LeafKey>, covered: &Covered<'_>) -> Option<Digest> {
        let (step, key) = (self.steps.get(&at.step).filter(|step| !matches!(step.act, Act::Earlier(_)))?, keys.get(&at)?);
        // All or none is part of what is approved; a step without it has the leaf it always had.
        let together = step.together.as_ref().map(|name| format!(" together {name}")).unwrap_or_default();
        let rest = [json(&step.guard), [json(&step.proof), together.into_bytes()].concat()];
        Some(match step.writes().get(at.item as usize) {
            Some(write) => {
                let claims: BTreeSet<&Claim> = step.claims.iter().filter(|claim| claimed(claim).is_some_and(|id| *id == write.id)).collect();
                let undo = undo(write, keys);
                let (from, to, claims, health) = (bytes(write.from.as_ref()), bytes(write.to.as_ref()), json(&claims), covered.part(&write.id));
                let mut parts: Vec<&[u8]> = vec![key.0.as_bytes(), &from, &to, &undo, &rest[0], &rest[1], &claims];
                // Which secret is read is approved beside its content; which of its versions is known by that.
                parts.extend(write.to.as_ref().and_then(Value::hidden).and_then(|hidden| hidden.secret.as_ref()).map(|secret| secret.uri.as_bytes()));
                parts.extend(health.as_deref());
                Digest::of("trueup/leaf/write/1", &parts)
            }
            None => {
                let closes = match &step.act {
                    Act::Verb { closes: Some(of), .. } => keys.get(&ItemRef { step: *of, item: 0 }).map_or("", |key| &key.0),
                    Act::Write(_) | Act::Verb { .. } | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => "",
                };
                Digest::of("trueup/leaf/act/1", &[key.0.as_bytes(), &unnumbered(&step.act), closes.as_bytes(), step.target.as_bytes(), &rest[0], &rest[1], &json(&step.claims)])
            }
        })
    }

    /// Edges by the leaves at their ends, wherever batching put them.
    fn edges_between(&self, keys: &BTreeMap<ItemRef, LeafKey>) -> BTreeSet<Vec<u8>> {
        let ends = |edge: &Edge| {
            let (before, after, needs) = (edge.before, edge.after, edge.needs);
            edge.items.iter().map(move |(a, b)| (ItemRef { step: before, item: *a }, ItemRef { step: after, item: *b }, needs)).collect::<Vec<_>>()
        };
        let all = self.edges.iter().chain(&self.inside).flat_map(ends);
        all.filter_map(|(before, after, needs)| Some(json(&(keys.get(&before)?, keys.get(&after)?, needs)))).collect()
    }

    /// The leaves that another plan put behind ones which this plan asks for too, and this plan does not put there, or not as firmly: what was approved as
    /// coming later, and does not wait any more (I2).
    pub fn loosened(&self, approved: &Plan) -> BTreeSet<Digest> {
        let order = |plan: &Plan, keys: &BTreeMap<ItemRef, LeafKey>| {
            let mut order: BTreeMap<(LeafKey, LeafKey), BTreeSet<Needs>> = BTreeMap::new();
            // How much a target takes at once is transport.
            for edge in plan.edges.iter().chain(&plan.inside).filter(|edge| !matches!(edge.reason, EdgeReason::Batch { .. })) {
                for (before, after) in &edge.items {
                    let ends = (keys.get(&ItemRef { step: edge.before, item: *before }), keys.get(&ItemRef { step: edge.after, item: *after }));
                    if let (Some(before), Some(after)) = ends {
                        order.entry((before.clone(), after.clone())).or_default().insert(edge.needs);
                    }
                }
            }
            order
        };
        let keys = self.bound();
        let now = order(self, &keys);
        let covered = Covered::new(&self.health);
        let there: BTreeMap<&LeafKey, ItemRef> = keys.iter().map(|(at, key)| (key, *at)).collect();
        let none = BTreeSet::new();
        let loose = order(approved, &approved.bound()).into_iter().filter_map(|(ends, needs)| {
            // Where one of the two is done, or not asked for any more, there is no order left between them.
            let (_, after) = (there.get(&ends.0)?, there.get(&ends.1)?);
            let has = now.get(&ends).unwrap_or(&none);
            needs.iter().any(|needs| !has.iter().any(|has| has.holds(*needs))).then(|| self.leaf(*after, &keys, &covered)).flatten()
        });
        loose.collect()
    }

    /// What steps need beside their own resources, whichever step says it.
    fn shares(&self) -> BTreeMap<&ResourceId, (bool, u64)> {
        let mut shares: BTreeMap<&ResourceId, (bool, u64)> = BTreeMap::new();
        for step in self.steps.values() {
            for claim in &step.claims {
                match claim {
                    Claim::Write(_) => {}
                    Claim::Read(id) => shares.entry(id).or_default().0 = true,
                    Claim::Share { of, n, most: _ } => shares.entry(of).or_default().1 += u64::from(*n),
                }
            }
        }
        shares
    }
}

fn claimed(claim: &Claim) -> Option<&ResourceId> {
    match claim {
        Claim::Write(id) => Some(id),
        // Counted over the whole plan, so that batching does not matter.
        Claim::Read(_) | Claim::Share { .. } => None,
    }
}

/// What changes hands without a write is approved as well: merging makes the repository its owner, or ends that.
/// What this change wrote itself was approved before it was written.
fn owned(delta: &Delta, covered: &Covered<'_>) -> Option<(LeafKey, Digest)> {
    let what = match (&delta.op, &delta.reason) {
        (Op::Adopt, _) => "adopt",
        (Op::Release, _) => "release",
        (Op::Move { .. }, _) => "move",
        // Who wrote it is not approved, that it is asked for is: the leaf stays the same once the writer is merged.
        (Op::Keep, Reason::AlreadyTrue | Reason::AheadBy(_)) => "keep",
        (Op::Keep, _) | (Op::Create | Op::Update | Op::Replace | Op::Delete, _) => return None,
    };
    let to = match delta.op {
        Op::Release => None,
        Op::Create | Op::Update | Op::Replace | Op::Delete | Op::Keep | Op::Adopt | Op::Move { .. } => delta.to.as_ref(),
    };
    let (id, op, to, health) = (delta.id.to_string(), json(&delta.op), bytes(to), covered.part(&delta.id));
    let mut parts: Vec<&[u8]> = vec![id.as_bytes(), &op, &to];
    parts.extend(health.as_deref());
    let leaf = Digest::of("trueup/leaf/own/1", &parts);
    Some((LeafKey(format!("{what} {}", delta.id).into()), leaf))
}

fn bytes(value: Option<&Value>) -> Vec<u8> {
    value.map(Value::canonical).unwrap_or_default()
}

/// The way back without step numbers; `From` stands for the usual one, the value that was there.
fn undo(write: &Write, keys: &BTreeMap<ItemRef, LeafKey>) -> Vec<u8> {
    match &write.undo {
        Undo::To(value) if *value == write.from => b"from".to_vec(),
        Undo::Backup(step) => keys.get(&ItemRef { step: *step, item: 0 }).map(|key| key.0.as_bytes().to_vec()).unwrap_or_default(),
        Undo::To(_) | Undo::Sealed(_) | Undo::Act(_) | Undo::Never { .. } => json(&write.undo),
    }
}

/// An act without the number of the step it closes, which depends on batching.
fn unnumbered(act: &Act) -> Vec<u8> {
    match act {
        Act::Verb { verb, on, args, closes: _, undo } => json(&("verb", verb, on, args, undo)),
        Act::Write(_) | Act::Run { .. } | Act::Wait(_) | Act::Check(_) | Act::Approve { .. } | Act::Pause | Act::Earlier(_) => json(act),
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plans have string keys and no floats, so they always encode")
}

/// The leaf of what merging changes beside the resources, a file or which branch governs: nobody slips policy, or a script, in behind an approval of records.
fn governs(note: &Note) -> Option<(LeafKey, Digest)> {
    match note {
        Note::Governs { path, becomes } | Note::Unmapped { path, becomes } => {
            let key = LeafKey(format!("file {path}").into());
            let leaf = Digest::of("trueup/leaf/file/1", &[path.as_bytes(), &json(becomes)]);
            Some((key, leaf))
        }
        Note::TakesOver { from, into, text: _ } => {
            let leaf = Digest::of("trueup/leaf/branch/1", &[from.as_bytes(), into.as_bytes()]);
            Some((LeafKey(format!("branch {into}").into()), leaf))
        }
        Note::Skipped { .. }
        | Note::Ignored { .. }
        | Note::Unmanaged { .. }
        | Note::AheadBy { .. }
        | Note::Drift { .. }
        | Note::Override { .. }
        | Note::WeakPrecondition { .. }
        | Note::Caution { .. }
        | Note::NotObserved
        | Note::Waits { .. }
        | Note::Remark { .. } => None,
    }
}

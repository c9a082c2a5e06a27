//! A plan with all that a reader of it needs, and what every form of it has in common.

use super::Kinds;
use crate::core::{
    diff::{Delta, Op},
    model::{Digest, ResourceId, Str, VEIL, Value},
    plan::{Note, Plan},
};
use globset::{Glob, GlobSet, GlobSetBuilder};
use similar::{Algorithm, DiffTag, capture_diff_slices};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// What is written on paper about one plan.
#[derive(Clone, Debug)]
pub struct Sheet<'a> {
    pub plan: &'a Plan,
    pub digest: Option<Digest>,
    /// The forecast of the way back.
    pub way_back: Option<&'a Plan>,
    pub kinds: Cow<'a, Kinds>,
    pub(in crate::core) sensitive: GlobSet,
}

impl<'a> Sheet<'a> {
    pub fn new(plan: &'a Plan, kinds: &'a Kinds) -> Self {
        Self { plan, digest: None, way_back: None, kinds: Cow::Borrowed(kinds), sensitive: GlobSet::empty() }
    }

    pub fn digest(mut self, digest: Option<Digest>) -> Self {
        self.digest = digest;
        self
    }

    pub fn way_back(mut self, plan: Option<&'a Plan>) -> Self {
        self.way_back = plan;
        self
    }

    /// Hides the values of resources that match a pattern; a pattern that does not parse hides everything.
    pub fn sensitive(mut self, patterns: &[Str]) -> Self {
        let mut set = GlobSetBuilder::new();
        let mut sound = true;
        for pattern in patterns {
            match Glob::new(pattern) {
                Ok(glob) => drop(set.add(glob)),
                Err(_) => sound = false,
            }
        }
        let all = || Glob::new("**").and_then(|glob| GlobSetBuilder::new().add(glob).build());
        self.sensitive = if sound { set.build().or_else(|_| all()) } else { all() }.unwrap_or_else(|_| GlobSet::empty());
        self
    }

    pub fn is_sensitive(&self, id: &ResourceId) -> bool {
        !self.sensitive.is_empty() && self.sensitive.is_match(id.to_string())
    }

    /// A value as lines; one line that says nothing for a sensitive one.
    pub fn lines(&self, id: &ResourceId, value: Option<&Value>) -> Vec<String> {
        match value {
            None => Vec::new(),
            Some(hidden @ (Value::Hidden(_) | Value::Secret(_))) => vec![hidden.to_string()],
            Some(_) if self.is_sensitive(id) => vec![VEIL.to_owned()],
            Some(value) => self.kinds.lines(id, value),
        }
    }

    /// What goes, what comes and what stays, line by line; long stretches that stay are left out.
    pub fn compare(&self, delta: &Delta) -> Vec<Line> {
        let (old, new) = (self.lines(&delta.id, delta.from.as_ref()), self.lines(&delta.id, delta.to.as_ref()));
        // Lines of what is hidden are equal where the content is not.
        let hides = |value: &Value| self.is_sensitive(&delta.id) || value.hidden().is_some();
        if let (Some(from), Some(to)) = (&delta.from, &delta.to)
            && hides(from)
            && hides(to)
        {
            return if from == to { new.into_iter().map(Line::Same).collect() } else { old.into_iter().map(Line::Old).chain(new.into_iter().map(Line::New)).collect() };
        }
        let mut out = Vec::new();
        for part in capture_diff_slices(Algorithm::Myers, &old, &new) {
            let (tag, was, is) = part.as_tag_tuple();
            match tag {
                DiffTag::Equal if was.len() > 2 * CONTEXT + 1 => {
                    out.extend(old[was.start..was.start + CONTEXT].iter().cloned().map(Line::Same));
                    out.push(Line::Left(was.len() - 2 * CONTEXT));
                    out.extend(old[was.end - CONTEXT..was.end].iter().cloned().map(Line::Same));
                }
                DiffTag::Equal => out.extend(old[was].iter().cloned().map(Line::Same)),
                DiffTag::Delete | DiffTag::Insert | DiffTag::Replace => {
                    out.extend(old[was].iter().cloned().map(Line::Old));
                    out.extend(new[is].iter().cloned().map(Line::New));
                }
            }
        }
        out
    }

    /// The deltas by target and unit, each group in the order of ids.
    pub fn groups(&self) -> BTreeMap<(Str, Str), Vec<&'a Delta>> {
        let units: BTreeMap<&ResourceId, &Str> = self.plan.steps.values().flat_map(|step| step.writes().iter().map(|write| (&write.id, &step.unit.0))).collect();
        let mut groups: BTreeMap<(Str, Str), Vec<&Delta>> = BTreeMap::new();
        for delta in &self.plan.deltas {
            let unit = match (units.get(&delta.id), self.kinds.get(&delta.id.target)) {
                (Some(unit), _) => (*unit).clone(),
                (None, Some(kind)) => kind.unit(&delta.id).0,
                (None, None) => "".into(),
            };
            groups.entry((delta.id.target.clone(), unit)).or_default().push(delta);
        }
        for group in groups.values_mut() {
            group.sort_by(|a, b| a.id.cmp(&b.id));
        }
        groups
    }

    pub fn summary(&self) -> Summary {
        Summary::of(self.plan)
    }

    /// Whether it would say that there is nothing to do, and nobody has looked (I12).
    pub fn is_unproven(&self) -> bool {
        self.summary().is_empty() && self.plan.notes.contains(&Note::NotObserved)
    }
}

/// Lines kept around a difference inside long content.
const CONTEXT: usize = 3;

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Old(String),
    New(String),
    Same(String),
    /// So many lines that stay are left out here.
    Left(usize),
}

/// How much a plan does, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub replace: usize,
    pub delete: usize,
    pub keep: usize,
    pub adopt: usize,
    pub release: usize,
    pub moved: usize,
    pub writes: usize,
    pub steps: usize,
}

impl Summary {
    pub fn of(plan: &Plan) -> Self {
        let mut sum = Self { writes: plan.steps.values().map(|step| step.writes().len()).sum(), steps: plan.steps.len(), ..Self::default() };
        for delta in &plan.deltas {
            let count = match delta.op {
                Op::Create => &mut sum.create,
                Op::Update => &mut sum.update,
                Op::Replace => &mut sum.replace,
                Op::Delete => &mut sum.delete,
                Op::Keep => &mut sum.keep,
                Op::Adopt => &mut sum.adopt,
                Op::Release => &mut sum.release,
                Op::Move { was: _ } => &mut sum.moved,
            };
            *count += 1;
        }
        sum
    }

    /// Whether nothing at all is done: no step, nothing adopted, released or moved.
    pub fn is_empty(&self) -> bool {
        self.steps == 0 && self.adopt + self.release + self.moved == 0
    }
}

impl fmt::Display for Summary {
    /// Prints `2 to create, 1 to delete`, or `nothing to do`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { create, update, replace, delete, keep, adopt, release, moved, writes: _, steps } = *self;
        let counts =
            [(create, "to create"), (update, "to update"), (replace, "to replace"), (delete, "to delete"), (adopt, "to adopt"), (release, "to release"), (moved, "to move")];
        let mut parts: Vec<String> = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if parts.is_empty() {
            parts.push(if steps == 0 { "nothing to do".to_owned() } else { format!("{steps} to run") });
        }
        if keep > 0 {
            parts.push(format!("{keep} already so"));
        }
        f.write_str(&parts.join(", "))
    }
}

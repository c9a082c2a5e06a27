//! The order of a plan as a picture: boxes in rows from what goes first to what goes last, and the arrows between them.

use crate::core::{
    model::StepId,
    plan::{Plan, Step},
};
use std::collections::{BTreeMap, BTreeSet};

/// Larger plans are no picture any more.
pub const MOST_STEPS: usize = 40;

const WIDTH: i64 = 216;
const HEIGHT: i64 = 58;
const GAP_X: i64 = 24;
const GAP_Y: i64 = 44;
/// Room for arrows that pass beside boxes.
const MARGIN: i64 = 20;
/// Letters that fit into a box at the size the style gives them.
const LETTERS: usize = 27;

/// Boxes and arrows, in pixels from the upper left corner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    pub width: i64,
    pub height: i64,
    pub boxes: Vec<StepBox>,
    pub arrows: Vec<Arrow>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepBox {
    pub id: StepId,
    pub x: i64,
    pub y: i64,
    pub width: i64,
    pub height: i64,
    /// Where it acts, cut to what fits.
    pub place: String,
    /// How much it does.
    pub does: String,
}

/// `before` goes first. Orders that follow from others are not drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    pub before: StepId,
    pub after: StepId,
    /// As SVG writes a path.
    pub path: String,
}

/// Draws a plan; none for one of too many steps, or of none.
pub fn picture(plan: &Plan) -> Option<Picture> {
    if plan.steps.is_empty() || plan.steps.len() > MOST_STEPS {
        return None;
    }
    let levels = levels(plan);
    let mut rows: BTreeMap<usize, Vec<&Step>> = BTreeMap::new();
    for step in plan.steps.values() {
        rows.entry(levels.get(&step.id).copied().unwrap_or(0)).or_default().push(step);
    }
    let widest = rows.values().map(|row| row.len() as i64).max().unwrap_or(1);
    let width = 2 * MARGIN + widest * WIDTH + (widest - 1) * GAP_X;
    let height = 2 + rows.len() as i64 * HEIGHT + (rows.len() as i64 - 1) * GAP_Y;
    let mut boxes = Vec::new();
    for (at, row) in rows.values().enumerate() {
        let taken = row.len() as i64 * WIDTH + (row.len() as i64 - 1) * GAP_X;
        for (n, step) in row.iter().enumerate() {
            let (x, y) = ((width - taken) / 2 + n as i64 * (WIDTH + GAP_X), 1 + at as i64 * (HEIGHT + GAP_Y));
            boxes.push(StepBox { id: step.id, x, y, width: WIDTH, height: HEIGHT, place: cut(&place(step)), does: super::does(step) });
        }
    }
    let at: BTreeMap<StepId, &StepBox> = boxes.iter().map(|one| (one.id, one)).collect();
    let arrows = drawn(plan)
        .into_iter()
        .filter_map(|(before, after)| {
            let (from, to) = (at.get(&before)?, at.get(&after)?);
            Some(Arrow { before, after, path: path(from, to, width) })
        })
        .collect();
    Some(Picture { width, height, boxes, arrows })
}

fn place(step: &Step) -> String {
    format!("{} {}", step.target, step.unit).trim_end().to_owned()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LETTERS { text.to_owned() } else { text.chars().take(LETTERS - 1).chain(['…']).collect() }
}

/// From the lower edge of one box to the upper edge of another; beside the boxes where there are rows between.
fn path(from: &StepBox, to: &StepBox, width: i64) -> String {
    let (x1, y1, x2, y2) = (from.x + WIDTH / 2, from.y + HEIGHT, to.x + WIDTH / 2, to.y - 7);
    if y2 - y1 <= GAP_Y {
        let half = (y2 - y1) / 2;
        return format!("M{x1} {y1}C{x1} {} {x2} {} {x2} {y2}", y1 + half, y2 - half);
    }
    // Past the rows between, on the side that is nearer.
    let side = if x1 + x2 <= width { from.x.min(to.x) - MARGIN / 2 } else { from.x.max(to.x) + WIDTH + MARGIN / 2 };
    format!("M{x1} {y1}C{x1} {} {side} {} {side} {}L{side} {}C{side} {} {x2} {} {x2} {y2}", y1 + 18, y1 + 8, y1 + 30, y2 - 30, y2 - 8, y2 - 18)
}

/// The pairs of steps that wait for each other, without those that follow from others.
fn drawn(plan: &Plan) -> BTreeSet<(StepId, StepId)> {
    let pairs: BTreeSet<(StepId, StepId)> = plan.edges.iter().filter(|edge| edge.before != edge.after).map(|edge| (edge.before, edge.after)).collect();
    let mut after: BTreeMap<StepId, BTreeSet<StepId>> = BTreeMap::new();
    for (first, then) in &pairs {
        after.entry(*first).or_default().insert(*then);
    }
    let follows = |first: StepId, last: StepId| {
        let mut open: Vec<StepId> = after.get(&first).into_iter().flatten().copied().filter(|step| *step != last).collect();
        let mut seen = BTreeSet::new();
        while let Some(step) = open.pop() {
            if step == last {
                return true;
            }
            if seen.insert(step) {
                open.extend(after.get(&step).into_iter().flatten());
            }
        }
        false
    };
    pairs.iter().copied().filter(|(first, last)| !follows(*first, *last)).collect()
}

/// The longest way to each step; a plan has no cycle, and one that had would be drawn flat.
pub fn levels(plan: &Plan) -> BTreeMap<StepId, usize> {
    let mut level: BTreeMap<StepId, usize> = plan.steps.keys().map(|id| (*id, 0)).collect();
    let mut waits: BTreeMap<StepId, usize> = level.clone();
    let mut after: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
    for edge in &plan.edges {
        *waits.entry(edge.after).or_default() += 1;
        after.entry(edge.before).or_default().push(edge.after);
    }
    let mut ready: Vec<StepId> = waits.iter().filter(|(_, n)| **n == 0).map(|(id, _)| *id).collect();
    while let Some(id) = ready.pop() {
        let below = level.get(&id).copied().unwrap_or(0) + 1;
        for next in after.get(&id).into_iter().flatten() {
            let at = level.entry(*next).or_default();
            *at = (*at).max(below);
            let left = waits.entry(*next).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.push(*next);
            }
        }
    }
    level
}

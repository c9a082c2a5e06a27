//! The items of a plan while it is being made: writes and what stands between them, before they are batched into steps.

use crate::core::{
    diff::{Delta, Op},
    model::{Kind, Place, ResourceId, Span, Str, Unit, Value},
    plan::{Act, EdgeReason, Needs, Write},
};

/// One write on its way into a step.
pub(super) struct Item<'a> {
    pub delta: &'a Delta,
    pub write: Write,
    pub kind: &'static dyn Kind,
    pub unit: Unit,
    /// The template that takes it, as an index into the plan's templates.
    pub lane: usize,
    /// The `atomic:` group it is written with, all or none.
    pub together: Option<Str>,
}

impl Item<'_> {
    pub fn id(&self) -> &ResourceId {
        &self.delta.id
    }

    pub fn target(&self) -> &Str {
        &self.delta.id.target
    }

    pub fn from(&self) -> Option<&Value> {
        self.write.from.as_ref()
    }

    pub fn to(&self) -> Option<&Value> {
        self.write.to.as_ref()
    }

    /// How long others go on using what stood there before this write.
    pub fn lingers(&self) -> Option<Span> {
        self.from().and_then(|from| self.kind.lingers(self.id(), from))
    }

    /// Whether both are of one unit of one target.
    pub fn shares_unit(&self, other: &Item<'_>) -> bool {
        self.unit == other.unit && self.target() == other.target()
    }
}

/// Why one item waits for another, by their numbers.
pub(super) struct ItemEdge {
    pub before: usize,
    pub after: usize,
    pub needs: Needs,
    pub reason: EdgeReason,
    pub place: Place,
    /// Made of what free text seems to say: left out, and told, where it would wait for itself.
    pub guess: bool,
}

/// What stands between two waves of a lane.
pub(super) struct Barrier {
    pub lane: usize,
    /// The wave it closes, from 1.
    pub wave: u32,
    pub act: Act,
}

/// Whether a delta sends anything.
pub(super) fn writes(delta: &Delta) -> bool {
    match &delta.op {
        Op::Create | Op::Update | Op::Replace | Op::Delete => true,
        Op::Move { .. } => delta.from != delta.to,
        Op::Keep | Op::Adopt | Op::Release => false,
    }
}

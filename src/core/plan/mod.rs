//! Deltas in, one ordered immutable plan out: references, order, templates, batching, digest, way back, safety, lint.

mod step;

pub use step::{Act, Claim, Edge, EdgeReason, Guard, ItemRef, MatchedRule, Needs, Note, OnDeadline, Plan, Program, Proof, Step, Test, Undo, Until, Write};

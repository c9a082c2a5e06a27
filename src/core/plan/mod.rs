//! Deltas in, one ordered immutable plan out: references, order, templates, batching, digest, way back, safety, lint.

mod compile;
mod condition;
mod leaf;
mod lint;
mod material;
mod step;
mod template;

pub use compile::{compile, wants};
pub use condition::{Conditions, PlanFacts};
pub use leaf::Leaves;
pub use lint::Finding;
pub use material::{CompileError, Material, Scope, Sight, Sources};
pub use step::{Act, Claim, Edge, EdgeReason, Guard, ItemRef, MatchedRule, Needs, Note, OnDeadline, Plan, Program, Proof, Step, Test, Undo, Until, Write};
pub use template::{BUILT_IN, Between, Match, Template, Waves};

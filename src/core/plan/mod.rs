//! Deltas in, one ordered immutable plan out: references, order, templates, batching, digest, way back, safety, lint.

mod batch;
mod compile;
mod condition;
mod digest;
mod graph;
mod health;
mod item;
mod left_over;
mod lint;
mod material;
mod order;
mod pattern;
mod reverse;
mod rules;
mod safety;
mod said;
mod scope;
mod step;
mod template;
mod unit;
mod waits;
mod words;

pub use compile::compile;
pub use condition::{Conditions, PlanFacts};
pub use digest::{Kept, LeafKey, LeafSet, kept};
pub use health::{Beside, Healthy};
pub use left_over::LeftOver;
pub use lint::{Finding, lint};
pub use material::{CompileError, Material, Scope, Sight, Sources};
pub use pattern::Patterns;
pub use reverse::{Restoring, Written, restore, restore_wants};
pub use said::{Order, Side};
pub use scope::wants;
pub use step::{Act, Claim, Edge, EdgeReason, Guard, ItemRef, MatchedRule, Needs, Note, OnDeadline, Plan, Program, Proof, Step, Test, Undo, Until, Write};
pub use template::{BUILT_IN, Between, Match, Template, Waves};
pub use waits::LOW;

//! One execution of a plan as a pure machine: inputs in, one turn out (events, and effects that only a receipt releases).

mod effect;
mod event;
mod input;
mod outcome;
mod turn;

pub use effect::{Ask, Effect};
pub use event::Event;
pub use input::{ClaimAnswer, Input, MergeAnswer, PlanAnswer, PlanKey, PlanResult};
pub use outcome::{Item, Outcome};
pub use turn::{Card, Receipt, StreamId, Turn};

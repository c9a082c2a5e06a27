//! One execution of a plan as a pure machine: inputs in, one turn out (events, and effects that only a receipt releases).

mod backoff;
mod change;
mod due;
mod earlier;
mod effect;
mod ends;
mod event;
mod evolve;
mod evolve_run;
mod exempt;
mod frontier;
mod given_up;
mod handle;
mod health;
mod idle;
mod input;
mod ledger;
mod outcome;
mod show;
mod turn;

pub use change::Change;
pub use effect::{Ask, Effect};
pub use event::{Event, PlanWhy, Sample, Spoken, Stop, Verdict};
pub use evolve::IllegalEvent;
pub use exempt::Skip;
pub use frontier::{Frontier, IN_FLIGHT};
pub use input::{ClaimAnswer, Input, MergeAnswer, PlanAnswer, PlanKey, PlanResult};
pub use ledger::{At, Counts, Doing, Fault, Ledger, Obligation};
pub use outcome::{Item, Outcome};
pub use turn::{Card, Receipt, StreamId, Turn};

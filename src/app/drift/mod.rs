//! Drift, looked for: what is governed on a target, read part by part and compared with the effective base.

mod book;
mod claim;
mod clock;
mod ground;
mod look;
mod propose;
mod search;
mod sweep;
mod undone;

pub use book::{SweepBook, look_again};
pub use claim::{ClaimFault, claim, end, plan_again};
pub use clock::keep as keep_overrides;
pub use ground::{Bundle, Ground, Only};
pub use look::{Looked, Looker, Open};
pub use search::{Asked, search};
pub use sweep::{propose_now, sweep};
pub use undone::{settle, settle_of};

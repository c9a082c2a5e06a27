//! Start gate and merge gate: go, wait or no, each with reasons; approvals, the health window, and the ticket that only the merge gate makes.

mod approvals;
mod conditions;
mod exempt;
mod merge;
mod reason;
mod row;
mod rules;
mod start;
mod ticket;
mod window;

pub use approvals::{Approval, Leaves, Obstacle, RuleStanding, Shown, obstacle, standing};
pub use conditions::Conditions;
pub use exempt::{Except, Exemption, LeftOut};
pub use merge::MergeGate;
pub(in crate::core) use merge::reissue;
pub use reason::{Reason, Verdict};
pub use rules::{Task, Unmet, pattern, tasks, unmet};
pub use start::{StartGate, moved};
pub use ticket::{MergeTicket, Pin};
pub use window::{Watched, Window, Wrong};

//! Every sentence we say to people: what a change waits for, answers to commands, what a plan says of itself.
//!
//! A sentence is plain text whose code spans hold everything that came from outside: the same text stands in comments
//! (where nothing in a code span is active), in terminals and in JSON; `escape::sentence_html` brings it onto pages.

mod answer;
mod journal;
mod parts;
mod plan;
mod preview;
mod status;
mod waiting;

pub use super::escape::code;
pub use answer::{Answer, Upshot};
pub use journal::{Row, journal};
pub use parts::{count, keeps, list, overdue, phase_words, short, steps_list, when};
pub use plan::{
    WAY_BACK, approval, edge, exemption, failure, given, healthy, how_to_approve, left_out, never, not_by, note, nothing_to_do, obstacle, op, reason, state_line, sure,
    team_unread, undo, waits, ways_on,
};
pub use preview::{ALONE, CONFLICTS, UNPROVEN, compared, leads_to, untrusted};
pub use status::{status_approval, status_converged, status_plan, status_rollout};
pub use waiting::{Mend, Waiting};

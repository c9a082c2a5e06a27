//! Start gate and merge gate: go, wait or no, each with reasons; and the ticket that only the merge gate makes.

mod ticket;

pub use ticket::MergeTicket;

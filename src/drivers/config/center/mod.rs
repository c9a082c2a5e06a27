//! What config centers that are spoken to over HTTP have in common: members, faults, reading in pieces, writing in guarded transactions.
//!
//! A center is one cluster with a transaction that compares the revision of every key it writes. Its driver says how a question looks on the
//! wire (`Center`); what is read again, cut, halved, judged by content and answered item by item is the same for all and stands here.

mod act;
mod driver;
mod port;
mod read;

pub(super) use act::act;
pub(super) use port::{Center, Learned, Live, Put, Sent, Words};
pub(super) use read::{error, listed, observe, read};

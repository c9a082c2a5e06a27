//! The storage port under one conformance suite, and the store over it.

mod conformance;
mod crash;
mod cut;
mod full;
mod journal;
mod keeps;

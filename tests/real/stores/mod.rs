//! The storage port under one conformance suite, and the store over it.

mod conformance;
mod crash;
mod cut;
mod etcd;
mod full;
mod journal;
mod keeps;
mod late;
mod migrate;

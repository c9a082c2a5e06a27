//! The store of several replicas: an etcd cluster, through its JSON gateway.
//!
//! Every commit is one transaction, every read is linearizable. A commit whose answer was lost is resolved by asking what became of it, never guessed:
//! each carries a mark of its own, and asking either finds the mark or makes sure that it can never come.

mod commit;
mod kv;
mod marks;
mod session;

pub use kv::{EtcdKv, Place};

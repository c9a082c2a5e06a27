//! Stores: adapters of the `Kv` port, and the one Store written over it.

mod blobs;
mod cards;
mod codec;
mod cut;
mod embedded;
mod etcd;
mod group;
mod inbox;
mod journal;
mod keys;
mod lease;
mod members;
mod migrate;
mod redb;
mod rows;
#[cfg(feature = "sled")]
mod sled;
mod store;

pub use cut::Folded;
pub use etcd::{EtcdKv, Place as EtcdPlace};
pub use inbox::{Delivery, Enqueued};
pub use journal::{AppendError, ReadError};
pub use keys::RowKey;
pub use lease::LeaseError;
pub use migrate::{Counted, MigrateError, Migrated, migrate};
pub use redb::RedbKv;
pub use rows::{Batch, Stored};
#[cfg(feature = "sled")]
pub use sled::SledKv;
pub use store::Store;

//! What the shell must provide, as traits, each with its in-memory twin beside it.

mod clock;
mod driver;
mod forge;
mod governed;
mod health;
mod kv;
mod kv_memory;
mod people;
mod probe;
mod repo;
mod secrets;
mod setup;

pub use clock::{Clock, SystemClock, TestClock};
pub use driver::{Cancel, Census, Cx, Driver, Fence, Guarded, Leave, ObserveError, ObserveErrorKind, Precondition};
pub use forge::{Abilities, ForgeError, ForgeErrorKind, ForgeReader, ForgeWriter, Hosted, MrRef, Proposal, Proposed, Reaction, Shown};
pub use governed::{BranchPattern, Governed, Stand};
pub use health::Probes;
pub use kv::{Compare, Key, Kv, KvError, KvErrorKind, KvLimits, Miss, Put, Rev, Row, SessionId, Stands};
pub use kv_memory::{Fault, MemoryKv};
pub use people::People;
pub use probe::{Exam, Found, Probe};
pub use repo::{Brought, Changed, Merge, Mode, RepoError, StateRepo, TreeEntry};
pub use secrets::{SecretError, SecretErrorKind, SecretText, Secrets};
pub use setup::{Furnished, Hook, Outcome, Wish};

/// A boxed future, so that ports stay object safe.
pub type Fut<'a, T> = std::pin::Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;

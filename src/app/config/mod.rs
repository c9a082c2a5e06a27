//! `server.yaml`: what the operators of a server say; every fault with its place, secrets by reference only.

mod branches;
mod check;
mod ci;
mod discover;
mod forges;
mod load;
mod mode;
mod owners;
mod probes;
mod providers;
mod rights;
mod secret;
mod types;

pub use branches::Branch;
pub use ci::{Ci, JobToken, SignIn};
pub use discover::{Discover, NotServed};
pub use forges::{Forge, ForgeKind, LOCAL};
pub use load::{load, parse};
pub use mode::FileMode;
pub use owners::{Places, pairs, places};
pub use probes::{Command, Probes, Prometheus};
pub use providers::{AppRole, Sops, Vault};
pub use secret::{SecretSource, SecretSources, TokenSource};
pub use types::{Drift, Limits, Repository, Server, Store, StoreKind, Target, TargetKind, Tls, Tsig, TsigAlgorithm, User};

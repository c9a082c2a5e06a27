//! Secret providers (environment, file, Vault, SOPS) and the keys under which sensitive values are hidden and sealed.

mod local;
mod providers;
mod seal;
mod sops;
mod vault;

pub use local::LocalSecrets;
pub use providers::Providers;
pub use seal::{KeyError, OpenError, Seal};
pub use sops::{Sops, SopsConfig};
pub use vault::{Login, Vault, VaultConfig, VaultError};

//! Every provider of a server by its name in references.

use super::{LocalSecrets, Sops, Vault};
use crate::{
    core::model::SecretRef,
    ports::{Fut, SecretError, SecretErrorKind, SecretText, Secrets},
};

/// `env`, `file`, `vault` and `sops`, as far as they are configured.
pub struct Providers {
    pub local: LocalSecrets,
    pub vault: Option<Vault>,
    pub sops: Option<Sops>,
}

impl Secrets for Providers {
    fn resolve<'a>(&'a self, reference: &'a SecretRef) -> Fut<'a, Result<SecretText, SecretError>> {
        let none = |what: &str| SecretError { uri: reference.to_string(), what: what.to_owned(), kind: SecretErrorKind::Missing };
        match (reference.provider(), &self.vault, &self.sops) {
            ("vault", Some(vault), _) => vault.resolve(reference),
            ("vault", None, _) => Box::pin(async move { Err(none("the server's configuration has no `vault`")) }),
            ("sops", _, Some(sops)) => sops.resolve(reference),
            ("sops", _, None) => Box::pin(async move { Err(none("the server's configuration has no `sops`")) }),
            _ => self.local.resolve(reference),
        }
    }
}

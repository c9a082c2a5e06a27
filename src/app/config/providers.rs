//! The keys of `server.yaml` for providers of secrets that are programs or servers of their own.

use super::SecretSource;
use crate::core::model::{Span, Str};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A Vault, its engine of keys and values in version 2.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// Its URL: `https://vault.example.com:8200`.
    pub address: Str,
    /// The namespace of all that is read.
    #[serde(default)]
    pub namespace: Option<Str>,
    /// Where the server's token comes from; or sign in by `approle`.
    #[serde(default)]
    pub token: Option<SecretSource>,
    /// The role to sign in as.
    #[serde(default)]
    pub approle: Option<AppRole>,
    /// The file of the authorities that alone are trusted. Without it: the machine's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// How long one answer may take.
    #[serde(default = "default_vault_answer")]
    pub answer_timeout: Span,
}

/// A role of Vault's AppRole sign-in.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppRole {
    /// Where the role's id comes from.
    pub role_id: SecretSource,
    /// Where its secret id comes from.
    pub secret_id: SecretSource,
    /// Where the sign-in is mounted.
    #[serde(default = "default_approle")]
    pub mount: Str,
}

fn default_approle() -> Str {
    "approle".into()
}

/// A secret is one small read.
fn default_vault_answer() -> Span {
    Span::secs(10)
}

/// Files encrypted with SOPS for an age key.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sops {
    /// The folder of encrypted files, on the server: what a merge request brings is never decrypted.
    pub folder: PathBuf,
    /// Where the age key (`AGE-SECRET-KEY-1…`) comes from.
    pub age_key: SecretSource,
    /// The program.
    #[serde(default = "default_sops")]
    pub program: PathBuf,
}

fn default_sops() -> PathBuf {
    "sops".into()
}

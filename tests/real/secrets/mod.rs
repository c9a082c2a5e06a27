//! Providers of secrets: Vault's API as its documentation says it, and the real `sops`.

pub mod sops;
pub mod twin;
mod vault;

use trueup::{
    core::model::SecretRef,
    ports::{SecretError, SecretText, Secrets},
};

/// What a reference leads to, and which version of it.
fn read(secrets: &impl Secrets, reference: &str) -> Result<(String, Option<String>), SecretError> {
    let reference = SecretRef::parse(reference).expect("the test's reference is well formed");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let text: SecretText = runtime.block_on(secrets.resolve(&reference))?;
    Ok((text.expose().to_owned(), text.version().map(ToString::to_string)))
}

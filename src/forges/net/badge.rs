//! Who we are to a forge, request by request: a token that stays, or one that is made anew before it ends.

use super::NetError;
use crate::ports::{Fut, SecretText};

/// What signs requests in, those of the API and those of git alike.
pub trait Badge: Send + Sync {
    /// A token that is good now.
    fn token(&self) -> Fut<'_, Result<SecretText, NetError>>;

    /// The forge did not know this token. Whether another may be had: what was asked is then asked once more.
    fn refused<'a>(&'a self, token: &'a SecretText) -> Fut<'a, bool>;
}

/// A token that somebody made and that no program renews.
#[derive(Debug)]
pub struct Token(pub SecretText);

impl Badge for Token {
    fn token(&self) -> Fut<'_, Result<SecretText, NetError>> {
        Box::pin(async { Ok(self.0.clone()) })
    }

    fn refused<'a>(&'a self, _: &'a SecretText) -> Fut<'a, bool> {
        Box::pin(async { false })
    }
}

//! A GitHub App as our account: it signs for itself with its key, finds where it is installed, and makes tokens there that last an hour.

use super::{
    api::Api,
    wire::{AppTold, Installation, Issued},
};
use crate::{
    core::model::Span,
    forges::net::{Badge, ConfigError, NetError, Weight, encoded},
    ports::{Clock, ForgeErrorKind, Fut, SecretText},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OnceCell;

/// In seconds. GitHub takes ten minutes at most, by its own clock; ours may be two minutes ahead of that.
const SIGNED_FOR: i64 = 8 * 60;

/// In seconds, as GitHub advises, for clocks that are behind ours.
const SIGNED_BEFORE: i64 = 60;

/// A token is not used this close to its end: a long fetch signs in again with the one that it began with.
const MARGIN: Span = Span::mins(5);

/// What the app proves itself with: a signed claim of a few minutes.
pub struct Key {
    issuer: String,
    key: EncodingKey,
    clock: Arc<dyn Clock>,
}

impl Key {
    /// Reads a private key as GitHub hands it out (PKCS #1), or as others keep it (PKCS #8), in PEM.
    pub fn read(issuer: String, pem: &SecretText, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let wrong = |_| {
            ConfigError("the private key of the app cannot be read; it is the file that GitHub lets you download where a private key of the app is made (`-----BEGIN RSA PRIVATE KEY-----`)".into())
        };
        Ok(Self { issuer, key: EncodingKey::from_rsa_pem(pem.expose().trim().as_bytes()).map_err(wrong)?, clock })
    }

    fn sign(&self) -> Result<SecretText, NetError> {
        let now = self.clock.now().0.div_euclid(1000);
        let claims = json!({ "iat": now - SIGNED_BEFORE, "exp": now + SIGNED_FOR, "iss": self.issuer });
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key);
        signed.map(SecretText::new).map_err(|_| NetError::new(ForgeErrorKind::Invalid, "the private key of the app signs nothing; make a new one on the app's page"))
    }
}

impl Badge for Key {
    fn token(&self) -> Fut<'_, Result<SecretText, NetError>> {
        Box::pin(async { self.sign() })
    }

    fn refused<'a>(&'a self, _: &'a SecretText) -> Fut<'a, bool> {
        Box::pin(async { false })
    }
}

/// The app, wherever it is installed.
pub struct App {
    /// Signed with the app's own key.
    pub api: Api,
    name: String,
    clock: Arc<dyn Clock>,
    me: OnceCell<AppTold>,
    /// The installation that each place belongs to, once it was found.
    found: Mutex<BTreeMap<At, u64>>,
    /// By installation.
    tokens: Mutex<BTreeMap<u64, Arc<Slot>>>,
}

/// One token, and whoever makes the next: others wait for that one.
type Slot = tokio::sync::Mutex<Option<Issued>>;

/// What an installation is looked up by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// `platform/dns`
    Repository(String),
    /// `platform`
    Owner(String),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(path) => f.write_str(path),
            Self::Owner(owner) => f.write_str(owner),
        }
    }
}

impl App {
    pub fn new(api: Api, name: String, clock: Arc<dyn Clock>) -> Self {
        Self { api, name, clock, me: OnceCell::new(), found: Mutex::default(), tokens: Mutex::default() }
    }

    /// What GitHub tells of it now.
    pub async fn told(&self) -> Result<AppTold, NetError> {
        self.api.get("/app").await.map_err(|error| self.unsigned(error))
    }

    /// The same, asked for once.
    pub async fn me(&self) -> Result<&AppTold, NetError> {
        self.me.get_or_try_init(|| self.told()).await
    }

    /// The installation that a place belongs to, as it is now.
    pub async fn installation(&self, at: &At) -> Result<Installation, NetError> {
        let asked: Result<Installation, NetError> = match at {
            At::Repository(path) => self.api.get(&format!("/repos/{path}/installation")).await,
            At::Owner(owner) => match self.api.get(&format!("/orgs/{}/installation", encoded(owner))).await {
                Err(error) if error.kind == ForgeErrorKind::NotFound => self.api.get(&format!("/users/{}/installation", encoded(owner))).await,
                asked => asked,
            },
        };
        match asked {
            Ok(found) if found.suspended_at.is_some() => Err(self.suspended(at)),
            Ok(found) => Ok(found),
            Err(error) if error.kind == ForgeErrorKind::NotFound && !no_such_app(&error) => Err(self.missing(at).await),
            Err(error) => Err(self.unsigned(error)),
        }
    }

    /// A token for a place, made where the last one ends soon.
    async fn token(&self, at: &At) -> Result<SecretText, NetError> {
        let (mut id, known) = self.id(at).await?;
        match self.issued(id, at).await {
            // It was taken away and perhaps put back: then it is another.
            Err(error) if error.kind == ForgeErrorKind::NotFound && known => {
                self.found.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, known| *known != id);
                id = self.id(at).await?.0;
            }
            done => return done,
        }
        match self.issued(id, at).await {
            Err(error) if error.kind == ForgeErrorKind::NotFound => Err(self.missing(at).await),
            done => done,
        }
    }

    /// The installation's number, and whether it was known.
    async fn id(&self, at: &At) -> Result<(u64, bool), NetError> {
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(at).copied();
        if let Some(id) = known {
            return Ok((id, true));
        }
        let id = self.installation(at).await?.id;
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(at.clone(), id);
        Ok((id, false))
    }

    fn slot(&self, id: u64) -> Arc<Slot> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default().clone()
    }

    async fn issued(&self, id: u64, at: &At) -> Result<SecretText, NetError> {
        let slot = self.slot(id);
        let mut held = slot.lock().await;
        if let Some(issued) = held.as_ref().filter(|issued| issued.expires_at > self.clock.now() + MARGIN) {
            return Ok(issued.token());
        }
        let made = self.api.send(Weight::Status, Method::POST, &format!("/app/installations/{id}/access_tokens"), &json!({})).await;
        match made {
            Ok(answer) => {
                let issued = answer.json::<Issued>()?;
                let token = issued.token();
                *held = Some(issued);
                Ok(token)
            }
            Err(error) if error.kind == ForgeErrorKind::Denied && error.message.contains("suspended") => Err(self.suspended(at)),
            Err(error) => Err(self.unsigned(error)),
        }
    }

    /// A token that the forge did not know is used no more; whoever has another keeps it.
    async fn drop_token(&self, at: &At, token: &SecretText) {
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(at).copied();
        if let Some(id) = known {
            let slot = self.slot(id);
            let mut held = slot.lock().await;
            if held.as_ref().is_some_and(|issued| issued.token() == *token) {
                *held = None;
            }
        }
    }

    fn suspended(&self, at: &At) -> NetError {
        let what = format!(
            "the installation of our app for {at} on forge {} is suspended: whoever installed it lets it in again, in the settings of its owner under GitHub Apps",
            self.name
        );
        NetError::new(ForgeErrorKind::Stranger, what)
    }

    async fn missing(&self, at: &At) -> NetError {
        let page = self.me().await.map_or_else(|_| "its page".to_owned(), |me| me.html_url.clone());
        let what = format!("our app is not installed for {at} on forge {} (any more): an owner installs it from {page} and chooses that repository", self.name);
        NetError::new(ForgeErrorKind::Stranger, what)
    }

    /// A sign-in with the key that GitHub does not take.
    fn unsigned(&self, error: NetError) -> NetError {
        if error.status != Some(401) && !no_such_app(&error) {
            return error;
        }
        let what = format!(
            "forge {} does not take the app's own sign-in ({}): check `app.id`, that its private key is still one of the app's, and this machine's clock",
            self.name, error.message
        );
        NetError { what, kind: ForgeErrorKind::Stranger, ..error }
    }
}

/// GitHub's words where nobody's id it is.
fn no_such_app(error: &NetError) -> bool {
    error.message.contains("Integration not found")
}

/// The app where it is installed.
pub struct Installed {
    pub app: Arc<App>,
    pub at: At,
}

impl Badge for Installed {
    fn token(&self) -> Fut<'_, Result<SecretText, NetError>> {
        Box::pin(self.app.token(&self.at))
    }

    fn refused<'a>(&'a self, token: &'a SecretText) -> Fut<'a, bool> {
        Box::pin(async move {
            self.app.drop_token(&self.at, token).await;
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{core::model::Time, ports::TestClock};

    #[test]
    fn what_is_no_private_key_is_refused_without_being_shown() {
        let clock: Arc<dyn Clock> = Arc::new(TestClock::at(Time(0)));
        for text in ["", "hunter2-secret", "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----"] {
            let error = Key::read("1".into(), &SecretText::new(text), clock.clone()).err().expect("it is none");
            assert!(error.0.contains("BEGIN RSA PRIVATE KEY") && !error.0.contains("hunter2"), "{error}");
        }
    }
}

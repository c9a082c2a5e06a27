//! Judges the token that a job sends: by its issuer's keys, its claims and the clock, or by its hash where it is one of ours.

use super::{
    keys::{KeyFault, Keys},
    token::{About, Asker, Claimed, about, project, text},
};
use crate::{
    app::config::ForgeKind,
    core::{
        model::{RepoId, Span, Str},
        review::escape::code,
    },
    ports::Clock,
};
use jsonwebtoken::{Algorithm, DecodingKey, Header, TokenData, Validation, errors::ErrorKind, jwk::KeyAlgorithm};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, sync::Arc};

/// Tokens of forges have two kilobytes; what is longer is not read.
const MOST: usize = 16 << 10;

/// All that jobs sign in with.
pub struct SignIns {
    issuers: Vec<Issuer>,
    /// By the hash of the token: its name, and what it may ask about.
    tokens: Vec<([u8; 32], Str, Vec<RepoId>)>,
    clock: Arc<dyn Clock>,
}

/// One issuer whose tokens are taken.
pub struct Issuer {
    /// As `iss` says it.
    pub name: String,
    pub kind: ForgeKind,
    /// For whom tokens must be made.
    pub audience: String,
    pub keys: Keys,
    /// What tokens must claim.
    pub claims: BTreeMap<Str, Str>,
    pub leeway: Span,
    /// Repositories by their project, in lower case: forges tell no letters of different case apart.
    pub projects: BTreeMap<String, Vec<RepoId>>,
}

/// Why a token opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It proves nothing; what is wrong and what to do.
    #[error("{0}; {1}")]
    Unproven(String, String),
    /// It is proven, and opens nothing here.
    #[error("{0}; {1}")]
    NotHere(String, String),
    /// Whether it is proven cannot be told now.
    #[error("{0}; {1}")]
    Away(String, String),
}

fn unproven<T>(what: impl Into<String>, advice: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Unproven(what.into(), advice.into()))
}

impl SignIns {
    /// `tokens`: each one's hash, name and repositories.
    pub fn new(issuers: Vec<Issuer>, tokens: Vec<([u8; 32], Str, Vec<RepoId>)>, clock: Arc<dyn Clock>) -> Self {
        Self { issuers, tokens, clock }
    }

    /// Who sends a token.
    pub async fn asker(&self, token: &str) -> Result<Asker, Refused> {
        if token.len() > MOST {
            return unproven("the token is longer than any that a forge makes", "send the token alone");
        }
        // Only hashes are compared, so the time it takes tells nothing about a token.
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some((_, name, repos)) = self.tokens.iter().find(|(known, ..)| *known == hash) {
            return Ok(Asker { name: name.to_string(), repos: repos.clone(), about: About::Anything });
        }
        if token.split('.').count() != 3 {
            return unproven(
                "the token is not one this server knows",
                "send the job's OIDC token, or set TRUEUP_TOKEN to one that the server's configuration has under `ci.tokens`",
            );
        }
        let (issuer, claims) = self.proven(token).await?;
        issuer.admits(&claims)
    }

    /// The claims of a token that its issuer made for us, now.
    async fn proven(&self, token: &str) -> Result<(&Issuer, Claimed), Refused> {
        let unread = || Refused::Unproven("the token cannot be read".into(), "send the job's OIDC token as it was given".into());
        let (header, issuer) = self.issuer(token).map_err(|refused| refused.unwrap_or_else(unread))?;
        let Some(name) = &header.kid else { return unproven("the token does not say which key signed it", "send the job's OIDC token as it was given") };
        let key = issuer.keys.key(name).await.map_err(|fault| match fault {
            KeyFault::Unknown => Refused::Unproven(format!("{} publishes no key {}", issuer.name, code(name)), "send a token that this issuer made just now".into()),
            KeyFault::Away(why) => Refused::Away(format!("the keys of {} cannot be read: {why}", issuer.name), "try again later, or tell the server's operator".into()),
        })?;
        // The key says what it is for; a token that would use it otherwise is made up.
        let fits = match key.common.key_algorithm {
            None => true,
            Some(KeyAlgorithm::RS256) => header.alg == Algorithm::RS256,
            Some(KeyAlgorithm::ES256) => header.alg == Algorithm::ES256,
            Some(_) => false,
        };
        let false_signature = || Refused::Unproven("the token's signature is not its issuer's".into(), "send the job's OIDC token as it was given".into());
        let decoding = DecodingKey::from_jwk(&key).ok().filter(|_| fits).ok_or_else(false_signature)?;
        let mut rules = Validation::new(header.alg);
        rules.leeway = issuer.leeway.0 / 1000;
        rules.validate_nbf = true;
        rules.set_issuer(&[&issuer.name]);
        rules.set_audience(&[&issuer.audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        let claims = match jsonwebtoken::decode::<Claimed>(token, &decoding, &rules) {
            Ok(TokenData { header: _, claims }) => claims,
            Err(error) => {
                return Err(match error.kind() {
                    ErrorKind::ExpiredSignature => Refused::Unproven("the token has expired".into(), "ask for one right before it is sent; if it is new, mend the clocks".into()),
                    ErrorKind::ImmatureSignature => Refused::Unproven("the token is not valid yet".into(), "mend the clock of the server or of the issuer".into()),
                    ErrorKind::InvalidAudience => Refused::Unproven(
                        format!("the token is not made for {}", code(&issuer.audience)),
                        format!("ask for one with the audience {} (GitHub: --audience; GitLab: `aud` of `id_tokens`)", code(&issuer.audience)),
                    ),
                    ErrorKind::MissingRequiredClaim(name) => {
                        Refused::Unproven(format!("the token has no claim {}", code(name)), "send the job's OIDC token as it was given".into())
                    }
                    _ => false_signature(),
                });
            }
        };
        // The library does not judge when it was made.
        let now = self.clock.now().0.div_euclid(1000);
        let made = claims.get("iat").and_then(serde_json::Value::as_f64);
        match made {
            None => unproven("the token does not say when it was made", "send the job's OIDC token as it was given"),
            Some(made) if made > (now + i64::try_from(rules.leeway).unwrap_or(0)) as f64 => {
                unproven("the token was made in the future", "mend the clock of the server or of the issuer")
            }
            Some(_) => Ok((issuer, claims)),
        }
    }

    /// What a token says of itself before anything is proven: how it is signed and by whom. `Err(None)`: it cannot be read.
    fn issuer(&self, token: &str) -> Result<(Header, &Issuer), Option<Refused>> {
        let unread = |_| None;
        let header = jsonwebtoken::decode_header(token).map_err(|error| match error.kind() {
            // A name of an algorithm that nobody knows: `none`.
            ErrorKind::Json(_) => Some(algorithm()),
            _ => None,
        })?;
        // A public key is no secret: what is signed with one as if it were (HS256) is signed by anybody.
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
            return Err(Some(algorithm()));
        }
        if header.crit.is_some() {
            return Err(Some(Refused::Unproven("the token asks for what is not known here (`crit`)".into(), "send the job's OIDC token as it was given".into())));
        }
        let told: TokenData<Claimed> = jsonwebtoken::dangerous::insecure_decode(token).map_err(unread)?;
        let name = text(&told.claims, "iss").ok_or(None)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.name == name);
        let unknown = || Refused::Unproven(format!("no sign-in takes tokens of {}", code(name)), "the server's operator can add it under `ci.sign_ins`".into());
        Ok((header, issuer.ok_or_else(|| Some(unknown()))?))
    }
}

fn algorithm() -> Refused {
    Refused::Unproven("the token is not signed with RS256 or ES256".into(), "send the job's OIDC token as it was given".into())
}

impl Issuer {
    /// What a proven token opens.
    fn admits(&self, claims: &Claimed) -> Result<Asker, Refused> {
        let not_here = |what: String, advice: &str| Err(Refused::NotHere(what, advice.to_owned()));
        for (claim, wanted) in &self.claims {
            let is = match claims.get(&**claim) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => "nothing".to_owned(),
            };
            if is != **wanted {
                return not_here(
                    format!("the token's {} is {}, which is not what this server asks for", code(claim), code(&is)),
                    "the server's operator sets `claims` of the sign-in",
                );
            }
        }
        let Some(project) = project(self.kind, claims) else { return not_here("the token names no repository".into(), "send the OIDC token of a job") };
        let Some(repos) = self.projects.get(&project.to_ascii_lowercase()) else {
            return not_here(format!("{} is no repository of this server", code(project)), "a job of a fork cannot ask; the server's operator can add the repository");
        };
        let Some(about) = about(self.kind, claims) else { return not_here("the token names no commit".into(), "send the OIDC token of a job") };
        Ok(Asker { name: format!("a job of {project}"), repos: repos.clone(), about })
    }
}

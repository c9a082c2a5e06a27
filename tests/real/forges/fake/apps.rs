//! Apps: who they are by a real key of theirs, where they are installed, what they may there, and tokens that end.

use super::state::{Hook, State};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
};

/// Everything that ours asks for.
pub const PERMISSIONS: [(&str, &str); 8] = [
    ("metadata", "read"),
    ("contents", "write"),
    ("pull_requests", "write"),
    ("issues", "write"),
    ("statuses", "read"),
    ("checks", "write"),
    ("deployments", "write"),
    ("administration", "write"),
];

pub struct App {
    pub id: u64,
    pub client_id: String,
    pub slug: String,
    /// Its private key, as whoever made the app downloaded it.
    pub pem: String,
    public: DecodingKey,
    pub hook: Hook,
    pub events: BTreeSet<String>,
    pub installations: Vec<Installation>,
    /// By token: of which installation, and until when in seconds.
    pub tokens: BTreeMap<String, (u64, i64)>,
    /// How many tokens were ever made.
    pub issued: u64,
    /// By how many seconds the forge's clock is ahead of this machine's.
    pub ahead: i64,
}

pub struct Installation {
    pub id: u64,
    pub owner: String,
    /// Names of the chosen repositories; none: all.
    pub chosen: Option<BTreeSet<String>>,
    pub suspended: bool,
    pub permissions: BTreeMap<String, String>,
}

impl Installation {
    pub fn has(&self, path: &str) -> bool {
        path.split_once('/').is_some_and(|(owner, name)| owner == self.owner && self.chosen.as_ref().is_none_or(|chosen| chosen.contains(name)))
    }

    /// Whether it may read, or write, what a permission is about.
    pub fn may(&self, permission: &str, write: bool) -> bool {
        self.permissions.get(permission).is_some_and(|level| level == "write" || !write)
    }
}

/// Runs openssl with something to read.
fn openssl(args: &[&str], input: &str) -> String {
    let mut child = Command::new("openssl").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("openssl runs");
    child.stdin.take().expect("it is a pipe").write_all(input.as_bytes()).expect("it reads");
    String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("PEM is text")
}

/// A new private key, as GitHub hands them out.
pub fn private_key() -> String {
    openssl(&["genrsa", "-traditional", "2048"], "")
}

impl App {
    pub fn new(id: u64, slug: &str) -> Self {
        let pem = private_key();
        let public = openssl(&["rsa", "-pubout"], &pem);
        Self {
            id,
            client_id: format!("Iv23li{id}"),
            slug: slug.into(),
            public: DecodingKey::from_rsa_pem(public.as_bytes()).expect("openssl writes what is read here"),
            pem,
            hook: Hook { json: true, verified: true, active: true, ..Hook::default() },
            events: BTreeSet::new(),
            installations: Vec::new(),
            tokens: BTreeMap::new(),
            issued: 0,
            ahead: 0,
        }
    }

    pub fn login(&self) -> String {
        format!("{}[bot]", self.slug)
    }

    pub fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second() + self.ahead
    }

    /// Somebody installs it for all, or for some, of what they own.
    pub fn install(&mut self, id: u64, owner: &str, chosen: Option<&[&str]>) {
        let permissions = PERMISSIONS.map(|(name, level)| (name.to_owned(), level.to_owned())).into();
        let chosen = chosen.map(|all| all.iter().map(|name| (*name).to_owned()).collect());
        self.installations.push(Installation { id, owner: owner.into(), chosen, suspended: false, permissions });
    }

    pub fn of(&self, path: &str) -> Option<&Installation> {
        self.installations.iter().find(|one| one.has(path))
    }

    /// The installation whose token this is, while it holds.
    pub fn by_token(&self, token: &str) -> Option<&Installation> {
        let (id, until) = self.tokens.get(token)?;
        self.installations.iter().find(|one| one.id == *id && !one.suspended && *until > self.now())
    }

    pub fn token(&mut self, installation: u64) -> (String, i64) {
        self.issued += 1;
        let (token, until) = (format!("ghs_{}{:04}", "x".repeat(32), self.issued), self.now() + 3600);
        self.tokens.insert(token.clone(), (installation, until));
        (token, until)
    }

    /// Whether it is the app itself that signed: why not, as status and words.
    pub fn signed(&self, token: &str) -> Result<(), (u16, &'static str)> {
        const UNREADABLE: (u16, &str) = (401, "A JSON web token could not be decoded");
        let mut rules = Validation::new(Algorithm::RS256);
        (rules.validate_exp, rules.validate_aud) = (false, false);
        rules.required_spec_claims.clear();
        let claims: Value = jsonwebtoken::decode(token, &self.public, &rules).map_err(|_| UNREADABLE)?.claims;
        let issuer = claims["iss"].as_str().ok_or(UNREADABLE)?;
        if issuer != self.client_id && issuer != self.id.to_string() {
            return Err((404, "Integration not found"));
        }
        let (Some(made), Some(ends)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else { return Err(UNREADABLE) };
        if made > self.now() {
            return Err((401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"));
        }
        if ends <= self.now() {
            return Err((401, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"));
        }
        if ends > self.now() + 600 {
            return Err((401, "'Expiration time' claim ('exp') is too far in the future"));
        }
        Ok(())
    }
}

/// Whom a token is of.
pub enum Holder {
    Account(String),
    /// The app itself.
    App,
    /// The app where it is installed.
    Installed(u64),
}

/// Whom a token is of; why nobody's, as status and words.
pub fn holder(state: &State, token: Option<&str>) -> Result<Holder, (u16, &'static str)> {
    const NOBODY: (u16, &str) = (401, "Bad credentials");
    let token = token.ok_or(NOBODY)?;
    if let Some(user) = state.users.values().find(|user| user.token == token && !user.revoked) {
        return Ok(Holder::Account(user.login.clone()));
    }
    let app = state.app.as_ref().ok_or(NOBODY)?;
    if let Some(installed) = app.by_token(token) {
        return Ok(Holder::Installed(installed.id));
    }
    if token.split('.').count() == 3 { app.signed(token).map(|()| Holder::App) } else { Err(NOBODY) }
}

//! By which connection and badge a repository, or an owner's teams and repositories, are asked about: those of one account, or those of an app for each owner.

use super::{
    api::Api,
    app::{App, At, Installed, Key},
};
use crate::{
    forges::net::{Badge, Client, ConfigError, Entrance, NetError, SignIn, Token},
    ports::{Clock, ForgeErrorKind},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Every way in.
pub struct Door {
    /// REST, without a token.
    entrance: Entrance,
    clock: Arc<dyn Clock>,
    who: Who,
    lines: Mutex<BTreeMap<String, Line>>,
}

enum Who {
    Account(Arc<dyn Badge>),
    App(Arc<App>),
}

/// Connections that share one budget: GitHub counts an account's, and each installation's of an app. GraphQL stands beside REST and counts its own.
#[derive(Clone)]
struct Line {
    rest: Arc<Client>,
    questions: Arc<Client>,
}

impl Door {
    pub fn new(entrance: Entrance, sign_in: SignIn, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let who = match sign_in {
            SignIn::Token(token) => {
                // What no header may hold is told at the start.
                crate::forges::net::sign("Bearer ", &token)?;
                Who::Account(Arc::new(Token(token)))
            }
            SignIn::App { id, key } => {
                let key = Key::read(id, &key, clock.clone())?;
                let api = Api::new(Arc::new(Client::new(entrance.clone(), clock.clone())?), Arc::new(key));
                Who::App(Arc::new(App::new(api, entrance.name.clone(), clock.clone())))
            }
        };
        Ok(Self { entrance, clock, who, lines: Mutex::default() })
    }

    /// The app that we are, if we are one.
    pub fn app(&self) -> Option<&Arc<App>> {
        match &self.who {
            Who::Account(_) => None,
            Who::App(app) => Some(app),
        }
    }

    /// What signs in for a repository.
    pub fn badge(&self, path: &str) -> Arc<dyn Badge> {
        self.badge_at(At::Repository(path.to_owned()))
    }

    fn badge_at(&self, at: At) -> Arc<dyn Badge> {
        match &self.who {
            Who::Account(badge) => badge.clone(),
            Who::App(app) => Arc::new(Installed { app: app.clone(), at }),
        }
    }

    /// REST and GraphQL about a repository.
    pub fn about(&self, path: &str) -> Result<(Api, Api), ConfigError> {
        let line = self.line(path.split('/').next().unwrap_or_default())?;
        let badge = self.badge(path);
        Ok((Api::new(line.rest, badge.clone()), Api::new(line.questions, badge)))
    }

    /// REST about an owner.
    pub fn of_owner(&self, owner: &str) -> Result<Api, NetError> {
        let line = self.line(owner).map_err(|error| NetError::new(ForgeErrorKind::Invalid, error.0))?;
        Ok(Api::new(line.rest, self.badge_at(At::Owner(owner.to_owned()))))
    }

    fn line(&self, owner: &str) -> Result<Line, ConfigError> {
        let whose = match &self.who {
            Who::Account(_) => String::new(),
            Who::App(_) => owner.to_ascii_lowercase(),
        };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lines.get(&whose) {
            return Ok(known.clone());
        }
        let questions = Entrance { api: beside(&self.entrance.api), ..self.entrance.clone() };
        let line = Line { rest: Arc::new(Client::new(self.entrance.clone(), self.clock.clone())?), questions: Arc::new(Client::new(questions, self.clock.clone())?) };
        lines.insert(whose, line.clone());
        Ok(line)
    }
}

/// Where GraphQL is asked: `https://api.github.com` and `https://HOST/api`, each followed by `/graphql`.
fn beside(api: &str) -> String {
    api.strip_suffix("/v3").unwrap_or(api).to_owned()
}

#[cfg(test)]
mod tests {
    use super::beside;

    #[test]
    fn graphql_stands_beside_rest_at_github_and_on_a_host_of_ones_own() {
        assert_eq!(beside("https://api.github.com"), "https://api.github.com");
        assert_eq!(beside("https://git.example.com/api/v3"), "https://git.example.com/api");
    }
}

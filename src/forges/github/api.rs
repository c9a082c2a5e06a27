//! Requests to GitHub: signed in by octocrab, carried by the connection of all network forges, read into our own types.

use super::{
    transport::{Came, Carried, Transport},
    wire::{Chosen, Hosted},
};
use crate::{
    forges::net::{Answer, Badge, Client, Lengths, NetError, Weight, encoded, sign},
    ports::{ForgeErrorKind, SecretText},
};
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use reqwest::{Method, header::AUTHORIZATION};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// GitHub's API under one sign-in.
#[derive(Clone)]
pub struct Api {
    crab: Octocrab,
    client: Arc<Client>,
    badge: Arc<dyn Badge>,
}

impl Api {
    /// Signs every request with what the badge says then.
    pub fn new(client: Arc<Client>, badge: Arc<dyn Badge>) -> Self {
        let built = OctocrabBuilder::new_empty().with_service(Transport(client.clone())).with_auth(AuthState::None).build();
        let crab = built.unwrap_or_else(|never| match never {});
        Self { crab, client, badge }
    }

    /// Asks for one thing and reads it.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, NetError> {
        self.call(None, Method::GET, path, None::<&()>).await?.json()
    }

    /// The same; `None`: there is none.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, NetError> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == ForgeErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for one page of a list: what is on it, and the path of the next.
    pub async fn page(&self, path: &str) -> Result<(Answer, Option<String>), NetError> {
        let answer = self.call(None, Method::GET, path, None::<&()>).await?;
        let next = self.client.next(&answer)?;
        Ok((answer, next))
    }

    /// Asks for a list, `most` pages at most; whether that was all of it.
    pub async fn pages<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<(Vec<T>, bool), NetError> {
        let (mut all, mut next) = (Vec::new(), Some(path.to_owned()));
        for _ in 0..most {
            let Some(path) = next else { return Ok((all, true)) };
            let (answer, after) = self.page(&path).await?;
            all.extend(answer.json::<Vec<T>>()?);
            next = after;
        }
        Ok((all, next.is_none()))
    }

    /// Asks for a list that must be known whole.
    pub async fn whole<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<Vec<T>, NetError> {
        let (all, whole) = self.pages(path, most).await?;
        if whole {
            return Ok(all);
        }
        let what = format!("forge {} has more than {most} pages of {}; not all of it was read", self.client.name(), path.split('?').next().unwrap_or(path));
        Err(NetError::new(ForgeErrorKind::Invalid, what))
    }

    /// Asks for the repositories that an installation of an app may see, all of them.
    pub async fn installed(&self, most: usize) -> Result<Vec<Hosted>, NetError> {
        let (mut all, mut next) = (Vec::new(), Some("/installation/repositories?per_page=100".to_owned()));
        for _ in 0..most {
            let Some(path) = next else { return Ok(all) };
            let (answer, after) = self.page(&path).await?;
            all.extend(answer.json::<Chosen>()?.repositories);
            next = after;
        }
        match next {
            None => Ok(all),
            Some(_) => Err(NetError::new(
                ForgeErrorKind::Invalid,
                format!("forge {} lets the app see more than {most} pages of repositories; not all of them were read", self.client.name()),
            )),
        }
    }

    /// Asks for a list whose entries may be long, `most` of them at most; whether that was all of it. `path` ends with its query begun.
    pub async fn long<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<(Vec<T>, bool), NetError> {
        let mut all = Vec::new();
        let mut lengths = Lengths::new(&[100, 10, 1], most);
        while let Some((size, page)) = lengths.next() {
            let Some(answer) = lengths.take(self.call(None, Method::GET, &format!("{path}per_page={size}&page={page}"), None::<&()>).await)? else { continue };
            all.extend(answer.json::<Vec<T>>()?);
            if !answer.has_more() {
                return Ok((all, true));
            }
        }
        Ok((all, false))
    }

    /// Writes something, once: an answer that is lost is the caller's to look into.
    pub async fn send(&self, weight: Weight, method: Method, path: &str, body: &impl Serialize) -> Result<Answer, NetError> {
        self.call(Some(weight), method, path, Some(body)).await
    }

    /// Takes something away; what is gone already is no fault.
    pub async fn delete(&self, weight: Weight, path: &str) -> Result<(), NetError> {
        match self.call(Some(weight), Method::DELETE, path, None::<&()>).await {
            Err(error) if error.kind != ForgeErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// A token that GitHub does not know any more did nothing: what was asked with it is asked once more with another.
    async fn call(&self, weight: Option<Weight>, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Answer, NetError> {
        let token = self.badge.token().await?;
        match self.once(weight, method.clone(), path, body, &token).await {
            Err(error) if error.kind == ForgeErrorKind::Stranger && self.badge.refused(&token).await => {
                let token = self.badge.token().await?;
                self.once(weight, method, path, body, &token).await
            }
            came => came,
        }
    }

    async fn once(&self, weight: Option<Weight>, method: Method, path: &str, body: Option<&impl Serialize>, token: &SecretText) -> Result<Answer, NetError> {
        let fault = |what: String| NetError::new(ForgeErrorKind::Invalid, format!("forge {} cannot be asked for {path}: {what}", self.client.name()));
        let signed = sign("Bearer ", token).map_err(|error| fault(error.0))?;
        let head = hyper::Request::builder().method(method).uri(path).header(AUTHORIZATION, signed).extension(Carried(weight));
        let request = self.crab.build_request(head, body).map_err(|error| fault(error.to_string()))?;
        // An error here is of octocrab's own.
        let response = self.crab.execute(request).await.map_err(|error| fault(signing(&error)))?;
        match response.into_parts().0.extensions.remove::<Came>() {
            Some(Came(came)) => came,
            None => Err(fault("nothing came back".into())),
        }
    }
}

/// What octocrab says without its backtrace.
fn signing(error: &octocrab::Error) -> String {
    let text = error.to_string();
    text.split("\nFound at").next().unwrap_or_default().trim().to_owned()
}

/// A branch's name where a path holds it with its slashes.
pub fn encoded_path(name: &str) -> String {
    encoded(name).replace("%2F", "/")
}

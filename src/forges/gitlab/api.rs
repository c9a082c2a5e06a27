//! Requests to GitLab: shaped by the `gitlab` crate's endpoints, carried by the connection of all network forges, read into our own types.

use crate::{
    forges::net::{Answer, Client, Lengths, NetError, Weight},
    ports::ForgeErrorKind,
};
use async_trait::async_trait;
use gitlab::api::{ApiError, AsyncClient, AsyncQuery as _, BodyError, Endpoint, RestClient, raw};
use hyper::{Response, body::Bytes, http::request::Builder};
use reqwest::{Method, Url, header::HeaderMap};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
};

/// GitLab's API under one token.
pub struct Api {
    client: Client,
    base: String,
}

/// One request.
struct Asked<'a> {
    method: Method,
    /// With its query.
    path: &'a str,
    body: Option<&'a Json>,
}

impl Endpoint for Asked<'_> {
    fn method(&self) -> Method {
        self.method.clone()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        self.path.to_owned().into()
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        self.body.map(|body| Ok(("application/json", serde_json::to_vec(body)?))).transpose()
    }
}

/// The connection, for one request of a weight.
struct Line<'a> {
    api: &'a Api,
    weight: Option<Weight>,
    came: Mutex<Option<Answer>>,
}

impl RestClient for Line<'_> {
    type Error = NetError;

    fn rest_endpoint(&self, endpoint: &str) -> Result<Url, ApiError<NetError>> {
        Ok(Url::parse(&format!("{}{endpoint}", self.api.base))?)
    }
}

#[async_trait]
impl AsyncClient for Line<'_> {
    async fn rest_async(&self, request: Builder, body: Vec<u8>) -> Result<Response<Bytes>, ApiError<NetError>> {
        let asked = request.body(()).map_err(|error| ApiError::client(NetError::new(ForgeErrorKind::Invalid, format!("cannot be asked: {error}"))))?;
        let mut headers = HeaderMap::new();
        let kind = reqwest::header::CONTENT_TYPE;
        headers.extend(asked.headers().get(&kind).map(|value| (kind, value.clone())));
        let url = asked.uri().to_string();
        // Without a query the crate leaves its mark all the same.
        let path = url.strip_prefix(&self.api.base).unwrap_or("/").trim_end_matches('?');
        let answer = self.api.client.carry(self.weight, asked.method().clone(), path, headers, body).await.map_err(ApiError::client)?;
        *self.came.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        // What came is read by us, with its headers.
        Ok(Response::new(Bytes::new()))
    }
}

impl Api {
    pub fn new(client: Client, base: String) -> Self {
        Self { client, base }
    }

    /// The forge's name, for people.
    pub fn name(&self) -> &str {
        self.client.name()
    }

    /// Asks for one thing and reads it.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, NetError> {
        self.call(None, Method::GET, path, None).await?.json()
    }

    /// The same; `None`: there is none.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, NetError> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == ForgeErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for a list, `most` pages at most; whether that was all of it.
    pub async fn pages<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<(Vec<T>, bool), NetError> {
        self.until(path, most, |_| false).await
    }

    /// The same, up to the page with an entry that `ends` it.
    pub async fn until<T: DeserializeOwned>(&self, path: &str, most: usize, ends: impl Fn(&T) -> bool) -> Result<(Vec<T>, bool), NetError> {
        let (mut all, mut next) = (Vec::new(), Some(path.to_owned()));
        for _ in 0..most {
            let Some(path) = next else { return Ok((all, true)) };
            let answer = self.call(None, Method::GET, &path, None).await?;
            let page = answer.json::<Vec<T>>()?;
            next = self.client.next(&answer)?;
            let ended = page.iter().any(&ends);
            all.extend(page);
            if ended {
                break;
            }
        }
        Ok((all, next.is_none()))
    }

    /// Asks for a list that must be known whole.
    pub async fn whole<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<Vec<T>, NetError> {
        let (all, whole) = self.pages(path, most).await?;
        if whole {
            return Ok(all);
        }
        let what = format!("forge {} has more than {most} pages of {}; not all of it was read", self.name(), path.split('?').next().unwrap_or(path));
        Err(NetError::new(ForgeErrorKind::Invalid, what))
    }

    /// Asks for a list whose entries may be long, `most` of them at most; whether that was all of it. `path` ends with its query begun.
    pub async fn long<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<(Vec<T>, bool), NetError> {
        let mut all = Vec::new();
        let mut lengths = Lengths::new(&[100, 10, 1], most);
        while let Some((size, page)) = lengths.next() {
            let Some(answer) = lengths.take(self.call(None, Method::GET, &format!("{path}per_page={size}&page={page}"), None).await)? else { continue };
            all.extend(answer.json::<Vec<T>>()?);
            if !answer.has_more() {
                return Ok((all, true));
            }
        }
        Ok((all, false))
    }

    /// Writes something, once: an answer that is lost is the caller's to look into.
    pub async fn send(&self, weight: Weight, method: Method, path: &str, body: &Json) -> Result<Answer, NetError> {
        self.call(Some(weight), method, path, Some(body)).await
    }

    async fn call(&self, weight: Option<Weight>, method: Method, path: &str, body: Option<&Json>) -> Result<Answer, NetError> {
        let line = Line { api: self, weight, came: Mutex::default() };
        let fault = |what: String| NetError::new(ForgeErrorKind::Invalid, format!("forge {} cannot be asked for {path}: {what}", self.name()));
        match raw(Asked { method, path, body }).query_async(&line).await {
            Ok(_) => line.came.into_inner().unwrap_or_else(PoisonError::into_inner).ok_or_else(|| fault("nothing came back".into())),
            Err(ApiError::Client { source }) => Err(source),
            Err(error) => Err(fault(error.to_string())),
        }
    }
}

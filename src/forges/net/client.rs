//! The API of one forge over HTTP: bounded, paced, conditional where the forge tags its answers, and never past the address it was configured with.

use super::{
    etags::Etags,
    fault::NetError,
    pace::{Pace, Weight},
};
use crate::{
    core::model::{Span, Time},
    ports::{Clock, ForgeErrorKind, SecretText},
};
use reqwest::{
    Method,
    header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LINK, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::{sync::Arc, time::Duration};

/// The largest answer that is read: a page of fifty merge requests with long descriptions has 5 MB.
pub const MOST_BODY: usize = 16 << 20;

/// Pages of one list that are read: 10,000 entries of fifty a page.
pub const MOST_PAGES: usize = 200;

/// A connection that takes longer is to a forge that is down.
const CONNECT: Duration = Duration::from_secs(5);

/// Questions are asked again this often where a gateway or the network failed; the caller's own patience comes after.
const AGAIN: u32 = 2;

/// Forges that say that it is too much, but not for how long, are left alone for this.
const UNSAID: Span = Span::secs(60);

/// Nobody waits longer for a forge's limit at once; then it is asked whether it still holds.
const LONGEST: Span = Span::mins(60);

/// How a forge is entered.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// The forge's name, for people.
    pub name: String,
    /// Where its API begins, without a slash at its end.
    pub api: String,
    /// The header that carries the token, and what stands before the token in it; none: each request brings its own.
    pub token: Option<(&'static str, &'static str, SecretText)>,
    /// Further headers of every request.
    pub headers: Vec<(&'static str, String)>,
    pub ca: Option<Vec<u8>>,
    pub answer: Duration,
}

/// A forge's API under one token.
pub struct Client {
    http: reqwest::Client,
    name: String,
    api: String,
    pace: Pace,
    etags: Etags,
    clock: Arc<dyn Clock>,
}

/// What a forge answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Arc<Vec<u8>>,
    /// The next page, as the forge names it.
    next: Option<String>,
    /// What was asked, for people.
    asked: String,
    forge: String,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    pub fn new(entrance: Entrance, clock: Arc<dyn Clock>) -> Result<Self, super::ConfigError> {
        let fault = super::ConfigError;
        let mut headers = HeaderMap::new();
        if let Some((name, before, token)) = &entrance.token {
            headers.insert(HeaderName::from_static(name), sign(before, token)?);
        }
        for (name, value) in entrance.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).map_err(|_| fault(format!("`{name}` cannot be sent")))?);
        }
        // A redirect would carry the token to an address that nobody configured.
        let mut builder = reqwest::Client::builder().connect_timeout(CONNECT).timeout(entrance.answer).redirect(reqwest::redirect::Policy::none()).no_proxy();
        builder = builder.default_headers(headers).user_agent(concat!("trueup/", env!("CARGO_PKG_VERSION")));
        if let Some(ca) = &entrance.ca {
            let authorities = reqwest::Certificate::from_pem_bundle(ca).ok().filter(|all| !all.is_empty());
            builder = builder.tls_certs_only(authorities.ok_or_else(|| fault("`ca` holds no certificate in PEM; name the authority's file".into()))?);
        }
        let http = builder.build().map_err(|error| fault(format!("no client can be made of it: {}", innermost(&error))))?;
        Ok(Self { http, name: entrance.name, api: entrance.api, pace: Pace::default(), etags: Etags::default(), clock })
    }

    /// The forge's name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks for something; `path` begins with a slash and holds its query.
    pub async fn get(&self, path: &str) -> Result<Answer, NetError> {
        self.read(&format!("{}{path}", self.api)).await
    }

    /// Asks for one thing and reads it.
    pub async fn read_one<T: DeserializeOwned>(&self, path: &str) -> Result<T, NetError> {
        self.get(path).await?.json()
    }

    /// Asks for a list, page after page by the forge's own links, `most` pages at most; whether that was all of it.
    pub async fn pages<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<(Vec<T>, bool), NetError> {
        let mut url = format!("{}{path}", self.api);
        let mut all = Vec::new();
        for _ in 0..most {
            let answer = self.read(&url).await?;
            all.extend(answer.json::<Vec<T>>()?);
            let Some(next) = self.next(&answer)? else { return Ok((all, true)) };
            url = format!("{}{next}", self.api);
        }
        Ok((all, false))
    }

    /// The path of the page after this one, if there is one.
    pub fn next(&self, answer: &Answer) -> Result<Option<String>, NetError> {
        let Some(next) = &answer.next else { return Ok(None) };
        // A link that leads elsewhere would take the token with it.
        let inside = next.strip_prefix(&self.api).filter(|rest| rest.starts_with('/'));
        let Some(path) = inside else {
            let what = format!("forge {} links to its next page at another address than {}; set `api:` to what it believes its own address is", self.name, self.api);
            return Err(NetError::new(ForgeErrorKind::Unavailable, what));
        };
        Ok(Some(path.to_owned()))
    }

    /// Carries a request that another library made: its headers go before ours. `weight`: it writes, and so heavy.
    pub async fn carry(&self, weight: Option<Weight>, method: Method, path: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, NetError> {
        let url = format!("{}{path}", self.api);
        let Some(weight) = weight else { return self.read_with(&url, headers).await };
        let _turn = self.pace.turn(weight).await;
        let request = self.http.request(method.clone(), &url).headers(headers).body(body);
        self.answer(request, &method, &url).await
    }

    /// Writes something, once: an answer that is lost is the caller's to look into.
    pub async fn send(&self, weight: Weight, method: Method, path: &str, body: Option<&Json>) -> Result<Answer, NetError> {
        let _turn = self.pace.turn(weight).await;
        let url = format!("{}{path}", self.api);
        let mut request = self.http.request(method.clone(), &url);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request, &method, &url).await
    }

    async fn read(&self, url: &str) -> Result<Answer, NetError> {
        self.read_with(url, HeaderMap::new()).await
    }

    async fn read_with(&self, url: &str, headers: HeaderMap) -> Result<Answer, NetError> {
        let known = self.etags.get(url);
        let mut again = 0;
        loop {
            let mut request = self.http.get(url).headers(headers.clone());
            if let Some(tag) = known.as_ref().and_then(|known| HeaderValue::from_str(&known.etag).ok()) {
                request = request.header(IF_NONE_MATCH, tag);
            }
            match self.answer(request, &Method::GET, url).await {
                Ok(answer) => {
                    if let (304, Some(known)) = (answer.status, known) {
                        let next = answer.next.or(known.next);
                        return Ok(Answer { status: 200, body: known.body, next, ..answer });
                    }
                    let grows_unseen = answer.next.is_none() && may_be_full(url, &answer.body);
                    if let Some(etag) = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|_| !grows_unseen) {
                        self.etags.keep(url, etag.to_owned(), answer.body.clone(), answer.next.clone());
                    }
                    return Ok(answer);
                }
                Err(error) if error.kind == ForgeErrorKind::Unavailable && again < AGAIN => {
                    again += 1;
                    tokio::time::sleep(jitter(again)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder, method: &Method, url: &str) -> Result<Answer, NetError> {
        let asked = format!("{method} {}", url.strip_prefix(&self.api).unwrap_or(url).split('?').next().unwrap_or_default());
        if let Some(until) = self.pace.waits(self.clock.now()) {
            return Err(NetError::new(ForgeErrorKind::Limited, format!("forge {} asked to be left alone until {until}", self.name)));
        }
        let lost = |error: &reqwest::Error| NetError::new(ForgeErrorKind::Unavailable, format!("forge {} did not answer {asked}: {}", self.name, innermost(error)));
        let mut response = request.send().await.map_err(|error| lost(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| lost(&error))? {
            if body.len() + part.len() > MOST_BODY {
                let what = format!("forge {} answered {asked} with more than {MOST_BODY} bytes", self.name);
                return Err(NetError { long: true, ..NetError::new(ForgeErrorKind::Invalid, what) });
            }
            body.extend_from_slice(&part);
        }
        self.heed(status, &headers);
        if !(200..300).contains(&status) && status != 304 {
            let mut error = NetError::refused(&self.name, &asked, status, &body);
            // GitHub names what an app lacks.
            if let Some(wants) = headers.get("x-accepted-github-permissions").and_then(|wants| wants.to_str().ok()).filter(|_| error.kind == ForgeErrorKind::Denied) {
                error.what += &format!("; GitHub wants one of these permissions of it: {}", crate::core::review::escape::cut(wants, 200));
            }
            if error.kind == ForgeErrorKind::Denied && (says_limit(&error.message) || self.pace.waits(self.clock.now()).is_some()) {
                error.kind = ForgeErrorKind::Limited;
                // Said without a header for how long.
                let now = self.clock.now();
                if self.pace.waits(now).is_none() {
                    tracing::warn!(forge = %self.name, "the forge says that it is too much; it is asked nothing for {UNSAID}");
                    self.pace.wait_until(now + UNSAID);
                }
            }
            return Err(error);
        }
        let next = next_page(&headers);
        Ok(Answer { status, headers, body: body.into(), next, asked, forge: self.name.clone() })
    }

    /// Takes in what an answer says of limits.
    fn heed(&self, status: u16, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()?.trim().parse::<i64>().ok());
        let now = self.clock.now();
        let limited = status == 429 || status == 403;
        let retry = number(RETRY_AFTER.as_str()).filter(|_| limited || status == 503);
        // GitHub and GitLab name them differently and mean the same.
        let none_left = number("x-ratelimit-remaining").or_else(|| number("ratelimit-remaining")) == Some(0);
        let reset = number("x-ratelimit-reset").or_else(|| number("ratelimit-reset"));
        let until = match (retry, none_left, reset) {
            (Some(seconds), _, _) => Some(now + Span::secs(seconds.max(1).unsigned_abs())),
            (None, true, Some(at)) => Some(Time(at.saturating_mul(1000))),
            (None, _, _) if status == 429 => Some(now + UNSAID),
            (None, _, _) => None,
        };
        if let Some(until) = until.filter(|until| *until > now) {
            let until = until.min(now + LONGEST);
            tracing::warn!(forge = %self.name, "the forge's limit is reached; it is asked nothing until {until}");
            self.pace.wait_until(until);
        }
    }
}

impl Answer {
    /// Reads the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, NetError> {
        serde_json::from_slice(&self.body).map_err(|error| NetError::unreadable(&self.forge, &self.asked, error))
    }

    /// What a header says.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether another page follows.
    pub fn has_more(&self) -> bool {
        self.next.is_some()
    }
}

/// A header that signs in.
pub fn sign(before: &str, token: &SecretText) -> Result<HeaderValue, super::ConfigError> {
    let mut value = HeaderValue::from_str(&format!("{before}{}", token.expose())).map_err(|_| super::ConfigError("the token holds characters that no header may have".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A text as one part of a path, or as a value of a query.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Whether a list may be as long as its page: once it grows, the tag of this page stays the same, and a 304 need not name the page that now follows.
///
/// Forges that tag lists give pages as long as they are asked for; where nobody asked, any length may be theirs.
fn may_be_full(url: &str, body: &[u8]) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query).split('&');
    let asked = query.filter_map(|pair| pair.strip_prefix("per_page=").or_else(|| pair.strip_prefix("limit="))).find_map(|size| size.parse::<usize>().ok());
    serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(body).is_ok_and(|all| !all.is_empty() && asked.is_none_or(|asked| all.len() >= asked))
}

/// Whether a 403 means that it was too much: GitHub's limits on bursts need not come with a header.
fn says_limit(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["rate limit", "abuse detection"].iter().any(|words| message.contains(words))
}

/// The link `rel="next"` (RFC 8288).
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    links.filter_map(|link| link.trim().strip_prefix('<')?.split_once('>')).find_map(|(url, params)| {
        let is_next = params.split(';').any(|param| matches!(param.trim(), "rel=\"next\"" | "rel=next"));
        is_next.then(|| url.to_owned())
    })
}

/// A wait that grows with the attempt and differs from everybody else's, so that what failed together does not come back together.
pub(super) fn jitter(attempt: u32) -> Duration {
    let mut byte = [0u8];
    // Without randomness everybody waits the same, which is worse and no fault.
    let _ = getrandom::fill(&mut byte);
    Duration::from_millis((150u64 << attempt.min(8)) + u64::from(byte[0]))
}

/// What went wrong beneath all the layers, without the URL, whose query may be long.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_path_stays_one_part_of_it() {
        assert_eq!(encoded("a b/c?d=é+~"), "a%20b%2Fc%3Fd%3D%C3%A9%2B~");
        // Whole parts of dots would lead out of where they stand; no account and no branch has such a name.
        assert_eq!(encoded("../x"), "..%2Fx");
    }

    #[test]
    fn a_list_that_may_fill_its_page_is_asked_for_anew() {
        let full = |query: &str, long: usize| may_be_full(&format!("https://f/api/all{query}"), &serde_json::to_vec(&vec!["x"; long]).unwrap());
        assert_eq!([0, 99, 100, 101].map(|long| full("?state=all&per_page=100&page=2", long)), [false, false, true, true]);
        assert_eq!([full("?limit=50", 49), full("?limit=50", 50), full("", 7), full("", 0)], [false, true, true, false]);
        assert!(!may_be_full("https://f/api/one", b"{\"number\":1}"), "one thing is no list");
    }

    #[test]
    fn a_refusal_that_means_too_much_is_known_by_its_words_where_no_header_says_so() {
        let said = ["You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", "You have triggered an abuse detection mechanism."];
        assert!(said.into_iter().all(says_limit));
        assert!(!["Resource not accessible by personal access token", "Resource protected by organization SAML enforcement.", ""].into_iter().any(says_limit));
    }

    #[test]
    fn the_next_page_is_the_link_that_says_so() {
        let mut headers = HeaderMap::new();
        let links = "<https://f/api?page=1>; rel=\"prev\", <https://f/api?page=3>; rel=\"next\",<https://f/api?page=9>; rel=\"last\"";
        headers.insert(LINK, HeaderValue::from_static(links));
        assert_eq!(next_page(&headers).as_deref(), Some("https://f/api?page=3"));
        headers.insert(LINK, HeaderValue::from_static("<https://f/api?page=1>; rel=\"prev\""));
        assert_eq!(next_page(&headers), None);
    }
}

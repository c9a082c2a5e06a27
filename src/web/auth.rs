//! Who asks: a bearer token, or the cookie that signing in with one gave.

use super::{answer::Fault, router::App};
use crate::core::model::User;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Knows people by their tokens.
pub trait Tokens: Send + Sync {
    /// Whose token this is; how long it takes tells nothing about a token.
    fn by_token(&self, token: &str) -> Option<User>;
}

/// The cookie's name.
const COOKIE: &str = "trueup_session";

/// A working day: people sign in once a morning, and a forgotten browser is signed out by the next.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// People in a browser at the same time; beyond it the oldest are signed out.
const MOST: usize = 10_000;

/// Who is signed in by browser. Kept in memory only: a restart signs everybody out, and nothing can leak from disk.
#[derive(Default)]
pub struct Sessions(Mutex<BTreeMap<[u8; 32], Session>>);

struct Session {
    user: User,
    until: Instant,
}

impl Sessions {
    /// Signs a person in; returns the `Set-Cookie` value.
    pub fn open(&self, user: User, now: Instant, secure: bool) -> Result<String, Fault> {
        let mut secret = [0u8; 32];
        getrandom::fill(&mut secret).map_err(|error| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, format!("no randomness: {error}"), "tell the server's operator"))?;
        let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut all = self.lock();
        all.retain(|_, session| session.until > now);
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, session)| session.until).map(|(key, _)| *key)
        {
            all.remove(&oldest);
        }
        all.insert(hash(&text), Session { user, until: now + LIFE });
        // Strict: a link from elsewhere opens signed out once, and no other site can make a browser act.
        Ok(format!("{COOKIE}={text}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}", LIFE.as_secs(), if secure { "; Secure" } else { "" }))
    }

    /// Signs out whoever sent these headers; returns the `Set-Cookie` value that empties the cookie.
    pub fn close(&self, headers: &HeaderMap) -> String {
        if let Some(text) = cookie(headers) {
            self.lock().remove(&hash(text));
        }
        format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
    }

    fn user(&self, headers: &HeaderMap, now: Instant) -> Option<User> {
        let key = hash(cookie(headers)?);
        self.lock().get(&key).filter(|session| session.until > now).map(|session| session.user.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Session>> {
        // The map is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only hashes are looked up, so the time a look-up takes tells nothing about a secret.
fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// A person who is signed in.
pub struct Person(pub User);

impl FromRequestParts<App> for Person {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let user = token.and_then(|(_, token)| app.people.by_token(token.trim()));
            return user.map(Self).ok_or_else(|| unknown("the token is not one this server knows"));
        }
        let Some(user) = app.sessions.user(&parts.headers, Instant::now()) else { return Err(unknown("nobody is signed in")) };
        if parts.method != Method::GET && parts.method != Method::HEAD && !same_site(&parts.headers) {
            return Err(Fault::new(StatusCode::FORBIDDEN, "the request comes from another site", "send it from the server's own pages, or with a bearer token"));
        }
        Ok(Self(user))
    }
}

fn unknown(error: &str) -> Fault {
    Fault::new(StatusCode::UNAUTHORIZED, error, "send `Authorization: Bearer TOKEN`; the CLI takes it from TRUEUP_TOKEN, a browser signs in at /login")
}

/// Whether a browser says that our own page sent this: by its fetch metadata, or where that is missing by the origin.
pub(super) fn same_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), _, _) => site == "same-origin" || site == "none",
        (None, Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        (None, Some(_), None) => false,
        // Neither: not a browser, which could only have the cookie from a person who copied it.
        (None, None, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{COOKIE, LIFE, Sessions, same_site};
    use crate::core::model::User;
    use axum::http::{HeaderMap, HeaderValue, header};
    use std::time::{Duration, Instant};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_str(value).expect("plain text"))).collect()
    }

    #[test]
    fn a_session_ends_with_its_life_and_when_it_is_closed() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let set = sessions.open(User::new("ann"), now, true).expect("randomness");
        assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure"), "{set}");
        let cookie = headers(&[("cookie", &format!("other=1; {}", set.split(';').next().unwrap_or_default()))]);
        assert_eq!(sessions.user(&cookie, now), Some(User::new("ann")));
        assert_eq!(sessions.user(&cookie, now + LIFE + Duration::from_secs(1)), None);
        assert_eq!(sessions.user(&headers(&[("cookie", &format!("{COOKIE}=guess"))]), now), None);
        sessions.close(&cookie);
        assert_eq!(sessions.user(&cookie, now), None);
    }

    #[test]
    fn only_our_own_pages_may_act_by_cookie() {
        for (pairs, ours) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://h:1"), ("host", "h:1")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("origin", "http://h:1"), ("host", "h:1")], true),
            (&[("origin", "http://evil"), ("host", "h:1")], false),
            (&[("origin", "null"), ("host", "h:1")], false),
        ] {
            assert_eq!(same_site(&headers(pairs)), ours, "{pairs:?}");
        }
    }
}

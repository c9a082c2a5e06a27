//! Whether a page answers as it must. Redirects are followed one by one, each judged like the first address.
//!
//! Of the server's own systems (targets, its store, Vault, Prometheus) the status alone is asked: what they hold is read through grants, never by a probe.

use super::{
    config::{Authority, ConfigError},
    excerpt::excerpt,
    networks::{Networks, bare, is_same},
    reach::{Lookup, is_guarded, reach},
};
use crate::core::model::{HttpMethod, HttpProbe, JsonIs, Saw};
use reqwest::{
    Client, Method, Response, StatusCode, Url,
    dns::{Name, Resolve, Resolving},
    header::LOCATION,
    redirect::Policy,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
};

/// Browsers follow 20; a health check that needs more than a few is about something else.
const REDIRECTS: usize = 5;
/// What of a body is looked at.
const BODY: usize = 1 << 20;
/// Clients kept, one for each set of addresses; made again when a host moves.
const CLIENTS: usize = 256;

/// Makes clients that connect to judged addresses alone.
pub(super) struct Http {
    authority: Option<Authority>,
    clients: Mutex<BTreeMap<(String, Vec<SocketAddr>), Client>>,
}

/// A resolver that knows nothing: only addresses that were judged are connected to.
struct Nobody;

impl Resolve for Nobody {
    fn resolve(&self, name: Name) -> Resolving {
        let why = format!("{} was not judged before", name.as_str());
        Box::pin(async move { Err(why.into()) })
    }
}

impl Http {
    /// Fails where the authority is none.
    pub fn new(authority: Option<Authority>) -> Result<Self, ConfigError> {
        let http = Self { authority, clients: Mutex::default() };
        http.build("localhost", &[]).map_err(|error| ConfigError { what: format!("no client can be made with `probes.ca`: {}", innermost(&error)) })?;
        Ok(http)
    }

    fn build(&self, host: &str, addresses: &[SocketAddr]) -> Result<Client, reqwest::Error> {
        // No connection outlives its question: a probe sees what a new client would.
        let mut builder = Client::builder().no_proxy().redirect(Policy::none()).pool_max_idle_per_host(0).dns_resolver(Nobody).resolve_to_addrs(host, addresses);
        builder = builder.user_agent(concat!("trueup/", env!("CARGO_PKG_VERSION")));
        if let Some(Authority(pem)) = &self.authority {
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem)?);
        }
        builder.build()
    }

    fn client(&self, host: &str, addresses: Vec<SocketAddr>) -> Result<Client, String> {
        let key = (host.to_owned(), addresses);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.build(&key.0, &key.1).map_err(|error| format!("no client can be made: {}", innermost(&error)))?;
        if clients.len() >= CLIENTS {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// Asks one URL, and where it leads; `follow`: redirects are. The answer, and whether it is a system's of the server's own.
    async fn get(&self, networks: &Networks, lookup: &dyn Lookup, probe: &HttpProbe, method: Method, follow: bool) -> Result<(Response, bool), Saw> {
        let nothing = |why: String| Saw::Nothing(why.into());
        let mut at = Url::parse(&probe.url).map_err(|error| nothing(format!("the URL cannot be read: {error}")))?;
        let first = at.clone();
        for _ in 0..=REDIRECTS {
            let (addresses, guarded) = judged(networks, lookup, &at, door(&at, probe)).await.map_err(nothing)?;
            if guarded && is_curious(probe) {
                return Err(nothing(format!("{} is {GUARDED}; {STATUS_ALONE}", shown(&at, probe))));
            }
            let client = self.client(at.host_str().unwrap_or_default(), addresses.clone()).map_err(nothing)?;
            let response = client.request(method.clone(), at.clone()).send().await.map_err(|error| failed(&shown(&at, probe), &error))?;
            // Said again of the connection itself: whatever a client library does one day, nothing else is believed.
            if response.remote_addr().is_some_and(|is| !addresses.iter().any(|one| one.ip() == is.ip())) {
                return Err(nothing(format!("{} was answered from an address that was not judged", shown(&at, probe))));
            }
            let next = match response.headers().get(LOCATION) {
                Some(to) if follow && !guarded && response.status().is_redirection() => to.to_str().ok().and_then(|to| at.join(to).ok()),
                Some(_) | None => return Ok((response, guarded)),
            };
            let next = next.ok_or_else(|| Saw::Bad(format!("{} leads to something that is no URL", shown(&at, probe)).into()))?;
            // It is this address that is asked, not the one where others are sent.
            if probe.at.is_some() && next.host_str() != first.host_str() {
                return Ok((response, guarded));
            }
            at = next;
        }
        Err(Saw::Bad(format!("{} leads on more than {REDIRECTS} times", excerpt(probe.url.as_bytes())).into()))
    }

    pub async fn ask(&self, networks: &Networks, lookup: &dyn Lookup, probe: &HttpProbe) -> Saw {
        let method = match probe.method {
            HttpMethod::Get => Method::GET,
            HttpMethod::Head => Method::HEAD,
        };
        let follow = !(300..400).contains(&probe.status);
        let (response, guarded) = match self.get(networks, lookup, probe, method, follow).await {
            Ok(answered) => answered,
            Err(saw) => return saw,
        };
        let (status, at) = (response.status(), shown(response.url(), probe));
        if guarded {
            let said = format!("{at} answered {}", code(status)).into();
            return if status.as_u16() == probe.status { Saw::Good(said) } else { Saw::Bad(said) };
        }
        let (body, more) = match body(response).await {
            Ok(read) => read,
            Err(why) => return Saw::Nothing(format!("{at} broke off: {why}").into()),
        };
        if status.as_u16() != probe.status {
            let says = if body.is_empty() { String::new() } else { format!(": {}", excerpt(&body)) };
            return Saw::Bad(format!("{at} answered {}{says}", code(status)).into());
        }
        let wrong = contains(probe, &body).or_else(|| holds(probe, &body, more));
        match wrong {
            Some(why) => Saw::Bad(format!("{at} answered {}, {why}", code(status)).into()),
            None => Saw::Good(format!("{at} answered {}", code(status)).into()),
        }
    }
}

const GUARDED: &str = "the API of a system that the server itself is configured with, whose answers are read through grants alone";
const STATUS_ALONE: &str = "compare its status, without `contains` and `json`";

fn is_curious(probe: &HttpProbe) -> bool {
    probe.contains.is_some() || probe.json.is_some()
}

/// Why a probe asks a system of the server's own for more than a status, as far as its name tells; names that lead there are found when it is asked.
pub(super) fn too_curious(networks: &Networks, url: &Url, probe: &HttpProbe) -> Option<(String, String)> {
    let (host, port) = (door(url, probe), url.port_or_known_default()?);
    (is_curious(probe) && networks.guarded(port).any(|known| is_same(known, host))).then(|| (format!("{host}:{port} is {GUARDED}"), STATUS_ALONE.to_owned()))
}

/// What is connected to: the host of the URL, or what the probe names in its place.
pub(super) fn door<'a>(url: &'a Url, probe: &'a HttpProbe) -> &'a str {
    probe.at.as_deref().unwrap_or_else(|| url.host_str().unwrap_or_default())
}

/// The addresses that a URL may be connected to at by this door, and whether a system of the server's own stands there.
async fn judged(networks: &Networks, lookup: &dyn Lookup, url: &Url, door: &str) -> Result<(Vec<SocketAddr>, bool), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{} is neither http nor https", excerpt(url.scheme().as_bytes())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it leads to a URL with a user or a password in it, which is not followed".to_owned());
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the URL names no host")?;
    let port = url.port_or_known_default().ok_or("the URL names no port")?;
    // A client goes to an address that a URL names, whatever it is told.
    let address = |text: &str| bare(text).parse::<IpAddr>().ok();
    if address(host).is_some_and(|named| address(door) != Some(named)) {
        return Err(format!("{host} is an address already, and cannot be asked for at {door}"));
    }
    let addresses = reach(networks, lookup, door, port).await?;
    let named = networks.guarded(port).any(|known| is_same(known, host));
    let guarded = named || is_guarded(networks, lookup, door, port, &addresses).await?;
    Ok((addresses, guarded))
}

fn failed(at: &str, error: &reqwest::Error) -> Saw {
    let what = innermost(error);
    if error.is_connect() { Saw::Bad(format!("{at} takes no connection: {what}").into()) } else { Saw::Nothing(format!("{at}: {what}").into()) }
}

/// What went wrong at the bottom, escaped and bounded.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string().chars().take(200).flat_map(char::escape_debug).collect()
}

/// A URL without its query, which may hold what nobody should read, and where it was asked for.
fn shown(url: &Url, probe: &HttpProbe) -> String {
    let mut text = format!("{}{}", url.origin().ascii_serialization(), url.path());
    if text.len() > 200 {
        text = format!("{}…", text.chars().take(199).collect::<String>());
    }
    if let Some(at) = &probe.at {
        text += " at ";
        text += at;
    }
    text
}

fn code(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// The first of a body, and whether there is more.
pub(super) async fn body(mut response: Response) -> Result<(Vec<u8>, bool), String> {
    let mut read = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| innermost(&error))? {
        read.extend_from_slice(&chunk[..chunk.len().min(BODY - read.len())]);
        if read.len() == BODY {
            return Ok((read, true));
        }
    }
    Ok((read, false))
}

fn contains(probe: &HttpProbe, body: &[u8]) -> Option<String> {
    let text = probe.contains.as_ref()?;
    let found = text.is_empty() || body.windows(text.len()).any(|part| part == text.as_bytes());
    (!found).then(|| format!("and its body holds no {}: {}", excerpt(text.as_bytes()), excerpt(body)))
}

fn holds(probe: &HttpProbe, body: &[u8], more: bool) -> Option<String> {
    let JsonIs { pointer, equals } = probe.json.as_ref()?;
    if more {
        return Some("and its body is too large to be read as JSON".to_owned());
    }
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) else { return Some(format!("and its body is no JSON: {}", excerpt(body))) };
    let is = match json.pointer(pointer) {
        None => return Some(format!("and its body has nothing at {}", excerpt(pointer.as_bytes()))),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    (is != **equals).then(|| format!("and its body has {} at {}", excerpt(is.as_bytes()), excerpt(pointer.as_bytes())))
}

//! The public keys of an issuer: fetched with bounds, kept for a while, fetched anew when a token names one that is not known.

use crate::core::review::escape;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use reqwest::Url;
use serde_json::Value;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt as _, sync::Mutex};

/// Issuers publish two or three keys of a kilobyte each.
const MOST: usize = 256 << 10;

/// More keys than any issuer has.
const MOST_KEYS: usize = 100;

/// How long keys are taken as they are. An issuer publishes a new one long before it signs with it.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// How long known keys still prove tokens while the issuer is away: a day is an outage, longer is a fault to mend.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// The least time between two looks: whoever sends tokens with made-up keys must not have the issuer asked each time.
const PAUSE: Duration = Duration::from_secs(30);

/// How long the issuer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// Where keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    Url { url: String, ca: Option<Vec<u8>> },
    File(PathBuf),
}

/// The keys of one issuer.
pub struct Keys {
    source: Source,
    held: Mutex<Held>,
    pause: Duration,
}

enum Source {
    Url(Url, reqwest::Client),
    File(PathBuf),
}

#[derive(Default)]
struct Held {
    keys: Vec<Jwk>,
    read: Option<Instant>,
    tried: Option<Instant>,
    /// Why the last look failed.
    trouble: Option<String>,
}

/// Why a key is not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The issuer publishes no such key.
    Unknown,
    /// The keys cannot be read: where, and why.
    Away(String),
}

impl Keys {
    /// Keys from a place; nothing is read yet.
    pub fn new(source: KeySource) -> anyhow::Result<Self> {
        Self::looking_every(source, PAUSE)
    }

    /// The same with another least time between two looks.
    pub fn looking_every(source: KeySource, pause: Duration) -> anyhow::Result<Self> {
        let source = match source {
            KeySource::File(path) => Source::File(path),
            KeySource::Url { url, ca } => {
                // Whoever answers in the issuer's place could sign anything: nobody is led elsewhere.
                let mut builder = reqwest::Client::builder().timeout(ANSWER).redirect(reqwest::redirect::Policy::none()).no_proxy();
                builder = builder.user_agent(concat!("trueup/", env!("CARGO_PKG_VERSION")));
                if let Some(ca) = &ca {
                    builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(ca)?);
                }
                Source::Url(Url::parse(&url)?, builder.build()?)
            }
        };
        Ok(Self { source, held: Mutex::default(), pause })
    }

    /// The key of a name. The keys are read first where they are old, or where the name is new.
    pub async fn key(&self, name: &str) -> Result<Jwk, KeyFault> {
        // Whoever comes meanwhile waits, instead of asking the same again.
        let mut held = self.held.lock().await;
        let is_fresh = held.read.is_some_and(|read| read.elapsed() < FRESH);
        if !(is_fresh && held.find(name).is_some()) && held.tried.is_none_or(|tried| tried.elapsed() >= self.pause) {
            held.tried = Some(Instant::now());
            match self.read().await {
                Ok(keys) => *held = Held { keys, read: Some(Instant::now()), tried: held.tried, trouble: None },
                Err(why) => {
                    tracing::warn!("the keys of an issuer of CI cannot be read: {why}");
                    held.trouble = Some(why);
                }
            }
        }
        let usable = held.read.is_some_and(|read| read.elapsed() < STALE);
        match (held.find(name).filter(|_| usable), &held.trouble) {
            (Some(key), _) => Ok(key.clone()),
            (None, Some(why)) => Err(KeyFault::Away(why.clone())),
            (None, None) => Err(KeyFault::Unknown),
        }
    }

    async fn read(&self) -> Result<Vec<Jwk>, String> {
        let (place, text) = match &self.source {
            Source::File(path) => (path.display().to_string(), file(path).await),
            Source::Url(url, http) => (url.to_string(), fetched(http, url).await),
        };
        let wrong = |why: String| format!("{place}: {why}");
        let set: Value = serde_json::from_slice(&text.map_err(wrong)?).map_err(|error| wrong(format!("that is no JSON: {error}")))?;
        let all = set["keys"].as_array().ok_or_else(|| wrong("that is no JWK set: there is no list `keys`".into()))?;
        if all.len() > MOST_KEYS {
            return Err(wrong(format!("that holds more than {MOST_KEYS} keys")));
        }
        // A key of a kind that is not known is not ours to use, and takes no other with it.
        Ok(all.iter().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok()).filter(signs).collect())
    }
}

/// Whether a key is a public one for signatures.
fn signs(key: &Jwk) -> bool {
    let for_signatures = key.common.public_key_use.as_ref().is_none_or(|of| *of == jsonwebtoken::jwk::PublicKeyUse::Signature);
    for_signatures
        && match &key.algorithm {
            AlgorithmParameters::RSA(_) | AlgorithmParameters::EllipticCurve(_) => true,
            AlgorithmParameters::OctetKey(_) | AlgorithmParameters::OctetKeyPair(_) => false,
        }
}

impl Held {
    fn find(&self, name: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.common.key_id.as_deref() == Some(name))
    }
}

async fn file(path: &PathBuf) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(path).await.map_err(|error| error.to_string())?;
    file.take(MOST as u64 + 1).read_to_end(&mut bytes).await.map_err(|error| error.to_string())?;
    if bytes.len() > MOST { Err(too_long()) } else { Ok(bytes) }
}

async fn fetched(http: &reqwest::Client, url: &Url) -> Result<Vec<u8>, String> {
    let lost = |error: reqwest::Error| {
        let mut why: &dyn std::error::Error = &error;
        while let Some(inner) = why.source() {
            why = inner;
        }
        escape::cut(&why.to_string(), 200)
    };
    let mut response = http.get(url.clone()).send().await.map_err(lost)?;
    if !response.status().is_success() {
        return Err(format!("it answered {}", response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(lost)? {
        bytes.extend_from_slice(&part);
        if bytes.len() > MOST {
            return Err(too_long());
        }
    }
    Ok(bytes)
}

fn too_long() -> String {
    format!("that is longer than the {MOST} bytes that are read")
}

//! The headers of a delivery: which forge sent it, which event it is, its id and its proof.

use std::fmt;

/// The longest id that is kept; forges send UUIDs.
const ID_MOST: usize = 200;

/// How a delivery is signed and what its payload looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    GitHub,
    GitLab,
    /// Forgejo as well.
    Gitea,
}

/// What the headers of a delivery say.
pub struct Envelope {
    pub dialect: Dialect,
    /// The event's name: `pull_request`, `Merge Request Hook`.
    pub event: String,
    /// The delivery's own id. None: the sender names none, or it is no plain text.
    pub id: Option<String>,
    pub(super) proof: Proof,
}

/// What a delivery brings to show that it is genuine.
#[derive(Default)]
pub(super) struct Proof {
    /// The HMAC-SHA256 of the payload under the secret.
    pub mac: Option<Vec<u8>>,
    /// The secret itself.
    pub token: Option<String>,
    pub standard: Option<Standard>,
}

/// The headers of the Standard Webhooks specification.
pub(super) struct Standard {
    pub id: String,
    /// Seconds since the epoch, as they were written: the mac covers the text.
    pub timestamp: String,
    /// `v1,BASE64`, several of them while a key is rotated.
    pub signatures: String,
}

/// Without its proof, which may be the secret itself.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("dialect", &self.dialect).field("event", &self.event).field("id", &self.id).finish_non_exhaustive()
    }
}

impl Dialect {
    /// Whose delivery this is by its headers. Gitea and Forgejo come first: they send GitHub's headers as well.
    pub fn of<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let any = |names: &[&str]| names.iter().any(|name| header(name).is_some());
        if any(&["x-forgejo-event", "x-gitea-event", "x-gogs-event"]) {
            Some(Self::Gitea)
        } else if any(&["x-gitlab-event"]) {
            Some(Self::GitLab)
        } else if any(&["x-github-event"]) {
            Some(Self::GitHub)
        } else {
            None
        }
    }
}

impl Envelope {
    /// Reads the headers; `header` answers by lowercase name. None: no forge that we know sent this.
    pub fn of<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let dialect = Dialect::of(&header)?;
        let first = |names: &[&str]| names.iter().find_map(|name| header(name));
        let (event, id, proof) = match dialect {
            Dialect::GitHub => {
                let mac = header("x-hub-signature-256").and_then(|text| hex(text.strip_prefix("sha256=")?));
                (header("x-github-event"), header("x-github-delivery"), Proof { mac, ..Proof::default() })
            }
            Dialect::Gitea => {
                let mac = first(&["x-forgejo-signature", "x-gitea-signature", "x-gogs-signature"]).and_then(hex);
                let id = first(&["x-forgejo-delivery", "x-gitea-delivery", "x-gogs-delivery"]);
                (first(&["x-forgejo-event", "x-gitea-event", "x-gogs-event"]), id, Proof { mac, ..Proof::default() })
            }
            Dialect::GitLab => {
                let standard =
                    || Some(Standard { id: header("webhook-id")?.into(), timestamp: header("webhook-timestamp")?.into(), signatures: header("webhook-signature")?.into() });
                // The id of the event comes last: events that follow from one another share it, and then most of them would count as known.
                let id = first(&["webhook-id", "idempotency-key", "x-gitlab-event-uuid"]);
                (header("x-gitlab-event"), id, Proof { mac: None, token: header("x-gitlab-token").map(str::to_owned), standard: standard() })
            }
        };
        let id = id.filter(|id| (1..=ID_MOST).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic())).map(str::to_owned);
        Some(Self { dialect, event: event?.to_owned(), id, proof })
    }
}

/// The bytes of hex digits.
fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

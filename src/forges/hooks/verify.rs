//! Whether a delivery is genuine: macs and tokens compared in constant time.

use super::envelope::{Dialect, Envelope, Standard};
use crate::{
    core::model::{Span, Time},
    ports::SecretText,
};
use aws_lc_rs::{constant_time, digest, hmac};
use base64::{Engine as _, alphabet, engine::GeneralPurpose, engine::general_purpose::GeneralPurposeConfig};

/// How far a signed time may be from ours, either way: what the specification of Standard Webhooks names.
pub const TOLERANCE: Span = Span::mins(5);

/// Signatures looked at in one delivery; a key is rotated between two.
const SIGNATURES_MOST: usize = 8;

/// What a signing token of Standard Webhooks starts with.
const SIGNING: &str = "whsec_";

/// Padding is written by all and asked for by nobody.
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent));

/// Why a delivery is not taken as genuine. For our log and numbers: whoever sent it learns nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It brings no proof of the kind that the secret asks for.
    Unsigned,
    /// The proof is wrong under every secret.
    Forged,
    /// It is genuine, and was signed too long ago, or in the future.
    Stale,
    /// We have no secret for it.
    NoSecret,
}

impl Refused {
    /// The reason as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::Stale => "stale",
            Self::NoSecret => "no_secret",
        }
    }
}

/// Judges a delivery by secrets, any of which may have signed it. `body` is what came over the wire, `payload` what a form held; without a form they are the same.
///
/// The work is the same for every secret whether or not it fits, and the comparison takes the same time wherever they differ.
pub fn verify(envelope: &Envelope, body: &[u8], payload: &[u8], secrets: &[SecretText], now: Time) -> Result<(), Refused> {
    if secrets.is_empty() {
        return Err(Refused::NoSecret);
    }
    let verdicts: Vec<Result<(), Refused>> = secrets.iter().map(|secret| one(envelope, body, payload, secret.expose().trim(), now)).collect();
    // The nearest to genuine is the most telling.
    let rank = |verdict: &Result<(), Refused>| match verdict {
        Ok(()) => 0,
        Err(Refused::Stale) => 1,
        Err(Refused::Forged) => 2,
        Err(Refused::Unsigned | Refused::NoSecret) => 3,
    };
    verdicts.into_iter().min_by_key(rank).unwrap_or(Err(Refused::NoSecret))
}

fn one(envelope: &Envelope, body: &[u8], payload: &[u8], secret: &str, now: Time) -> Result<(), Refused> {
    let proof = &envelope.proof;
    if secret.is_empty() {
        return Err(Refused::NoSecret);
    }
    match envelope.dialect {
        Dialect::GitHub => signed(secret.as_bytes(), body, proof.mac.as_deref()),
        // Gitea signs the JSON and then makes the form.
        Dialect::Gitea => signed(secret.as_bytes(), payload, proof.mac.as_deref()),
        // A signing token is held to its signature: falling back on the plain token would let whoever has seen that one forge.
        Dialect::GitLab => match secret.strip_prefix(SIGNING) {
            Some(key) => {
                let key = BASE64.decode(key).map_err(|_| Refused::NoSecret)?;
                standard(&key, body, proof.standard.as_ref().ok_or(Refused::Unsigned)?, now)
            }
            None => {
                let token = proof.token.as_deref().ok_or(Refused::Unsigned)?;
                // Digests are of one length, so not even the secret's length shows.
                let digests = [secret, token].map(|text| digest::digest(&digest::SHA256, text.as_bytes()));
                constant_time::verify_slices_are_equal(digests[0].as_ref(), digests[1].as_ref()).map_err(|_| Refused::Forged)
            }
        },
    }
}

fn signed(key: &[u8], bytes: &[u8], mac: Option<&[u8]>) -> Result<(), Refused> {
    let mac = mac.ok_or(Refused::Unsigned)?;
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes, mac).map_err(|_| Refused::Forged)
}

/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>, symmetric signatures.
fn standard(key: &[u8], body: &[u8], headers: &Standard, now: Time) -> Result<(), Refused> {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in [headers.id.as_bytes(), b".", headers.timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    let ours = mac.sign();
    let theirs = headers.signatures.split(' ').filter_map(|signature| BASE64.decode(signature.strip_prefix("v1,")?).ok()).take(SIGNATURES_MOST);
    // Counted and not searched, so that the place of the right one does not show.
    let right = theirs.filter(|mac| constant_time::verify_slices_are_equal(mac, ours.as_ref()).is_ok()).count();
    if right == 0 {
        return Err(Refused::Forged);
    }
    let signed_at: i64 = headers.timestamp.parse().map_err(|_| Refused::Stale)?;
    let off = signed_at.saturating_mul(1000).abs_diff(now.0);
    if off > TOLERANCE.0 { Err(Refused::Stale) } else { Ok(()) }
}

//! References to secrets in place of values: a leaf whose whole text is one.

use super::format::Leaf;
use crate::{
    core::model::{Place, Refusal, RefusalKind, SecretRef, Value},
    kinds::config::{bytes, value},
};

/// What an import writes where a sensitive value lives: never the value, and nothing that could be read as a reference somebody chose.
pub const TO_FILL: &str = "secret://PROVIDER/PATH";

/// What a leaf asks for. A file's line break at the end is no part of a reference.
pub(super) fn asked(leaf: &Leaf) -> Result<Value, Refusal> {
    let Some(text) = meant(&leaf.bytes) else { return Ok(value(&leaf.bytes)) };
    if text == TO_FILL {
        let refusal = Refusal::new(RefusalKind::Unknown, "the reference to a secret is still to be filled in: an import left it open, because what lives there is sensitive");
        return Err(refusal.at(leaf.place.clone()).advice("put the secret into a provider, and write `secret://PROVIDER/PATH#FIELD@VERSION` of it here"));
    }
    SecretRef::parse(text).map(Value::Secret).map_err(|what| {
        let advice = "write `secret://PROVIDER/PATH#FIELD@VERSION`, where field and version may be left out";
        Refusal::new(RefusalKind::Unknown, format!("the reference to a secret cannot be read: {what}")).at(leaf.place.clone()).advice(advice)
    })
}

/// The bytes a value stands for in a file: a reference as it is written.
pub(super) fn written(value: &Value) -> Result<Vec<u8>, Refusal> {
    match value {
        Value::Secret(secret) => Ok(match &secret.version {
            Some(version) => format!("{}@{version}", secret.uri),
            None => secret.uri.to_string(),
        }
        .into_bytes()),
        plain => bytes(plain),
    }
}

/// Refuses a plain value that reads like a reference: written into a file it would ask for another value than its own.
pub(super) fn misread(key: &str, place: &Place) -> Refusal {
    let refusal = Refusal::new(RefusalKind::Value, format!("what is live at `{key}` is text that a file would take for a reference to a secret, so it cannot be written into one"));
    let refusal = if place.file.is_empty() { refusal } else { refusal.at(place.clone()) };
    refusal.advice("leave the key out, or bring the value that was meant to the live system; drift of it is undone there, or answered for with `/trueup override`")
}

/// The text of what is meant as a reference.
pub(super) fn meant(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    SecretRef::is_meant(text).then_some(text)
}

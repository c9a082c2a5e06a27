//! References to secrets in place of values: a leaf whose whole text is one.

use super::format::Leaf;
use crate::{
    core::model::{Refusal, RefusalKind, SecretRef, Value},
    kinds::config::{bytes, value},
};

/// What a leaf asks for. A file's line break at the end is no part of a reference.
pub(super) fn asked(leaf: &Leaf) -> Result<Value, Refusal> {
    let Some(text) = meant(&leaf.bytes) else { return Ok(value(&leaf.bytes)) };
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

/// The text of what is meant as a reference.
pub(super) fn meant(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    SecretRef::is_meant(text).then_some(text)
}

//! Bytes as a canonical value and back: what is text stays text, what is not is base64, and nothing is in between.

use super::kind::fault;
use crate::core::model::{Refusal, Value};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The field under which bytes that are no text are kept.
const BASE64: &str = "base64";

/// The canonical value of these bytes.
pub fn value(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::str(text),
        Err(_) => Value::map([(BASE64, Value::str(STANDARD.encode(bytes)))]),
    }
}

/// The bytes of a value; refused when it is neither text nor base64.
pub fn bytes(value: &Value) -> Result<Vec<u8>, Refusal> {
    match value {
        Value::Str(text) => Ok(text.as_bytes().to_vec()),
        Value::Map(map) if map.len() == 1 => {
            let text = map.get(BASE64).and_then(Value::as_str).ok_or_else(neither)?;
            STANDARD.decode(text).map_err(|_| fault("the value is not base64", "encode it with padding, as `base64 -w0` does"))
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Num(_) | Value::List(_) | Value::Map(_) | Value::Blob { .. } | Value::Unknown(_) => Err(neither()),
        Value::Secret(_) | Value::Hidden(_) => Err(fault("the value is a secret that was not resolved", "report this as a fault of trueup")),
    }
}

fn neither() -> Refusal {
    fault("the value is neither text nor bytes", "write it as text, or as `base64:` where it is binary")
}

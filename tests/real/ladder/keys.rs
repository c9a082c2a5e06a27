//! What the ladder writes into targets that hold keys, and a hand that puts it there.

use trueup::{
    core::model::{ResourceId, Value},
    kinds::config::{bytes, value},
};

/// The `v`-th value of the `n`-th key: text, lines, bytes that are no text, or `large` bytes and more.
pub fn key_value(n: usize, v: usize, large: usize) -> Value {
    value(&match n % 4 {
        0 => format!("value {n} {v}").into_bytes(),
        1 => format!("lines\r\n{n}\n{v}\n").into_bytes(),
        2 => vec![0xff, 0, n as u8, v as u8],
        _ => vec![b'x'; large * v],
    })
}

/// Puts a value, or deletes the key, as another program would.
pub fn put_or_delete(id: &ResourceId, value: Option<&Value>, put: impl FnOnce(&str, &[u8]), delete: impl FnOnce(&str)) {
    match value {
        Some(value) => put(&id.name, &bytes(value).expect("it is a value")),
        None => delete(&id.name),
    }
}

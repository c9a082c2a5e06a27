//! The config kind: keys and their values in a config center.
//!
//! A resource is one key. Its name is the key, byte for byte (`/app/db/host`), its canonical value the bytes that are kept there: text where they
//! are UTF-8, else `{base64: …}`. Which keys and how much of a value a target can hold differs, so each target has a `Config` of its own `Shape`.

mod check;
mod content;
mod kind;
mod names;

pub use content::{bytes, value};
pub use kind::{Config, KEY, KEYS, Names, Shape, key_id};

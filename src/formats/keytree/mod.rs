//! Key trees: a folder tree is a tree of keys, a file is a key with the file's bytes, and YAML, JSON, TOML and properties files may be expanded.
//!
//! The words are those of the tools that did this before (Gonsul, git2consul): `prefix` is what every key starts with, `expand` names the
//! extensions whose files give a key for every leaf. An expanded file `db.yaml` is the folder `db`; any other file's whole name is its key.
//! With `schemas`, `db.schema.json` says what `db.yaml` may hold, expanded or not.

mod edit;
mod flatten;
mod format;
mod json;
mod properties;
mod schema;
mod secret;
mod toml;
mod write;

pub use format::{Expand, KeyTree, NAME};
pub use secret::TO_FILL;

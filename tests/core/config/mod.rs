//! The config kind.

mod kind;

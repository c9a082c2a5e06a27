//! What each kind of target means, purely.

pub mod dns;

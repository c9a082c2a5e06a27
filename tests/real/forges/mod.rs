//! Network forges: a forge that is plain state behind the vendors' wire formats, and the drivers over it.

pub mod fake;
mod gitea;
pub mod hosted;
mod net;
mod proof;
mod table;
mod world;

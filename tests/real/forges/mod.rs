//! Network forges: a forge that is plain state behind the vendors' wire formats, and the drivers over it.

mod checkout;
mod failing;
pub mod fake;
mod gitea;
pub mod hosted;
mod net;
mod proof;
mod stories;
mod table;
mod world;

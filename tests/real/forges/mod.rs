//! Network forges: a forge that is plain state behind the vendors' wire formats, and the drivers over it.

mod fake;
mod gitea;
mod hosted;
mod net;
mod proof;
mod table;
mod world;

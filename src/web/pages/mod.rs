//! The pages: pure functions from view models to HTML, without files, network or clock.
//!
//! They work without scripts; one small script reloads the live part of a change's page when the server says that
//! something happened. Templates are embedded and escape everything; sentences of ours keep their code spans.

mod change;
mod drift;
mod form;
mod list;
mod page;
mod template;

pub use change::{Record, change, live};
pub use drift::drift;
pub use form::{FormError, command};
pub use list::changes;
pub use page::{Reader, content_security_policy, fault, login, own_path};

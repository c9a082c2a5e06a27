//! What every page has: who reads it, style, script, and the pages for signing in and for faults.

use super::template::{SCRIPT, STYLE, render, safe, sentence};
use crate::core::model::User;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// The person a page is made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// None: not signed in; such a page has no buttons.
    pub who: Option<User>,
    /// Whether an operator halted the server.
    pub halted: bool,
}

/// The path to go to after signing in; the list for what is no path of this server (`//host` and full URLs lead elsewhere).
pub fn own_path(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\t', '\r', '\n']);
    if own { next } else { "/" }
}

/// The page on which a token is handed in; `next` is the path to go to afterwards.
pub fn login(next: &str, fault: Option<&str>) -> String {
    render("login.html", with_frame(&Reader::default(), "Sign in", json!({ "next": own_path(next), "fault": fault })))
}

/// A page that says what went wrong and what to do next.
pub fn fault(status: u16, what: &str, reader: &Reader) -> String {
    render("fault.html", with_frame(reader, "Not done", json!({ "status": status, "what": sentence(what) })))
}

/// The header under which pages are served: nothing but our own style and script runs, and nothing frames us.
pub fn content_security_policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// The model with what the frame of every page needs.
pub fn with_frame(reader: &Reader, title: &str, mut model: Json) -> Json {
    model["frame"] = json!({
        "title": title,
        "style": safe(STYLE.to_owned()),
        "script": safe(SCRIPT.to_owned()),
        "who": reader.who.as_ref().map(User::as_str),
        "halted": reader.halted,
    });
    model
}

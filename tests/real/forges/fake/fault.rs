//! How a forge fails on demand: which call, how often, before or after it did what was asked; and what people do right before a call.

use super::{door::Answer, state::State};
use serde_json::json;
use std::sync::Arc;

/// One way to fail.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Calls let through first, of those that it is about.
    pub skip: u64,
    /// How many fail.
    pub times: u64,
    /// A method, or any.
    pub method: Option<&'static str>,
    /// A part of the path.
    pub path: &'static str,
    pub answer: Answer,
    /// What was asked is done all the same: the answer alone is lost.
    pub after: bool,
    /// Nothing fails: somebody does this right before.
    pub deed: Option<Deed>,
}

/// What somebody does.
#[derive(Clone)]
pub struct Deed(pub Arc<dyn Fn(&mut State) + Send + Sync>);

impl std::fmt::Debug for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("somebody does something")
    }
}

impl Fault {
    pub fn status(status: u16) -> Self {
        let message = match status {
            401 => "Bad credentials",
            403 => "Resource not accessible by personal access token",
            404 => "Not Found",
            405 => "Pull Request is not mergeable",
            409 => "Conflict",
            422 => "Validation Failed",
            429 => "API rate limit exceeded",
            _ => "Server Error",
        };
        Self { skip: 0, times: u64::MAX, method: None, path: "", answer: Answer::new(status, json!({ "message": message })), after: false, deed: None }
    }

    /// GitHub's limit on how fast content is made: a 403 that says when to come again.
    pub fn too_fast(seconds: u32) -> Self {
        let mut fault = Self::status(403).once();
        fault.answer = Answer::new(403, json!({ "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again." }));
        fault.answer.headers.push(("retry-after".into(), seconds.to_string()));
        fault
    }

    /// A refusal of bursts that says no time in any header.
    pub fn secondary() -> Self {
        let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        Self { answer: Answer::new(403, json!({ "message": message })), ..Self::status(403) }
    }

    /// Somebody does something right before the first such call.
    pub fn meanwhile(deed: impl Fn(&mut State) + Send + Sync + 'static) -> Self {
        Self { deed: Some(Deed(Arc::new(deed))), ..Self::status(200).once() }
    }

    pub fn once(mut self) -> Self {
        self.times = 1;
        self
    }

    /// Only the call after `calls` others.
    pub fn after_calls(mut self, calls: u64) -> Self {
        self.skip = calls;
        self.once()
    }

    pub fn on(mut self, method: &'static str, path: &'static str) -> Self {
        self.method = Some(method);
        self.path = path;
        self
    }

    /// The call is done, and its answer lost.
    pub fn done_first(mut self) -> Self {
        self.after = true;
        self
    }

    fn about(&self, method: &str, path: &str) -> bool {
        self.method.is_none_or(|wanted| wanted == method) && path.contains(self.path)
    }
}

/// The fault that this call meets, if any.
pub fn met(faults: &mut [Fault], method: &str, path: &str) -> Option<Fault> {
    for fault in faults.iter_mut().filter(|fault| fault.about(method, path)) {
        if fault.skip > 0 {
            fault.skip -= 1;
        } else if fault.times > 0 {
            fault.times -= 1;
            return Some(fault.clone());
        }
    }
    None
}

//! What `trueup forge setup` makes at a GitLab beside the branch's rule: the webhook, the labels, and that approvals do not outlive a push.

use super::{
    forge::{GitLab, Place},
    wire::{Approving, Hook, Label},
};
use crate::{
    core::model::Str,
    forges::net::{Mend, Need, hook_by_hand},
    ports::{self, Exam, ForgeErrorKind},
};
use reqwest::Method;
use serde_json::json;

/// Pages of webhooks and labels.
const PAGES: usize = 10;

/// The colour of our labels.
const COLOUR: &str = "#2f6f9f";

/// What a signing token of Standard Webhooks starts with; anything else is the older secret token.
const SIGNING: &str = "whsec_";

impl GitLab {
    /// The webhook of this server, known by its address.
    pub(super) async fn hook(&self, about: &str, place: &Place, hook: &ports::Hook) -> Need {
        let by_hand = hook_by_hand(&hook.url, "pushes, merge requests, comments, pipelines");
        let known: Vec<Hook> = match self.api.whole(&place.path("/hooks?per_page=100"), PAGES).await {
            Ok(known) => known,
            Err(error) => {
                let next = format!("make the account a maintainer of the project, or {by_hand}");
                return Need::seen(Exam::warn(about, format!("the account may not see the webhooks: {error}"), next));
            }
        };
        let signs = hook.secret.expose().trim().starts_with(SIGNING);
        let body = || {
            let mut body = json!({
                "url": hook.url, "push_events": true, "merge_requests_events": true, "note_events": true, "pipeline_events": true, "enable_ssl_verification": true,
            });
            body[if signs { "signing_token" } else { "token" }] = hook.secret.expose().trim().into();
            body
        };
        let Some(there) = known.iter().find(|known| known.url == hook.url) else {
            let mend = Mend { does: format!("make the webhook {}", hook.url), method: Method::POST, path: place.path("/hooks"), body: body() };
            return Need::no_hook(about, &hook.url, mend, by_hand);
        };
        let mut wrong = Vec::new();
        let told = [("pushes", there.push_events), ("merge requests", there.merge_requests_events), ("comments", there.note_events), ("pipelines", there.pipeline_events)];
        let lacking: Vec<&str> = told.into_iter().filter(|(_, told)| !told).map(|(what, _)| what).collect();
        if !lacking.is_empty() {
            wrong.push(format!("does not tell of {}", lacking.join(", ")));
        }
        if !there.enable_ssl_verification {
            wrong.push("takes any certificate".to_owned());
        }
        if !there.push_events_branch_filter.as_deref().unwrap_or_default().is_empty() {
            wrong.push("tells of pushes to some branches alone".to_owned());
        }
        // Older versions do not say whether there is one.
        if (if signs { there.signing_token_present } else { there.token_present }) == Some(false) {
            wrong.push("signs nothing".to_owned());
        }
        Need::hook(about, &hook.url, &wrong, hook.anew, by_hand, |does| {
            let mut edit = body();
            edit["push_events_branch_filter"] = "".into();
            vec![Mend { does, method: Method::PUT, path: place.path(format!("/hooks/{}", there.id)), body: edit }]
        })
    }

    /// Whether a push makes approvals void. Here they count for nothing after one; on GitLab's own page they would go on to be shown.
    pub(super) async fn stale(&self, about: &str, place: &Place) -> Option<Need> {
        let path = place.path("/approvals");
        let found: Approving = match self.api.get(&path).await {
            Ok(found) => found,
            // A plan that has no such settings.
            Err(error) if matches!(error.kind, ForgeErrorKind::NotFound | ForgeErrorKind::Denied) => return None,
            Err(error) => return Some(Need::seen(Exam::warn(about, error.to_string(), "try again"))),
        };
        let said = if found.reset_approvals_on_push { "a push makes them void" } else { "they are shown on after a push, and count for nothing here" };
        let mend = Mend { does: "let a push make approvals void".to_owned(), method: Method::POST, path, body: json!({ "reset_approvals_on_push": true }) };
        let mends = if found.reset_approvals_on_push { Vec::new() } else { vec![mend] };
        let by_hand = "settings, merge requests, approval settings: remove all approvals when a commit is added".to_owned();
        Some(Need { about: about.to_owned(), exams: vec![Exam::ok(about, said)], mends, by_hand })
    }

    /// The labels that are missing; they are made when they are first set, too.
    pub(super) async fn missing_labels(&self, about: &str, place: &Place, wanted: &[Str]) -> Option<Need> {
        if wanted.is_empty() {
            return None;
        }
        let known = self.api.whole::<Label>(&place.path("/labels?per_page=100"), PAGES).await.map(|known| known.into_iter().map(|label| label.name).collect());
        Some(Need::labels(
            about,
            wanted,
            known,
            |there, name| there == name,
            "make the account a developer of the project",
            |name, does| Mend { does, method: Method::POST, path: place.path("/labels"), body: json!({ "name": name, "color": COLOUR, "description": "set by trueup" }) },
        ))
    }
}

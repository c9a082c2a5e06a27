//! What `trueup forge setup` makes at a Gitea beside the branch's rule: the webhook and the labels.

use super::{
    forge::{Gitea, Place},
    wire::{Hook, Label},
    writer::COLOUR,
};
use crate::{
    core::model::Str,
    forges::net::{MOST_PAGES, Mend, Need, hook_by_hand},
    ports::{self, Exam},
};
use reqwest::Method;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// What our webhook door understands, as Gitea and Forgejo name it; reviews go with the second.
const EVENTS: [&str; 11] =
    ["push", "create", "delete", "issue_comment", "pull_request", "pull_request_comment", "pull_request_label", "pull_request_review", "pull_request_sync", "repository", "status"];

impl Gitea {
    /// The webhook of this server, known by its address.
    pub(super) async fn hook(&self, about: &str, place: &Place, hook: &ports::Hook) -> Need {
        let by_hand = hook_by_hand(&hook.url, "all that are about pushes, branches, pull requests, statuses and the repository");
        let known = match self.client.pages::<Hook>(&format!("{}/hooks?limit=50", place.api), MOST_PAGES).await {
            Ok((known, _)) => known,
            Err(error) => {
                let next = format!("let the account administer the repository, or {by_hand}");
                return Need::seen(Exam::warn(about, format!("the account may not see the webhooks: {error}"), next));
            }
        };
        let make = |does: String| {
            let config = json!({ "url": hook.url, "content_type": "json", "secret": hook.secret.expose() });
            let body = json!({ "type": "gitea", "active": true, "branch_filter": "*", "events": EVENTS, "config": config });
            Mend { does, method: Method::POST, path: format!("{}/hooks", place.api), body }
        };
        let at = |known: &&Hook| known.config.as_ref().is_some_and(|config| config.url == hook.url);
        let Some(there) = known.iter().find(at) else {
            let mend = make(format!("make the webhook {}", hook.url));
            return Need::no_hook(about, &hook.url, mend, by_hand);
        };
        let mut wrong = Vec::new();
        if !there.active {
            wrong.push("is switched off".to_owned());
        }
        let told: BTreeSet<&str> = there.events.iter().flatten().map(String::as_str).collect();
        let lacking: Vec<&str> = EVENTS.into_iter().filter(|event| !told.contains(event) && !tells(&told, event)).collect();
        if !lacking.is_empty() {
            wrong.push(format!("does not tell of {}", lacking.join(", ")));
        }
        if there.config.as_ref().is_some_and(|config| config.content_type != "json") {
            wrong.push("sends forms".to_owned());
        }
        if !matches!(&*there.branch_filter, "" | "*") {
            wrong.push(format!("tells of branches like `{}` alone", there.branch_filter));
        }
        Need::hook(about, &hook.url, &wrong, hook.anew, by_hand, |does| {
            let path = format!("{}/hooks/{}", place.api, there.id);
            if hook.anew {
                // No edit changes a secret: another hook stands before this one goes, and what both tell is taken once.
                return vec![
                    make("make the webhook again with its secret".to_owned()),
                    Mend { does: "take the old one away".to_owned(), method: Method::DELETE, path, body: Json::Null },
                ];
            }
            // Events that people added stay.
            let events: BTreeSet<&str> = EVENTS.into_iter().chain(told).collect();
            let body = json!({ "active": true, "branch_filter": "*", "events": events, "config": { "url": hook.url, "content_type": "json" } });
            vec![Mend { does, method: Method::PATCH, path, body }]
        })
    }

    /// The labels that are missing; they are made when they are first set, too.
    pub(super) async fn missing_labels(&self, about: &str, place: &Place, wanted: &[Str]) -> Option<Need> {
        if wanted.is_empty() {
            return None;
        }
        let known = self.client.pages::<Label>(&format!("{}/labels?limit=50", place.api), MOST_PAGES).await.map(|(known, _)| known.into_iter().map(|label| label.name).collect());
        Some(Need::labels(
            about,
            wanted,
            known,
            |there, name| there == name,
            "let the account administer the repository",
            |name, does| Mend { does, method: Method::POST, path: format!("{}/labels", place.api), body: json!({ "name": name, "color": COLOUR, "description": "set by trueup" }) },
        ))
    }
}

/// Whether nothing is missing without an event of this name: it is told under others, or not every version has it.
fn tells(told: &BTreeSet<&str>, event: &str) -> bool {
    match event {
        "status" | "pull_request_label" => true,
        "pull_request_review" => ["pull_request_review_approved", "pull_request_review_rejected", "pull_request_review_comment"].iter().all(|part| told.contains(part)),
        _ => false,
    }
}

//! What `trueup forge setup` makes at a GitHub: the webhook, the labels, and the body of a branch's protection that keeps what people set beside it.

use super::{
    exam::CONVERGED,
    forge::{GitHub, Place},
    wire::{Hook, Label},
};
use crate::{
    core::model::Str,
    forges::net::{Mend, Need, hook_by_hand},
    ports::{self, Exam},
};
use reqwest::Method;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that our webhook door understands.
pub(super) const EVENTS: [&str; 12] = [
    "push",
    "create",
    "delete",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "issue_comment",
    "status",
    "check_run",
    "check_suite",
    "repository",
];

/// Pages of webhooks and labels; GitHub takes 20 webhooks of an event.
const PAGES: usize = 10;

/// The colour of our labels.
const COLOUR: &str = "2f6f9f";

impl GitHub {
    /// The webhook of this server, known by its address.
    pub(super) async fn hook(&self, about: &str, place: &Place, hook: &ports::Hook) -> Need {
        let by_hand = hook_by_hand(&hook.url, &EVENTS.join(", "));
        let known: Vec<Hook> = match place.api.whole(&place.path("/hooks?per_page=100"), PAGES).await {
            Ok(known) => known,
            Err(error) => {
                let said = format!("the account may not see the webhooks: {error}");
                let next = format!("give the token `admin:repo_hook` and let its account administer the repository, or {by_hand}");
                return Need { by_hand: next.clone(), ..Need::seen(Exam::warn(about, said, next)) };
            }
        };
        let body = |events: &BTreeSet<&str>| {
            let config = json!({ "url": hook.url, "content_type": "json", "secret": hook.secret.expose(), "insecure_ssl": "0" });
            json!({ "active": true, "events": events, "config": config })
        };
        let Some(there) = known.iter().find(|known| known.config.url.as_deref() == Some(&*hook.url)) else {
            let mut new = body(&EVENTS.into());
            new["name"] = "web".into();
            let mend = Mend { does: format!("make the webhook {}", hook.url), method: Method::POST, path: place.path("/hooks"), body: new };
            return Need::no_hook(about, &hook.url, mend, by_hand);
        };
        let mut wrong = Vec::new();
        if !there.active {
            wrong.push("is switched off".to_owned());
        }
        let lacking: Vec<&str> = EVENTS.into_iter().filter(|event| !there.events.iter().any(|known| known == event || known == "*")).collect();
        if !lacking.is_empty() {
            wrong.push(format!("does not tell of {}", lacking.join(", ")));
        }
        wrong.extend(there.config.wrong());
        Need::hook(about, &hook.url, &wrong, hook.anew, by_hand, |does| {
            // Events that people added stay.
            let events: BTreeSet<&str> = EVENTS.into_iter().chain(there.events.iter().map(String::as_str)).collect();
            vec![Mend { does, method: Method::PATCH, path: place.path(format!("/hooks/{}", there.id)), body: body(&events) }]
        })
    }

    /// The labels that are missing; they are made when they are first set, too.
    pub(super) async fn labels(&self, about: &str, place: &Place, wanted: &[Str]) -> Option<Need> {
        if wanted.is_empty() {
            return None;
        }
        let known = place.api.whole::<Label>(&place.path("/labels?per_page=100"), PAGES).await.map(|known| known.into_iter().map(|label| label.name).collect());
        Some(Need::labels(about, wanted, known, str::eq_ignore_ascii_case, "let the account write to the repository", |name, does| Mend {
            does,
            method: Method::POST,
            path: place.path("/labels"),
            body: json!({ "name": name, "color": COLOUR, "description": "set by trueup" }),
        }))
    }
}

/// The protection that is wanted, with everything else as people set it: what GitHub tells of one is not what it takes.
pub(super) fn wanted(there: &Json, bot: &str, app: Option<u64>, personal: bool) -> Json {
    let on = |name: &str| there[name]["enabled"] == true;
    let names = |list: &Json, key: &str| list.as_array().into_iter().flatten().filter_map(|one| one[key].as_str().map(str::to_owned)).collect::<Vec<_>>();
    let people = |list: &Json| json!({ "users": names(&list["users"], "login"), "teams": names(&list["teams"], "slug"), "apps": names(&list["apps"], "slug") });
    let checks = &there["required_status_checks"];
    let contexts: BTreeSet<&str> = checks["contexts"].as_array().into_iter().flatten().filter_map(Json::as_str).chain([CONVERGED]).collect();
    let mut statuses = json!({ "strict": checks["strict"] == true, "contexts": contexts });
    // Checks that one app alone may set stay bound to it; ours, where we are one.
    let known = checks["checks"].as_array().into_iter().flatten().filter_map(|check| Some((check["context"].as_str()?, check["app_id"].as_u64()?)));
    let bound: BTreeMap<&str, u64> = known.filter(|(context, _)| app.is_none() || *context != CONVERGED).chain(app.map(|id| (CONVERGED, id))).collect();
    if !bound.is_empty() {
        let free = contexts.iter().filter(|context| !bound.contains_key(**context));
        statuses["checks"] = free.map(|context| json!({ "context": context })).chain(bound.iter().map(|(context, id)| json!({ "context": context, "app_id": id }))).collect();
    }
    let known = &there["required_pull_request_reviews"];
    let mut reviews = json!({
        "dismiss_stale_reviews": true, "require_code_owner_reviews": known["require_code_owner_reviews"] == true,
        "required_approving_review_count": known["required_approving_review_count"].as_u64().unwrap_or(0), "require_last_push_approval": known["require_last_push_approval"] == true,
    });
    for key in ["dismissal_restrictions", "bypass_pull_request_allowances"] {
        if known[key].is_object() {
            reviews[key] = people(&known[key]);
        }
    }
    let restrictions = match (personal, bot.strip_suffix("[bot]")) {
        (true, _) => Json::Null,
        (false, Some(app)) => json!({ "users": [], "teams": [], "apps": [app] }),
        (false, None) => json!({ "users": [bot], "teams": [], "apps": [] }),
    };
    let mut out = json!({ "required_status_checks": statuses, "enforce_admins": true, "required_pull_request_reviews": reviews, "restrictions": restrictions });
    for key in ["required_linear_history", "allow_force_pushes", "allow_deletions", "block_creations", "required_conversation_resolution", "lock_branch", "allow_fork_syncing"] {
        if on(key) {
            out[key] = true.into();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_set_beside_it_stays() {
        let there = json!({
            "required_status_checks": { "strict": true, "contexts": ["ci", "lint"], "checks": [{ "context": "ci", "app_id": 7 }, { "context": "lint", "app_id": null }] },
            "required_pull_request_reviews": { "required_approving_review_count": 2, "dismissal_restrictions": { "users": [{ "login": "ada" }], "teams": [{ "slug": "sre" }], "apps": [] } },
            "restrictions": { "users": [{ "login": "ada" }], "teams": [], "apps": [] }, "required_linear_history": { "enabled": true }, "allow_deletions": { "enabled": false },
        });
        let out = wanted(&there, "trueup", None, false);
        assert_eq!(
            out["required_status_checks"],
            json!({ "strict": true, "contexts": ["ci", "lint", "trueup/converged"], "checks": [{ "context": "lint" }, { "context": "trueup/converged" }, { "context": "ci", "app_id": 7 }] })
        );
        assert_eq!((&out["required_pull_request_reviews"]["required_approving_review_count"], &out["required_linear_history"]), (&json!(2), &json!(true)));
        assert_eq!(out["required_pull_request_reviews"]["dismissal_restrictions"], json!({ "users": ["ada"], "teams": ["sre"], "apps": [] }));
        assert_eq!((&out["restrictions"], out.get("allow_deletions")), (&json!({ "users": ["trueup"], "teams": [], "apps": [] }), None));
        assert_eq!(wanted(&Json::Null, "deploys[bot]", Some(9), false)["restrictions"], json!({ "users": [], "teams": [], "apps": ["deploys"] }));
        assert_eq!(
            wanted(&there, "deploys[bot]", Some(9), false)["required_status_checks"]["checks"],
            json!([{ "context": "lint" }, { "context": "ci", "app_id": 7 }, { "context": "trueup/converged", "app_id": 9 }])
        );
        assert_eq!(wanted(&Json::Null, "trueup", None, true)["restrictions"], Json::Null);
    }
}

//! What an app must be let do, said in the words of GitHub's own pages.

use super::{
    app::{App, At},
    forge::{GitHub, Place},
    setup::EVENTS,
    wire::{AppTold, HookConfig, Installation},
};
use crate::{
    forges::net::{Mend, Need},
    ports::{self, Exam, ForgeErrorKind},
};
use reqwest::Method;
use serde_json::json;

/// A permission of a repository.
struct Permission {
    /// As the API calls it.
    key: &'static str,
    /// As the app's page calls it.
    words: &'static str,
    write: bool,
    why: &'static str,
}

/// Without these nothing is served.
const NEEDED: [Permission; 6] = [
    Permission { key: "metadata", words: "Metadata", write: false, why: "to see the repository and what people may there" },
    Permission { key: "contents", words: "Contents", write: true, why: "to fetch and to merge" },
    Permission { key: "pull_requests", words: "Pull requests", write: true, why: "to read reviews and to merge" },
    Permission { key: "issues", words: "Issues", write: true, why: "to comment and to label" },
    Permission { key: "statuses", words: "Commit statuses", write: false, why: "to read what other programs say" },
    Permission { key: "checks", words: "Checks", write: true, why: "to say how far a plan is, and to read what other programs say" },
];

/// Without these something less is shown.
const WANTED: [Permission; 1] = [Permission { key: "deployments", words: "Deployments", write: true, why: "to show runs among the deployments" }];

impl Permission {
    fn level(&self) -> &'static str {
        if self.write { "Read and write" } else { "Read-only" }
    }

    fn is_given(&self, to: &Installation) -> bool {
        match to.permissions.get(self.key).and_then(serde_json::Value::as_str) {
            Some("admin" | "write") => true,
            Some("read") => !self.write,
            Some(_) | None => false,
        }
    }
}

impl GitHub {
    /// The app itself and its installation; where one of them is not there, that alone, as the error.
    pub(super) async fn app_stands(&self, about: impl Fn(&str) -> String, place: &Place, app: &App) -> Result<(Vec<Need>, AppTold), Box<Need>> {
        let told = match app.told().await {
            Ok(told) => told,
            Err(error) => return Err(Box::new(Need::seen(Exam::fail(about("forge"), error.to_string(), "check `url:`, `ca:` and `app:` under `forges:`")))),
        };
        let login = told.login();
        let mut needs = vec![Need::seen(match self.bot().await {
            Ok(bot) if *bot != self.people.by_login(&login) => {
                let said = format!("the app acts as `{login}`, and `bot:` says `{bot}`: its comments would not be known as ours");
                Exam::fail(about("forge"), said, "correct `bot:`, or leave it out")
            }
            Ok(_) | Err(_) => Exam::ok(about("forge"), format!("the app `{}` acts as `{login}` on {}", told.slug, self.name)),
        })];
        let installed = match app.installation(&At::Repository(place.project.path.clone())).await {
            Ok(installed) => installed,
            Err(error) => return Err(Box::new(Need::seen(Exam::fail(about("account"), error.to_string(), "install the app there, or let it in again")))),
        };
        let accept = installed.html_url.as_deref().unwrap_or("the installation's page");
        let lacks = |all: &[Permission]| {
            let lacking: Vec<String> = all.iter().filter(|one| !one.is_given(&installed)).map(|one| format!("`{}: {}` ({})", one.words, one.level(), one.why)).collect();
            (!lacking.is_empty()).then(|| format!("the app lacks {}", lacking.join(", ")))
        };
        let next = format!("set it on the app's page under `Permissions & events`, `Repository permissions`, and let the owner accept it at {accept}");
        needs.push(Need::seen(match lacks(&NEEDED) {
            Some(said) => Exam::fail(about("account"), said, next.clone()),
            None => Exam::ok(about("account"), "the app has the permissions that it needs"),
        }));
        needs.extend(lacks(&WANTED).map(|said| Need::seen(Exam::warn(about("account"), said, next))));
        Ok((needs, told))
    }

    /// The app's webhook, which tells of all its repositories.
    pub(super) async fn app_hook(&self, about: &str, app: &App, told: &AppTold, hook: &ports::Hook) -> Vec<Need> {
        let by_hand = format!("set it on the app's page: {}, the secret that `webhook_secret` of the forge names, SSL verification on", hook.url);
        let known: HookConfig = match app.api.get("/app/hook/config").await {
            Ok(known) => known,
            Err(error) if error.kind == ForgeErrorKind::NotFound => HookConfig::default(),
            Err(error) => return vec![Need { by_hand: by_hand.clone(), ..Need::seen(Exam::warn(about, format!("the app's webhook cannot be seen: {error}"), by_hand)) }],
        };
        let mend = |does: String| Mend {
            does,
            method: Method::PATCH,
            path: "/app/hook/config".to_owned(),
            body: json!({ "url": hook.url, "content_type": "json", "secret": hook.secret.expose(), "insecure_ssl": "0" }),
        };
        let mut needs = vec![match known.url.as_deref().filter(|url| !url.is_empty()) {
            None => Need::no_hook(about, &hook.url, mend(format!("lead the app's webhook to {}", hook.url)), by_hand),
            // Another server hears it there, which would be deaf.
            Some(url) if url != hook.url => {
                let said = format!("the app's webhook leads to {url}, and not to {}; until it does, news is found by the sweep alone", hook.url);
                Need { by_hand: by_hand.clone(), ..Need::seen(Exam::warn(about, said, format!("give each server an app of its own, or {by_hand}"))) }
            }
            Some(_) => Need::hook(about, &hook.url, &known.wrong(), hook.anew, by_hand, |does| vec![mend(does)]),
        }];
        let lacking: Vec<&str> = EVENTS.into_iter().filter(|event| !told.events.iter().any(|known| known == event)).collect();
        if !lacking.is_empty() {
            let said = format!("the app does not hear of {}; that is found by the sweep alone", lacking.join(", "));
            needs.push(Need::seen(Exam::warn(about, said, "tick them on the app's page under `Permissions & events`, `Subscribe to events`")));
        }
        needs
    }
}

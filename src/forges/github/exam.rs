//! What must stand at a GitHub: an account that may write, and a branch that nobody else moves before it is true. `trueup doctor` reads it, `trueup forge setup` makes it.

use super::{
    forge::{GitHub, Place},
    merge::{methods, no_method, only_newest},
    setup,
    wire::{Protection, Repository, Rule},
};
use crate::{
    core::model::RepoId,
    forges::net::{Furnishes, Mend, Need, NetError, Weight, encoded},
    ports::{Exam, ForgeErrorKind, Fut, Wish},
};
use reqwest::Method;
use serde_json::Value as Json;

/// The status without which nothing should be merged.
pub(super) const CONVERGED: &str = "trueup/converged";

impl Furnishes for GitHub {
    fn needs<'a>(&'a self, repo: &'a RepoId, wish: &'a Wish) -> Fut<'a, Vec<Need>> {
        Box::pin(self.all_needs(repo, wish))
    }

    fn mend<'a>(&'a self, repo: &'a RepoId, mend: &'a Mend) -> Fut<'a, Result<(), NetError>> {
        Box::pin(async move {
            // What is the app's own, no installation may change.
            let api = match self.door.app().filter(|_| mend.path.starts_with("/app/")) {
                Some(app) => &app.api,
                None => &self.place(repo)?.api,
            };
            api.send(Weight::Status, mend.method.clone(), &mend.path, &mend.body).await.map(drop)
        })
    }
}

impl GitHub {
    async fn all_needs(&self, repo: &RepoId, wish: &Wish) -> Vec<Need> {
        let about = |what: &str| format!("repository {repo}: {what}");
        let fault = |what: &str, error: &NetError, next: &str| Need::seen(Exam::fail(about(what), error.to_string(), next));
        let place = match self.place(repo) {
            Ok(place) => place,
            Err(error) => return vec![fault("forge", &error, "check `project:`")],
        };
        let (mut needs, mut app) = (Vec::new(), None);
        match self.door.app() {
            Some(known) => match self.app_stands(about, place, known).await {
                Ok((stand, told)) => {
                    needs.extend(stand);
                    app = Some((known, told));
                }
                Err(need) => return vec![*need],
            },
            None => match self.account().await {
                Ok(account) => needs.push(Need::seen(match self.bot().await {
                    Ok(bot) if *bot != self.user(Some(&account)) => {
                        let said = format!("the token is that of `{}`, and `bot:` says `{bot}`: its comments would not be known as ours", account.login);
                        Exam::fail(about("forge"), said, "correct `bot:`, or leave it out")
                    }
                    Ok(_) | Err(_) => Exam::ok(about("forge"), format!("the token is that of `{}` on {}", account.login, self.name)),
                })),
                Err(error) => return vec![fault("forge", &error, "check `url:`, `ca:` and `token:` under `forges:`")],
            },
        }
        let repository = match place.api.get::<Repository>(&place.path("")).await {
            Ok(found) => found,
            Err(error) => return needs.into_iter().chain([fault("account", &error, "check `project:`, and let the account write to it")]).collect(),
        };
        needs.extend(rights(&about("account"), &repository, app.is_some()).into_iter().map(Need::seen));
        if let Err(error) = place.mirror.settle(&place.project.branch).await {
            needs.push(fault("branch", &error, "let the account read the repository"));
        }
        if let Err(error) = self.tip(place, &place.project.branch.said()).await {
            needs.push(fault("branch", &error, &format!("push the branch `{}`", place.project.branch)));
        }
        needs.extend(self.protection(repo, place, &repository, app.as_ref().map(|(_, told)| told.id)).await);
        needs.extend(self.to_come(repo, place).await);
        match (&wish.hook, &app) {
            (Some(hook), Some((app, told))) => needs.extend(self.app_hook(&about("webhook"), app, told, hook).await),
            (Some(hook), None) => needs.push(self.hook(&about("webhook"), place, hook).await),
            (None, _) => {}
        }
        needs.extend(self.labels(&about("labels"), place, &wish.labels).await);
        needs
    }

    /// Whether branches to come of a pattern are protected from the moment they are made. A branch's own protection is made when it is there; rulesets alone speak of more.
    async fn to_come(&self, repo: &RepoId, place: &Place) -> Option<Need> {
        let pattern = place.project.branch.pattern()?;
        let about = format!("repository {repo}: branches to come");
        // Rules are told of names that no branch has yet.
        let sample = format!("{}trueup-asks{}", pattern.beginning(), pattern.end());
        let rules = match self.rules(place, &sample).await {
            Ok(rules) => rules,
            Err(error) => return Some(Need::seen(Exam::warn(about, error.to_string(), "try again"))),
        };
        let pattern = pattern.as_str();
        let bot = self.bot().await.map(|bot| bot.to_string()).unwrap_or_default();
        if rules.iter().any(|rule| rule.kind == "update") && rules.iter().flat_map(Rule::contexts).any(|context| context == CONVERGED) {
            // Whom a ruleset lets pass is told to its administrators alone.
            let said = format!(
                "a ruleset keeps `{sample}` and so, as far as its pattern is `{pattern}`, those to come; nobody tells who may pass by it: see that `{bot}` alone stands in its bypass list"
            );
            return Some(Need::seen(Exam::ok(about, said)));
        }
        let said = format!("no ruleset keeps `{pattern}`: a branch that is made is open to everybody who may write until it has its own rule");
        let next = format!(
            "make a ruleset for `{pattern}` in the repository's settings: restrict updates, with `{bot}` alone to bypass it, and require the status `{CONVERGED}`; or run `trueup forge setup` after each new branch"
        );
        Some(Need::seen(Exam::warn(about, said, next)))
    }

    /// Whether nobody but us moves the branch, and nothing is merged before it is true. GitHub keeps two kinds of rules; either may say it.
    async fn protection(&self, repo: &RepoId, place: &Place, repository: &Repository, app: Option<u64>) -> Vec<Need> {
        let branch = &place.project.branch.said();
        let about = format!("repository {repo}: protected branch");
        let rules = match self.rules(place, branch).await {
            Ok(rules) => rules,
            Err(error) => return vec![Need::seen(Exam::fail(about, error.to_string(), "try again"))],
        };
        let mut needs = Vec::new();
        let way = |linear: bool| way(&format!("repository {repo}: merges"), branch, &methods(repository, &rules), linear);
        if rules.iter().any(|rule| rule.kind == "merge_queue") {
            let said = format!("`{branch}` has a merge queue, which lands other commits than those that were proven");
            needs.push(Need::seen(Exam::fail(format!("repository {repo}: merge queue"), said, "take the merge queue off this branch: the server is one")));
        }
        let path = place.path(format!("/branches/{}/protection", encoded(branch)));
        let found: Option<Json> = match place.api.find(&path).await {
            Ok(found) => found,
            Err(error) if error.kind == ForgeErrorKind::Denied && rules.is_empty() => {
                let next = "let the account administer the repository while doctor or setup looks";
                let said = format!("the account may not read the protection of `{branch}`: {}", error.message);
                needs.extend([Need::seen(Exam::warn(about, said, next)), way(false)]);
                return needs;
            }
            Err(error) if error.kind == ForgeErrorKind::Denied => None,
            Err(error) => return vec![Need::seen(Exam::fail(about, error.to_string(), "try again"))],
        };
        let protection = match found.clone().map(serde_json::from_value::<Protection>).transpose() {
            Ok(protection) => protection,
            Err(error) => return vec![Need::seen(Exam::fail(about, format!("the protection of `{branch}` cannot be read: {error}"), "look at it yourself"))],
        };
        needs.push(way(protection.as_ref().and_then(|rules| rules.required_linear_history).is_some_and(|on| on.enabled)));
        if rules.iter().any(Rule::is_strict) || protection.as_ref().is_some_and(Protection::is_strict) {
            needs.push(Need::newest(&format!("repository {repo}: up to date"), &only_newest(branch)));
        }
        let Ok(bot) = self.bot().await else { return needs };
        let restricted = protection.as_ref().and_then(|rules| rules.restrictions.as_ref());
        let us = bot.as_str().strip_suffix("[bot]");
        let is_us = |app: &Json| us.is_some() && app["slug"].as_str() == us;
        let alone = restricted.is_some_and(|who| who.teams.is_empty() && who.apps.iter().all(is_us) && who.users.iter().all(|user| self.user(Some(user)) == *bot));
        let mut required: Vec<&str> = rules.iter().flat_map(|rule| rule.contexts()).collect();
        required.extend(protection.iter().flat_map(Protection::contexts));
        // People of one account are bound by nothing that names accounts.
        let personal = repository.owner.as_ref().is_some_and(|owner| owner.kind == "User");
        let mend = Mend {
            does: format!(
                "protect `{branch}`: `{CONVERGED}` required, {}administrators bound by it, stale reviews dismissed",
                if personal { String::new() } else { format!("only `{bot}` pushes and merges, ") }
            ),
            method: Method::PUT,
            path,
            body: setup::wanted(found.as_ref().unwrap_or(&Json::Null), bot.as_str(), app, personal),
        };
        let by_hand = format!("settings, branches, rule for `{branch}`: restrict who can push to `{bot}` alone, require the status `{CONVERGED}`, do not allow bypassing it");
        if protection.is_none() && rules.is_empty() {
            let said = format!("nothing protects `{branch}`: everybody who may write can push and merge past the server");
            let exam = Exam::fail(&*about, said, "`trueup forge setup` protects it: only the server's account pushes, and `trueup/converged` is required");
            needs.push(Need { about, exams: vec![exam], mends: vec![mend], by_hand });
            return needs;
        }
        let mut wrong = Vec::new();
        // A rule that nobody may update the branch has its exceptions where only its administrators read them.
        if !alone && !rules.iter().any(|rule| rule.kind == "update") {
            wrong.push("others than the server's account may push to it or merge");
        }
        if !required.contains(&CONVERGED) {
            wrong.push("`trueup/converged` is not required, so that a merge by hand needs no run");
        }
        if protection.as_ref().is_some_and(|rules| !rules.enforce_admins.as_ref().is_some_and(|on| on.enabled)) && rules.is_empty() {
            wrong.push("administrators may do what its rules forbid");
        }
        let next = "edit the rule, or let `trueup forge setup` do it: only the server's account pushes, `trueup/converged` is required, administrators are bound by it";
        let mut exams: Vec<Exam> = wrong.iter().map(|said| Exam::warn(&*about, format!("`{branch}`: {said}"), next)).collect();
        let mends = if exams.is_empty() { Vec::new() } else { vec![mend] };
        if exams.is_empty() {
            exams.push(Exam::ok(&*about, format!("`{branch}` is moved by the server alone, once `{CONVERGED}` is green")));
        }
        needs.push(Need { about, exams, mends, by_hand });
        needs
    }
}

/// By which method what is true is merged. `linear`: the older kind of rule forbids merge commits.
fn way(about: &str, branch: &str, allowed: &[&str], linear: bool) -> Need {
    let first = allowed.iter().find(|method| !(linear && **method == "merge"));
    Need::seen(match first {
        Some(method) => Exam::ok(about, format!("what goes to `{branch}` is merged by the method `{method}`")),
        None => Exam::fail(about, format!("nothing can be merged to `{branch}`"), no_method(branch)),
    })
}

/// `app`: what we may is said by the installation.
fn rights(about: &str, found: &Repository, app: bool) -> Vec<Exam> {
    let may = found.permissions.unwrap_or_default();
    let mut exams = Vec::new();
    exams.extend((!app).then(|| match may.push {
        true => Exam::ok(about, "it may write: it sets statuses, comments and labels, and merges"),
        false => Exam::fail(about, "it may not write: no comment, no status, no merge", "let the account write to the repository, and give its token `repo`"),
    }));
    if found.archived {
        exams.push(Exam::fail(about, "the repository is archived", "take it out of the archive, or out of the configuration"));
    }
    exams
}

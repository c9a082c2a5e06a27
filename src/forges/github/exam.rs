//! What `trueup doctor` asks of a GitHub: whose the token is, what it may do, and who else could move the governed branch.

use super::{
    api::encoded_path,
    forge::{GitHub, Place},
    wire::{Account, Protection, Repository, Rule},
};
use crate::{
    core::model::RepoId,
    forges::net::NetError,
    ports::{Exam, ForgeErrorKind},
};

/// The status without which nothing should be merged.
const CONVERGED: &str = "trueup/converged";

impl GitHub {
    pub(super) async fn exams(&self, repo: &RepoId) -> Vec<Exam> {
        let about = |what: &str| format!("repository {repo}: {what}");
        let fault = |what: &str, error: &NetError, next: &str| Exam::fail(about(what), error.to_string(), next);
        let place = match self.place(repo) {
            Ok(place) => place,
            Err(error) => return vec![fault("forge", &error, "check `project:`")],
        };
        let mut exams = Vec::new();
        match self.api.get::<Account>("/user").await {
            Ok(account) => exams.push(match self.bot().await {
                Ok(bot) if *bot != self.user(Some(&account)) => {
                    let said = format!("the token is that of `{}`, and `bot:` says `{bot}`: its comments would not be known as ours", account.login);
                    Exam::fail(about("forge"), said, "correct `bot:`, or leave it out")
                }
                Ok(_) | Err(_) => Exam::ok(about("forge"), format!("the token is that of `{}` on {}", account.login, self.name)),
            }),
            Err(error) => return vec![fault("forge", &error, "check `url:`, `ca:` and `token:` under `forges:`")],
        }
        match self.api.get::<Repository>(&place.path("")).await {
            Ok(found) => exams.extend(rights(&about("account"), &found)),
            Err(error) => return exams.into_iter().chain([fault("account", &error, "check `project:`, and let the account write to it")]).collect(),
        }
        if let Err(error) = self.tip(place, &place.project.branch).await {
            exams.push(fault("branch", &error, &format!("push the branch `{}`", place.project.branch)));
        }
        exams.extend(self.protection(&about("protected branch"), place).await);
        exams
    }

    /// Whether nobody but us moves the branch, and nothing is merged before it is true. GitHub keeps two kinds of rules; either may say it.
    async fn protection(&self, about: &str, place: &Place) -> Vec<Exam> {
        let branch = &place.project.branch;
        let rules: Vec<Rule> = match self.api.whole(&place.path(format!("/rules/branches/{}?per_page=100", encoded_path(branch))), 5).await {
            Ok(rules) => rules,
            // Older Enterprise servers have none.
            Err(error) if error.kind == ForgeErrorKind::NotFound => Vec::new(),
            Err(error) => return vec![Exam::fail(about, error.to_string(), "try again")],
        };
        let mut exams = Vec::new();
        if rules.iter().any(|rule| rule.kind == "merge_queue") {
            let said = format!("`{branch}` has a merge queue, which lands other commits than those that were proven");
            exams.push(Exam::fail(about, said, "take the merge queue off this branch: the server is one"));
        }
        let protection: Option<Protection> = match self.api.find(&place.path(format!("/branches/{}/protection", encoded_path(branch)))).await {
            Ok(found) => found,
            Err(error) if error.kind == ForgeErrorKind::Denied && rules.is_empty() => {
                let next = "let the account administer the repository while doctor looks";
                exams.push(Exam::warn(about, format!("the account may not read the protection of `{branch}`"), next));
                return exams;
            }
            Err(error) if error.kind == ForgeErrorKind::Denied => None,
            Err(error) => return vec![Exam::fail(about, error.to_string(), "try again")],
        };
        let bot = self.bot().await.ok();
        let restricted = protection.as_ref().and_then(|rules| rules.restrictions.as_ref());
        let alone = restricted.is_some_and(|who| who.teams.is_empty() && who.apps.is_empty() && who.users.iter().all(|user| Some(&self.user(Some(user))) == bot));
        let mut required: Vec<&str> = rules.iter().flat_map(|rule| rule.contexts()).collect();
        required.extend(protection.iter().flat_map(Protection::contexts));
        let mut wrong = Vec::new();
        if protection.is_none() && rules.is_empty() {
            let said = format!("nothing protects `{branch}`: everybody who may write can push and merge past the server");
            exams.push(Exam::fail(about, said, "protect it: only the server's account pushes, and `trueup/converged` is required"));
            return exams;
        }
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
        if wrong.is_empty() && exams.is_empty() {
            exams.push(Exam::ok(about, format!("`{branch}` is moved by the server alone, once `{CONVERGED}` is green")));
        }
        let next = "edit the rule: only the server's account pushes, `trueup/converged` is required, administrators are bound by it";
        exams.extend(wrong.into_iter().map(|said| Exam::warn(about, format!("`{branch}`: {said}"), next)));
        exams
    }
}

fn rights(about: &str, found: &Repository) -> Vec<Exam> {
    let may = found.permissions.unwrap_or_default();
    let mut exams = vec![match may.push {
        true => Exam::ok(about, "it may write: it sets statuses, comments and labels, and merges"),
        false => Exam::fail(about, "it may not write: no comment, no status, no merge", "let the account write to the repository, and give its token `repo`"),
    }];
    if found.archived {
        exams.push(Exam::fail(about, "the repository is archived", "take it out of the archive, or out of the configuration"));
    }
    if [found.allow_merge_commit, found.allow_squash_merge, found.allow_rebase_merge].iter().all(|allowed| *allowed == Some(false)) {
        exams.push(Exam::fail(about, "the repository allows no way to merge", "allow merge commits in its settings"));
    }
    exams
}

//! What `trueup doctor` asks of a Gitea: whose the token is, what it may do, and who else could move the governed branch.

use super::{
    forge::{Gitea, Place},
    wire::{Account, BranchTip, Protection, Repository},
};
use crate::{
    core::model::RepoId,
    forges::net::{NetError, encoded},
    ports::{Exam, ForgeErrorKind},
};

/// The status without which nothing should be merged.
const CONVERGED: &str = "trueup/converged";

impl Gitea {
    pub(super) async fn exams(&self, repo: &RepoId) -> Vec<Exam> {
        let about = |what: &str| format!("repository {repo}: {what}");
        let fault = |what: &str, error: &NetError, next: &str| Exam::fail(about(what), error.to_string(), next);
        let mut exams = Vec::new();
        let place = match self.place(repo) {
            Ok(place) => place,
            Err(error) => return vec![fault("forge", &error, "check `project:`")],
        };
        match self.client.read_one::<Account>("/user").await {
            Ok(account) => {
                let configured = self.bot().await.ok().filter(|bot| **bot != self.user(&account.login));
                exams.push(match configured {
                    None => Exam::ok(about("forge"), format!("the token is that of `{}` on {}", account.login, self.client.name())),
                    Some(bot) => {
                        let said = format!("the token is that of `{}`, and `bot:` says `{bot}`: its comments would not be known as ours", account.login);
                        Exam::fail(about("forge"), said, "correct `bot:`, or leave it out")
                    }
                });
            }
            Err(error) => return vec![fault("forge", &error, "check `url:`, `ca:` and `token:` under `forges:`")],
        }
        match self.client.read_one::<Repository>(&place.api).await {
            Ok(found) => exams.extend(rights(&about("account"), &found)),
            Err(error) => return exams.into_iter().chain([fault("account", &error, "check `project:`, and let the account administer it")]).collect(),
        }
        if let Err(error) = self.client.read_one::<BranchTip>(&format!("{}/branches/{}", place.api, encoded(&place.branch))).await {
            exams.push(fault("branch", &error, &format!("push the branch `{}`", place.branch)));
        }
        match self.client.read_one::<Vec<Protection>>(&format!("{}/branch_protections", place.api)).await {
            Ok(rules) => exams.extend(self.protection(&about("protected branch"), place, &rules).await),
            Err(error) if error.kind == ForgeErrorKind::Denied => {
                exams.push(Exam::warn(about("protected branch"), "the account may not read the rules of branches", "let the account administer the repository"));
            }
            Err(error) => exams.push(fault("protected branch", &error, "try again")),
        }
        exams
    }

    /// Whether nobody but us moves the branch, and nothing is merged before it is true.
    async fn protection(&self, about: &str, place: &Place, rules: &[Protection]) -> Vec<Exam> {
        let Some(rule) = rules.iter().find(|rule| rule.rule_name == *place.branch) else {
            let said = format!("no rule protects `{}`: everybody who may write can push and merge past the server", place.branch);
            return vec![Exam::fail(about, said, "protect it: no pushes, merges by the server's account alone, and `trueup/converged` as a required status")];
        };
        let Ok(bot) = self.bot().await else { return Vec::new() };
        let others = |names: &Option<Vec<String>>| names.iter().flatten().filter(|name| self.user(name) != *bot).cloned().collect::<Vec<_>>();
        let mut wrong = Vec::new();
        let pushers = others(&rule.push_whitelist_usernames);
        let push_teams = rule.push_whitelist_teams.as_ref().is_some_and(|teams| !teams.is_empty());
        if rule.enable_push && (!rule.enable_push_whitelist || !pushers.is_empty() || push_teams) {
            let who =
                if rule.enable_push_whitelist { format!("{}{}", pushers.join(", "), if push_teams { " and teams" } else { "" }) } else { "everybody who may write".to_owned() };
            wrong.push(format!("{who} may push to it past the server"));
        }
        let mergers = others(&rule.merge_whitelist_usernames);
        let merge_teams = rule.merge_whitelist_teams.as_ref().is_some_and(|teams| !teams.is_empty());
        if !rule.enable_merge_whitelist {
            wrong.push("everybody who may write can merge".to_owned());
        } else if !mergers.is_empty() || merge_teams {
            wrong.push(format!("{}{} may merge, too", mergers.join(", "), if merge_teams { " teams" } else { "" }));
        }
        let required = rule.status_check_contexts.iter().flatten().any(|context| context == CONVERGED);
        if !(rule.enable_status_check && required) {
            wrong.push(format!("`{CONVERGED}` is not required, so that a merge by hand needs no run"));
        }
        if !rule.block_admin_merge_override {
            wrong.push("admins may merge whatever its rules say".to_owned());
        }
        if wrong.is_empty() {
            return vec![Exam::ok(about, format!("`{}` is moved by the server alone, once `{CONVERGED}` is green", place.branch))];
        }
        let next = "edit the rule: no pushes, merges by the server's account alone, `trueup/converged` required, admins bound by it";
        wrong.into_iter().map(|said| Exam::warn(about, format!("`{}`: {said}", place.branch), next)).collect()
    }
}

fn rights(about: &str, found: &Repository) -> Vec<Exam> {
    let may = found.permissions.as_ref();
    let mut exams = Vec::new();
    exams.push(match may {
        Some(may) if may.admin => Exam::ok(about, "it administers the repository: it reads people's rights and sets statuses, comments and labels, and merges"),
        Some(may) if may.push => {
            let said = "it may write and not administer: what people may do there is not told to it, so that the lists of `server.yaml` alone hold";
            Exam::warn(about, said, "make the account an administrator of the repository, or list writers there")
        }
        Some(_) | None => Exam::fail(about, "it may not write: no comment, no status, no merge", "let the account administer the repository"),
    });
    if found.archived {
        exams.push(Exam::fail(about, "the repository is archived", "take it out of the archive, or out of the configuration"));
    }
    if found.default_merge_style == "manually-merged" {
        exams.push(Exam::warn(about, "the repository's merges are by hand; the server merges with a merge commit", "choose another default merge style"));
    }
    exams
}

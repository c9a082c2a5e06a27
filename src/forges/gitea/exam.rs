//! What must stand at a Gitea: an account that administers, and a branch that nobody else moves before it is true. `trueup doctor` reads it, `trueup forge setup` makes it.

use super::{
    forge::{Gitea, Place},
    wire::{Account, BranchTip, Protection, Repository},
};
use crate::{
    core::model::{RepoId, User},
    forges::net::{Furnishes, Mend, Need, NetError, Weight, encoded},
    ports::{Exam, ForgeErrorKind, Fut, Wish},
};
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;

/// The status without which nothing should be merged.
const CONVERGED: &str = "trueup/converged";

impl Furnishes for Gitea {
    fn needs<'a>(&'a self, repo: &'a RepoId, wish: &'a Wish) -> Fut<'a, Vec<Need>> {
        Box::pin(self.all_needs(repo, wish))
    }

    fn mend<'a>(&'a self, _: &'a RepoId, mend: &'a Mend) -> Fut<'a, Result<(), NetError>> {
        Box::pin(async move { self.client.send(Weight::Status, mend.method.clone(), &mend.path, Some(&mend.body).filter(|body| !body.is_null())).await.map(drop) })
    }
}

impl Gitea {
    async fn all_needs(&self, repo: &RepoId, wish: &Wish) -> Vec<Need> {
        let about = |what: &str| format!("repository {repo}: {what}");
        let fault = |what: &str, error: &NetError, next: &str| Need::seen(Exam::fail(about(what), error.to_string(), next));
        let mut needs = Vec::new();
        let place = match self.place(repo) {
            Ok(place) => place,
            Err(error) => return vec![fault("forge", &error, "check `project:`")],
        };
        match self.client.read_one::<Account>("/user").await {
            Ok(account) => {
                let configured = self.bot().await.ok().filter(|bot| **bot != self.user(&account.login));
                needs.push(Need::seen(match configured {
                    None => Exam::ok(about("forge"), format!("the token is that of `{}` on {}", account.login, self.client.name())),
                    Some(bot) => {
                        let said = format!("the token is that of `{}`, and `bot:` says `{bot}`: its comments would not be known as ours", account.login);
                        Exam::fail(about("forge"), said, "correct `bot:`, or leave it out")
                    }
                }));
            }
            Err(error) => return vec![fault("forge", &error, "check `url:`, `ca:` and `token:` under `forges:`")],
        }
        match self.client.read_one::<Repository>(&place.api).await {
            Ok(found) => needs.extend(rights(&about("account"), &found).into_iter().map(Need::seen)),
            Err(error) => return needs.into_iter().chain([fault("account", &error, "check `project:`, and let the account administer it")]).collect(),
        }
        if let Err(error) = place.mirror.settle(&place.branch).await {
            needs.push(fault("branch", &error, "let the account read the repository"));
        }
        let mut holds = String::new();
        match self.client.read_one::<BranchTip>(&format!("{}/branches/{}", place.api, encoded(&place.branch.said()))).await {
            Ok(tip) => holds = tip.effective_branch_protection_name,
            Err(error) => needs.push(fault("branch", &error, &format!("push the branch `{}`", place.branch))),
        }
        // Without it everything else says what is wrong.
        needs.extend(self.only_newest(place, &place.branch.said()).await.ok().flatten().map(|why| Need::newest(&about("up to date"), &why)));
        match self.client.read_one::<Vec<Protection>>(&format!("{}/branch_protections", place.api)).await {
            Ok(rules) => needs.extend(self.protection(about("protected branch"), place, &rules, &holds).await),
            Err(error) if error.kind == ForgeErrorKind::Denied => {
                let exam = Exam::warn(about("protected branch"), "the account may not read the rules of branches", "let the account administer the repository");
                needs.push(Need::seen(exam));
            }
            Err(error) => needs.push(fault("protected branch", &error, "try again")),
        }
        if let Some(hook) = &wish.hook {
            needs.push(self.hook(&about("webhook"), place, hook).await);
        }
        needs.extend(self.missing_labels(&about("labels"), place, &wish.labels).await);
        needs
    }

    /// Whether nobody but us moves the branch, and nothing is merged before it is true. `holds`: of several rules the one that Gitea goes by, where it tells; it goes by the first.
    async fn protection(&self, about: String, place: &Place, rules: &[Protection], holds: &str) -> Option<Need> {
        let bot = self.bot().await.ok()?;
        let branch = &place.branch.said();
        let by_hand = format!(
            "settings, branches, rule for `{branch}`: no pushes, merges by `{bot}` alone, the status `{CONVERGED}` required, stale approvals dismissed, administrators bound by it"
        );
        let own = rules.iter().find(|rule| *rule.rule_name == **branch || place.branch.pattern().is_some_and(|all| rule.rule_name == all.as_str()));
        let first = rules.iter().find(|rule| rule.rule_name == holds);
        // A rule of ours that comes after it says nothing.
        let before = first.filter(|first| own.is_none_or(|own| own.rule_name != first.rule_name));
        let mend = mend(place, bot, own);
        let Some(rule) = before.or(own) else {
            let said = format!("no rule protects `{branch}`: everybody who may write can push and merge past the server");
            let next = "`trueup forge setup` protects it: no pushes, merges by the server's account alone, and `trueup/converged` as a required status";
            return Some(Need { exams: vec![Exam::fail(&*about, said, next)], about, mends: vec![mend], by_hand });
        };
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
        if let Some(first) = before {
            let name = &first.rule_name;
            if wrong.is_empty() {
                return Some(Need::seen(Exam::ok(&*about, format!("`{branch}` is moved by the server alone, once `{CONVERGED}` is green, by the rule `{name}`"))));
            }
            let next = match own {
                Some(own) => format!("in the settings of branches move the rule `{}` above `{name}`: Gitea goes by the first", own.rule_name),
                None => format!("edit the rule `{name}` in the settings of branches, or make one for `{branch}` and move it above: Gitea goes by the first"),
            };
            let exams = wrong.into_iter().map(|said| Exam::warn(&*about, format!("`{branch}` is under the rule `{name}`: {said}"), next.clone())).collect();
            return Some(Need { about, exams, mends: Vec::new(), by_hand: next });
        }
        if wrong.is_empty() {
            let exam = Exam::ok(&*about, format!("`{branch}` is moved by the server alone, once `{CONVERGED}` is green"));
            // Approvals that outlive a push count for nothing here, and mislead whoever reads the page.
            let mends = if rule.dismiss_stale_approvals { Vec::new() } else { vec![mend] };
            return Some(Need { about, exams: vec![exam], mends, by_hand });
        }
        let next = "edit the rule, or let `trueup forge setup` do it: no pushes, merges by the server's account alone, `trueup/converged` required, admins bound by it";
        let exams = wrong.into_iter().map(|said| Exam::warn(&*about, format!("`{branch}`: {said}"), next)).collect();
        Some(Need { about, exams, mends: vec![mend], by_hand })
    }
}

/// The request that makes the rule right; what it says beside stays.
fn mend(place: &Place, bot: &User, rule: Option<&Protection>) -> Mend {
    let contexts: BTreeSet<&str> = rule.and_then(|rule| rule.status_check_contexts.as_ref()).into_iter().flatten().map(String::as_str).chain([CONVERGED]).collect();
    let mut body = json!({
        "enable_push": false, "enable_merge_whitelist": true, "merge_whitelist_usernames": [bot], "merge_whitelist_teams": [], "enable_status_check": true,
        "status_check_contexts": contexts, "dismiss_stale_approvals": true, "block_admin_merge_override": true,
    });
    let rules = format!("{}/branch_protections", place.api);
    let (method, path) = match rule {
        Some(rule) => (Method::PATCH, format!("{rules}/{}", encoded(&rule.rule_name))),
        None => {
            // One rule for all of them, those to come too.
            body["rule_name"] = place.branch.pattern().map_or_else(|| place.branch.said().to_string(), |all| all.as_str().to_owned()).into();
            (Method::POST, rules)
        }
    };
    let does = format!("protect `{}`: nobody pushes, only `{bot}` merges, `{CONVERGED}` required, stale approvals dismissed, administrators bound by it", place.branch);
    Mend { does, method, path, body }
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
    if found.allows(&found.default_merge_style) == Some(false) {
        let said = format!("its default merge style is `{}`, which it does not allow: no merge would be taken", found.default_merge_style);
        exams.push(Exam::fail(about, said, "allow that style in the repository's settings, or choose another default"));
    }
    if found.autodetect_manual_merge {
        let said = "it calls a pull request merged as soon as its commits are on the branch by another way, which is told as a merge past the gates";
        exams.push(Exam::warn(about, said, "switch off the detection of merges by hand"));
    }
    exams
}

//! What must stand at a GitLab: an account that may write, and a branch that nobody else moves before it is true. `trueup doctor` reads it, `trueup forge setup` makes it.

use super::{
    forge::{GitLab, Place},
    wire::{Account, Level, Project, Protected},
};
use crate::{
    core::model::RepoId,
    forges::net::{Furnishes, Mend, Need, NetError, Weight, encoded},
    ports::{Exam, Fut, Wish},
};
use reqwest::Method;
use serde_json::{Value as Json, json};

/// Pages of rules.
const RULES: usize = 10;

/// What a developer may: push branches, set statuses, comment.
const DEVELOPER: u32 = 30;

impl Furnishes for GitLab {
    fn needs<'a>(&'a self, repo: &'a RepoId, wish: &'a Wish) -> Fut<'a, Vec<Need>> {
        Box::pin(self.all_needs(repo, wish))
    }

    fn mend<'a>(&'a self, _: &'a RepoId, mend: &'a Mend) -> Fut<'a, Result<(), NetError>> {
        Box::pin(async move { self.api.send(Weight::Status, mend.method.clone(), &mend.path, &mend.body).await.map(drop) })
    }
}

impl GitLab {
    async fn all_needs(&self, repo: &RepoId, wish: &Wish) -> Vec<Need> {
        let about = |what: &str| format!("repository {repo}: {what}");
        let fault = |what: &str, error: &NetError, next: &str| Need::seen(Exam::fail(about(what), error.to_string(), next));
        let place = match self.place(repo) {
            Ok(place) => place,
            Err(error) => return vec![fault("forge", &error, "check `project:`")],
        };
        let mut needs = Vec::new();
        let me = match self.api.get::<Account>("/user").await {
            Ok(account) => account,
            Err(error) => return vec![fault("forge", &error, "check `url:`, `ca:` and `token:` under `forges:`")],
        };
        needs.push(Need::seen(match self.bot().await {
            Ok(bot) if *bot != self.user(Some(&me)) => {
                let said = format!("the token is that of `{}`, and `bot:` says `{bot}`: its comments would not be known as ours", me.username);
                Exam::fail(about("forge"), said, "correct `bot:`, or leave it out")
            }
            Ok(_) | Err(_) => Exam::ok(about("forge"), format!("the token is that of `{}` on {}", me.username, self.api.name())),
        }));
        let project = match self.api.get::<Project>(&place.path("")).await {
            Ok(found) => found,
            Err(error) => return needs.into_iter().chain([fault("account", &error, "check `project:`, and make the account a member")]).collect(),
        };
        needs.extend(rights(&about("account"), &project).into_iter().map(Need::seen));
        if project.merge_trains_enabled == Some(true) {
            let said = "the project has merge trains, which land other commits than those that were proven";
            needs.push(Need::seen(Exam::fail(about("merge trains"), said, "turn merge trains off: the server is one")));
        }
        needs.extend(project.only_newest().map(|why| Need::newest(&about("up to date"), why)));
        if let Err(error) = place.mirror.settle(&place.project.branch).await {
            needs.push(fault("branch", &error, "let the account read the repository"));
        }
        if let Err(error) = self.tip(place, &place.project.branch.said()).await {
            needs.push(fault("branch", &error, &format!("push the branch `{}`", place.project.branch)));
        }
        needs.extend(self.protection(&about("protected branch"), place, &me).await);
        needs.push(required(about("required status"), place, &project));
        if let Some(hook) = &wish.hook {
            needs.push(self.hook(&about("webhook"), place, hook).await);
            needs.extend(self.stale(&about("stale approvals"), place).await);
        }
        needs.extend(self.missing_labels(&about("labels"), place, &wish.labels).await);
        needs
    }

    /// Whether nobody but us moves the branch; of several that are named alike, those to come, too. Of several rules GitLab lets whatever one of them lets: each is looked at.
    async fn protection(&self, about: &str, place: &Place, me: &Account) -> Vec<Need> {
        let branch = &place.project.branch;
        let path = place.path("/protected_branches?per_page=100");
        let rules: Vec<Protected> = match self.api.whole(&path, RULES).await {
            Ok(rules) => rules,
            Err(error) => return vec![Need::seen(Exam::warn(about, error.to_string(), "make the account a maintainer of the project, or look yourself who may push and merge"))],
        };
        let (now, pattern) = (branch.said(), branch.pattern());
        let own: &str = pattern.map_or(&now, |pattern| pattern.as_str());
        // Of those to come one stands for all.
        let to_come = pattern.map(|pattern| format!("{}trueup-asks{}", pattern.beginning(), pattern.end()));
        let covers = |rule: &Protected| rule.name == own || matches(&rule.name, to_come.as_deref().unwrap_or(&now));
        let held = rules.iter().filter(|rule| covers(rule) || matches(&rule.name, &now));
        let mut needs: Vec<Need> = held.map(|rule| rule_of(about, place, me, rule, own, &now)).collect();
        if !rules.iter().any(covers) {
            let said = format!("`{own}` is not protected: everybody who may write can push and merge past the server");
            let mend = Mend {
                does: format!("protect `{own}`: nobody pushes, only `{}` merges", me.username),
                method: Method::POST,
                path: place.path("/protected_branches"),
                body: json!({ "name": own, "push_access_level": 0, "allowed_to_merge": [{ "user_id": me.id }], "allow_force_push": false }),
            };
            let exam = Exam::fail(about, said, "`trueup forge setup` protects it: nobody pushes, and only the server's account merges");
            needs.insert(0, Need { about: about.to_owned(), exams: vec![exam], mends: vec![mend], by_hand: by_hand(own, me) });
        }
        needs
    }
}

/// How a person makes a rule right.
fn by_hand(rule: &str, me: &Account) -> String {
    format!(
        "settings, repository, protected branches, `{rule}`: nobody pushes, only `{}` merges; where the plan of this GitLab cannot name accounts, make it the only maintainer",
        me.username
    )
}

/// One rule that holds for the branch. `own`: the rule that setup makes; `now`: the branch that governs. Another may hold for more than is ours, and is a person's to edit.
fn rule_of(about: &str, place: &Place, me: &Account, rule: &Protected, own: &str, now: &str) -> Need {
    let name = &*rule.name;
    let about = if name == own && !rule.inherited { about.to_owned() } else { format!("{about} {name}") };
    // Level 0 is nobody; a person or group that is named stands alone.
    let others = |levels: &[Level]| levels.iter().filter(|level| level.access_level != Some(0) && level.user_id != Some(me.id)).cloned().collect::<Vec<_>>();
    let (by_hand, next) = match (name == own || name == now, rule.inherited) {
        (true, false) => {
            let next = "edit the rule, or let `trueup forge setup` do it: nobody pushes, and only the server's account merges";
            (by_hand(name, me), next.to_owned())
        }
        (_, inherited) => {
            let whose = if inherited { "the group's settings" } else { "the project's settings" };
            let next = format!("edit the rule `{name}` in {whose}, or name it so that it does not hold for `{now}`: of several rules GitLab lets whatever one of them lets");
            (next.clone(), next)
        }
    };
    let (mut exams, mut body) = (Vec::new(), json!({}));
    for (what, key, levels) in [("push to it past the server", "allowed_to_push", &rule.push_access_levels), ("merge, too", "allowed_to_merge", &rule.merge_access_levels)] {
        let others = others(levels);
        if !others.is_empty() {
            exams.push(Exam::warn(&*about, format!("`{name}`: {} may {what}", others.iter().map(Level::said).collect::<Vec<_>>().join(", ")), next.clone()));
            let mut levels: Vec<Json> = others.iter().map(|level| json!({ "id": level.id, "_destroy": true })).collect();
            let instead = if key == "allowed_to_push" { json!({ "access_level": 0 }) } else { json!({ "user_id": me.id }) };
            levels.push(instead);
            body[key] = levels.into();
        }
    }
    if exams.is_empty() {
        return Need::seen(Exam::ok(&*about, format!("`{name}` is moved by the server alone")));
    }
    if by_hand == next {
        return Need { about, exams, mends: Vec::new(), by_hand };
    }
    let does = format!("edit the rule for `{name}`: nobody pushes, only `{}` merges", me.username);
    let mend = Mend { does, method: Method::PATCH, path: place.path(format!("/protected_branches/{}", encoded(name))), body };
    Need { about, exams, mends: vec![mend], by_hand }
}

/// Whether a rule is one for a branch: `*` is anything, a `/` among it.
fn matches(rule: &str, branch: &str) -> bool {
    let Some((first, rest)) = rule.split_once('*') else { return rule == branch };
    let Some(mut left) = branch.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(last)
}

/// GitLab requires no status by its name; what it requires is that nothing on the head is red or pending, ours among it.
fn required(about: String, place: &Place, project: &Project) -> Need {
    let mend = |key: &str, does: &str| Mend { does: does.to_owned(), method: Method::PUT, path: place.path(""), body: json!({ key: true }) };
    let by_hand = "settings, merge requests, merge checks: pipelines must succeed".to_owned();
    let (exam, mends) = match project.only_allow_merge_if_pipeline_succeeds {
        Some(false) => {
            let said = "merge requests may be merged while `trueup/converged` is pending, so that a merge by hand needs no run";
            let exam = Exam::warn(&*about, said, "`trueup forge setup` makes merges wait for what stands on the head, `trueup/converged` among it");
            (exam, vec![mend("only_allow_merge_if_pipeline_succeeds", "let merges wait until everything on the head is green, `trueup/converged` among it")])
        }
        Some(true) => (Exam::ok(&*about, "merges wait until everything on the head is green, `trueup/converged` among it"), Vec::new()),
        None => (Exam::ok(&*about, "it does not say whether merges wait for what stands on the head"), Vec::new()),
    };
    Need { about, exams: vec![exam], mends, by_hand }
}

fn rights(about: &str, found: &Project) -> Vec<Exam> {
    let level = found.permissions.as_ref().map_or(0, |may| [&may.project_access, &may.group_access].into_iter().flatten().map(|access| access.access_level).max().unwrap_or(0));
    let mut exams = vec![match level >= DEVELOPER {
        true => Exam::ok(about, "it may write: it sets statuses, comments and labels, and merges where the branch lets it"),
        false => Exam::fail(about, "it may not write: no comment, no status, no merge", "make the account a maintainer of the project, and give its token the scope `api`"),
    }];
    if found.archived {
        exams.push(Exam::fail(about, "the project is archived", "take it out of the archive, or out of the configuration"));
    }
    exams
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_in_a_rule_is_anything() {
        for rule in ["main", "*", "m*", "*n", "m*n", "**", "*ai*", "main*"] {
            assert!(matches(rule, "main"), "{rule}");
        }
        for rule in ["Main", "mai", "release/*", "m*m", "main*n", "*x*"] {
            assert!(!matches(rule, "main"), "{rule}");
        }
        assert!(matches("release/*", "release/2026/11") && matches("*/11", "release/2026/11") && !matches("release/*/11", "release/11"));
    }
}

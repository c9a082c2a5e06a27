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

    /// Whether nobody but us moves the branch; of several that are named alike, those to come, too.
    async fn protection(&self, about: &str, place: &Place, me: &Account) -> Vec<Need> {
        let branch = &place.project.branch;
        let Some(pattern) = branch.pattern() else {
            return vec![self.rule(about.to_owned(), place, me, &branch.said(), true).await].into_iter().flatten().collect();
        };
        let all = self.rule(about.to_owned(), place, me, pattern.as_str(), true).await;
        // Of several rules GitLab lets whatever one of them lets: one of the newest alone may undo what all of them say.
        let newest = match branch.now() {
            Some(now) => self.rule(format!("{about} {now}"), place, me, &now, false).await,
            None => None,
        };
        all.into_iter().chain(newest).collect()
    }

    /// The rule of a branch or of a pattern; `None`: there is none, and none `must` be.
    async fn rule(&self, about: String, place: &Place, me: &Account, branch: &str, must: bool) -> Option<Need> {
        let rules = place.path("/protected_branches");
        let path = format!("{rules}/{}", encoded(branch));
        let by_hand = format!(
            "settings, repository, protected branches, `{branch}`: nobody pushes, only `{}` merges; where the plan of this GitLab cannot name accounts, make it the only maintainer",
            me.username
        );
        let found: Option<Protected> = match self.api.find(&path).await {
            Ok(found) => found,
            Err(error) => return Some(Need::seen(Exam::warn(about, error.to_string(), "make the account a maintainer of the project, or look yourself who may push and merge"))),
        };
        let Some(rule) = found else {
            if !must {
                return None;
            }
            let said = format!("`{branch}` is not protected: everybody who may write can push and merge past the server");
            let mend = Mend {
                does: format!("protect `{branch}`: nobody pushes, only `{}` merges", me.username),
                method: Method::POST,
                path: rules,
                body: json!({ "name": branch, "push_access_level": 0, "allowed_to_merge": [{ "user_id": me.id }], "allow_force_push": false }),
            };
            let exam = Exam::fail(&*about, said, "`trueup forge setup` protects it: nobody pushes, and only the server's account merges");
            return Some(Need { about, exams: vec![exam], mends: vec![mend], by_hand });
        };
        // Level 0 is nobody; a person or group that is named stands alone.
        let others = |levels: &[Level]| levels.iter().filter(|level| level.access_level != Some(0) && level.user_id != Some(me.id)).cloned().collect::<Vec<_>>();
        let next = "edit the rule, or let `trueup forge setup` do it: nobody pushes, and only the server's account merges";
        let (mut exams, mut body) = (Vec::new(), json!({}));
        for (what, key, levels) in [("push to it past the server", "allowed_to_push", &rule.push_access_levels), ("merge, too", "allowed_to_merge", &rule.merge_access_levels)] {
            let others = others(levels);
            if !others.is_empty() {
                exams.push(Exam::warn(&*about, format!("`{branch}`: {} may {what}", others.iter().map(Level::said).collect::<Vec<_>>().join(", ")), next));
                let mut levels: Vec<Json> = others.iter().map(|level| json!({ "id": level.id, "_destroy": true })).collect();
                let instead = if key == "allowed_to_push" { json!({ "access_level": 0 }) } else { json!({ "user_id": me.id }) };
                levels.push(instead);
                body[key] = levels.into();
            }
        }
        if exams.is_empty() {
            return Some(Need::seen(Exam::ok(&*about, format!("`{branch}` is moved by the server alone"))));
        }
        let does = format!("edit the rule for `{branch}`: nobody pushes, only `{}` merges", me.username);
        let mend = Mend { does, method: Method::PATCH, path, body };
        Some(Need { about, exams, mends: vec![mend], by_hand })
    }
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

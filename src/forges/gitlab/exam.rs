//! What `trueup doctor` asks of a GitLab: whose the token is, what it may do, and who else could move the governed branch.

use super::{
    forge::{GitLab, Place},
    wire::{Account, Level, Project, Protected},
};
use crate::{
    core::model::RepoId,
    forges::net::{NetError, encoded},
    ports::Exam,
};

/// What a developer may: push branches, set statuses, comment.
const DEVELOPER: u32 = 30;

impl GitLab {
    pub(super) async fn exams(&self, repo: &RepoId) -> Vec<Exam> {
        let about = |what: &str| format!("repository {repo}: {what}");
        let fault = |what: &str, error: &NetError, next: &str| Exam::fail(about(what), error.to_string(), next);
        let place = match self.place(repo) {
            Ok(place) => place,
            Err(error) => return vec![fault("forge", &error, "check `project:`")],
        };
        let mut exams = Vec::new();
        let me = match self.api.get::<Account>("/user").await {
            Ok(account) => account,
            Err(error) => return vec![fault("forge", &error, "check `url:`, `ca:` and `token:` under `forges:`")],
        };
        exams.push(match self.bot().await {
            Ok(bot) if *bot != self.user(Some(&me)) => {
                let said = format!("the token is that of `{}`, and `bot:` says `{bot}`: its comments would not be known as ours", me.username);
                Exam::fail(about("forge"), said, "correct `bot:`, or leave it out")
            }
            Ok(_) | Err(_) => Exam::ok(about("forge"), format!("the token is that of `{}` on {}", me.username, self.api.name())),
        });
        match self.api.get::<Project>(&place.path("")).await {
            Ok(found) => exams.extend(rights(&about("account"), &found)),
            Err(error) => return exams.into_iter().chain([fault("account", &error, "check `project:`, and make the account a member")]).collect(),
        }
        if let Err(error) = self.tip(place, &place.project.branch).await {
            exams.push(fault("branch", &error, &format!("push the branch `{}`", place.project.branch)));
        }
        exams.extend(self.protection(&about("protected branch"), place, me.id).await);
        exams
    }

    /// Whether nobody but us moves the branch.
    async fn protection(&self, about: &str, place: &Place, me: u64) -> Vec<Exam> {
        let branch = &place.project.branch;
        let found: Option<Protected> = match self.api.find(&place.path(format!("/protected_branches/{}", encoded(branch)))).await {
            Ok(found) => found,
            Err(error) => return vec![Exam::warn(about, error.to_string(), "make the account a maintainer of the project, or look yourself who may push and merge")],
        };
        let Some(rule) = found else {
            let said = format!("`{branch}` is not protected: everybody who may write can push and merge past the server");
            return vec![Exam::fail(about, said, "protect it: nobody pushes, and only the server's account merges")];
        };
        // Level 0 is nobody; a person or group that is named stands alone.
        let others = |levels: &[Level]| levels.iter().filter(|level| level.access_level != Some(0) && level.user_id != Some(me)).map(Level::said).collect::<Vec<_>>();
        let next = "edit the rule: nobody pushes, and only the server's account merges";
        let mut exams = Vec::new();
        for (what, levels) in [("push to it past the server", &rule.push_access_levels), ("merge, too", &rule.merge_access_levels)] {
            let others = others(levels);
            if !others.is_empty() {
                exams.push(Exam::warn(about, format!("`{branch}`: {} may {what}", others.join(", ")), next));
            }
        }
        if exams.is_empty() {
            exams.push(Exam::ok(about, format!("`{branch}` is moved by the server alone")));
        }
        exams
    }
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
    if found.merge_trains_enabled == Some(true) {
        exams.push(Exam::fail(about, "the project has merge trains, which land other commits than those that were proven", "turn merge trains off: the server is one"));
    }
    exams
}

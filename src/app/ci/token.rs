//! What the token of a job says once it is proven: which repository, and which commit or merge request of it.

use crate::{
    app::config::ForgeKind,
    core::model::{CommitId, RepoId, Str},
};
use serde_json::{Map, Value};

/// The claims of a token.
pub type Claimed = Map<String, Value>;

/// Who asks, and about what they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// For logs.
    pub name: String,
    /// The repositories that it may ask about.
    pub repos: Vec<RepoId>,
    pub about: About,
}

/// What a token is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Every merge request of its repositories.
    Anything,
    /// One merge request, whatever its head: the commit of its job is a merge that the forge made.
    Request(u64),
    /// One commit, or the head of the merge request from this branch where the commit is a merge that the forge made.
    Commit { id: CommitId, branch: Option<Str> },
}

/// The project that a proven token's job belongs to.
pub fn project(kind: ForgeKind, claims: &Claimed) -> Option<&str> {
    match kind {
        ForgeKind::Github => text(claims, "repository"),
        ForgeKind::Gitlab => text(claims, "project_path"),
        ForgeKind::Gitea | ForgeKind::Forgejo => None,
    }
}

/// What a proven token's job is about.
pub fn about(kind: ForgeKind, claims: &Claimed) -> Option<About> {
    let (git_ref, id) = (text(claims, "ref")?, CommitId::new(text(claims, "sha")?));
    match kind {
        ForgeKind::Github => Some(number(git_ref, "refs/pull/").map_or(About::Commit { id, branch: None }, About::Request)),
        ForgeKind::Gitlab => {
            let from_request = text(claims, "pipeline_source") == Some("merge_request_event");
            let numbered = number(git_ref, "refs/merge-requests/").or_else(|| number(text(claims, "ref_path")?, "refs/merge-requests/"));
            Some(numbered.map_or_else(|| About::Commit { id, branch: from_request.then(|| git_ref.into()) }, About::Request))
        }
        ForgeKind::Gitea | ForgeKind::Forgejo => None,
    }
}

/// The number in `refs/pull/7/merge`.
fn number(git_ref: &str, before: &str) -> Option<u64> {
    let (number, rest) = git_ref.strip_prefix(before)?.split_once('/')?;
    matches!(rest, "merge" | "head" | "train").then(|| number.parse().ok()).flatten()
}

pub fn text<'a>(claims: &'a Claimed, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(kind: ForgeKind, claims: Value) -> (Option<String>, Option<About>) {
        let claims = claims.as_object().expect("an object").clone();
        (project(kind, &claims).map(str::to_owned), about(kind, &claims))
    }

    #[test]
    fn a_job_of_a_pull_request_is_about_it_and_not_about_the_merge_that_it_runs_on() {
        let claims = json!({ "repository": "example/dns", "ref": "refs/pull/7/merge", "sha": "mmmm", "event_name": "pull_request" });
        assert_eq!(of(ForgeKind::Github, claims), (Some("example/dns".into()), Some(About::Request(7))));
        let push = json!({ "repository": "example/dns", "ref": "refs/heads/pull/7/merge", "sha": "cccc" });
        assert_eq!(of(ForgeKind::Github, push).1, Some(About::Commit { id: CommitId::new("cccc"), branch: None }));
        assert_eq!(of(ForgeKind::Github, json!({ "repository": "example/dns" })).1, None, "a token that says nothing is about nothing");
    }

    #[test]
    fn a_pipeline_of_a_merge_request_is_about_its_commit_or_its_branch() {
        let branch = |source: &str| json!({ "project_path": "platform/dns", "ref": "move-www", "ref_type": "branch", "sha": "cccc", "pipeline_source": source });
        assert_eq!(of(ForgeKind::Gitlab, branch("push")).1, Some(About::Commit { id: CommitId::new("cccc"), branch: None }));
        let (project, about) = of(ForgeKind::Gitlab, branch("merge_request_event"));
        assert_eq!((project.as_deref(), about), (Some("platform/dns"), Some(About::Commit { id: CommitId::new("cccc"), branch: Some("move-www".into()) })));
    }
}

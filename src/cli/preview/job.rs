//! What a job of CI says of itself: which CI it is, and which merge request it is about.

use crate::formats::codeowners::Dialect;
use serde_json::Value;

/// Where the variables of a job are read from.
pub trait Environment {
    /// A variable; one that is empty is none.
    fn var(&self, name: &str) -> Option<String>;

    /// A file that a variable names.
    fn file(&self, path: &str) -> Option<Vec<u8>>;
}

/// The process's own.
pub struct Process;

impl Environment for Process {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn file(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(path).ok()
    }
}

/// One job; empty where none says anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    pub ci: Option<Ci>,
    /// The number of the merge request.
    pub number: Option<u64>,
    /// The tip of its branch, which is not what a job of a pull request has checked out.
    pub head: Option<String>,
    /// The branch it would be merged into.
    pub base: Option<String>,
    /// The folder that paths of annotations start at.
    pub workspace: Option<String>,
    /// It runs for a Gitea or a Forgejo.
    pub gitea: bool,
}

/// How a CI is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ci {
    /// GitHub Actions, and Gitea's and Forgejo's, which read the same.
    Actions,
    GitLab,
}

/// The variables by which runners of Gitea and Forgejo say that they are none of GitHub's.
const GITEA: [&str; 2] = ["GITEA_ACTIONS", "FORGEJO_ACTIONS"];

impl Job {
    pub fn read(from: &dyn Environment) -> Self {
        if from.var("GITHUB_ACTIONS").is_some() {
            return Self::of_actions(from);
        }
        if from.var("GITLAB_CI").is_some() {
            return Self {
                ci: Some(Ci::GitLab),
                number: from.var("CI_MERGE_REQUEST_IID").and_then(|number| number.parse().ok()),
                // Where GitLab runs on the result of a merge, the commit is that merge.
                head: from.var("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").or_else(|| from.var("CI_COMMIT_SHA")),
                base: from.var("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
                workspace: from.var("CI_PROJECT_DIR"),
                gitea: false,
            };
        }
        Self::default()
    }

    fn of_actions(from: &dyn Environment) -> Self {
        let event: Value = from.var("GITHUB_EVENT_PATH").and_then(|path| serde_json::from_slice(&from.file(&path)?).ok()).unwrap_or_default();
        let request = &event["pull_request"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            ci: Some(Ci::Actions),
            number: request["number"].as_u64().or_else(|| event["number"].as_u64()),
            // GITHUB_SHA is a merge that GitHub made for the job; the request's head is only in the event.
            head: text(&request["head"]["sha"]).or_else(|| from.var("GITHUB_SHA")),
            base: text(&request["base"]["ref"]).or_else(|| from.var("GITHUB_BASE_REF")),
            workspace: from.var("GITHUB_WORKSPACE"),
            gitea: GITEA.iter().any(|name| from.var(name).is_some()),
        }
    }

    /// The forge that it runs for, and how that is known; `None`: it is no job.
    pub fn forge(&self) -> Option<(Dialect, &'static str)> {
        match (self.ci?, self.gitea) {
            (Ci::GitLab, _) => Some((Dialect::GitLab, "this is a job of GitLab CI")),
            (Ci::Actions, true) => Some((Dialect::Gitea, "this is a job of Gitea's or Forgejo's Actions")),
            (Ci::Actions, false) => Some((Dialect::GitHub, "this is a job of GitHub Actions")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    struct Fixed(BTreeMap<&'static str, &'static str>, &'static str);

    impl Environment for Fixed {
        fn var(&self, name: &str) -> Option<String> {
            self.0.get(name).filter(|value| !value.is_empty()).map(|value| (*value).to_owned())
        }

        fn file(&self, _: &str) -> Option<Vec<u8>> {
            Some(self.1.as_bytes().to_vec())
        }
    }

    #[test]
    fn the_head_of_a_pull_request_is_its_branchs_and_not_the_merge_that_was_checked_out() {
        let event = r#"{"number": 7, "pull_request": {"number": 7, "head": {"sha": "aaaa"}, "base": {"ref": "main"}}}"#;
        let env = [("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", "mmmm"), ("GITHUB_EVENT_PATH", "/event.json")];
        let job = Job::read(&Fixed(env.into(), event));
        assert_eq!((job.ci, job.number, job.head.as_deref(), job.base.as_deref()), (Some(Ci::Actions), Some(7), Some("aaaa"), Some("main")));
    }

    #[test]
    fn a_job_of_a_push_is_about_its_commit() {
        let job = Job::read(&Fixed([("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", "cccc"), ("GITHUB_BASE_REF", "")].into(), "{}"));
        assert_eq!((job.number, job.head.as_deref(), job.base), (None, Some("cccc"), None));
        assert_eq!(Job::read(&Fixed(BTreeMap::new(), "")), Job::default());
    }

    #[test]
    fn a_job_on_the_result_of_a_merge_on_gitlab_is_about_the_head_of_its_branch() {
        let env = [("GITLAB_CI", "true"), ("CI_MERGE_REQUEST_IID", "3"), ("CI_COMMIT_SHA", "mmmm"), ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "aaaa")];
        let job = Job::read(&Fixed(env.into(), ""));
        assert_eq!((job.ci, job.number, job.head.as_deref()), (Some(Ci::GitLab), Some(3), Some("aaaa")));
        let plain = [("GITLAB_CI", "true"), ("CI_MERGE_REQUEST_IID", "3"), ("CI_COMMIT_SHA", "cccc"), ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "")];
        assert_eq!(Job::read(&Fixed(plain.into(), "")).head.as_deref(), Some("cccc"));
    }
}
